"""The one middleware: a correlation id, problems instead of errors, one wide log line for each request.

Only the server's own answer to bytes that are no HTTP does not pass here.
"""

import time
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web

from gateway.api.admission import STANDING
from gateway.api.context import CONTEXT, Context
from gateway.api.languages import preferred
from gateway.api.mapping import refusal_of
from gateway.observe.trace import new_trace_id, parse

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
log = structlog.get_logger(__name__)

# What a route adds to the log line: vendor, items, receipts by status. Never a value of a person.
FACTS: web.RequestKey[dict[str, object]] = web.RequestKey("facts", dict)
UNKNOWN_VENDOR = "-"
CLIENT_GONE = 499


@web.middleware
async def edge(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Wraps every route, and the answers to addresses that have none."""
    context = request.app[CONTEXT]
    started = time.perf_counter()
    sent = parse(request.headers.get("traceparent"))
    trace_id = sent.trace_id if sent is not None else new_trace_id()
    structlog.contextvars.bind_contextvars(trace_id=trace_id)
    facts = request[FACTS] = {}
    context.drain.enter()
    status = CLIENT_GONE
    try:
        answer = await handler(request)
        status = answer.status
    except ConnectionError:  # the sender went away; there is nobody to answer
        raise
    except Exception as error:
        answer = _refuse(request, context, error, trace_id, facts)
        status = answer.status
    finally:
        context.drain.leave()
        _tell(request, status, facts, started)
    if not answer.prepared:
        answer.headers["X-Correlation-Id"] = trace_id
        if (standing := request.get(STANDING)) is not None:
            answer.headers.update(standing.headers)
    return answer


def _refuse(
    request: web.Request, context: Context, error: Exception, trace_id: str, facts: dict[str, object]
) -> web.Response:
    refusal = refusal_of(error, now_ms=context.clock.now_ms(), max_items=context.max_items)
    facts["code"] = refusal.code
    if refusal.status == 500:
        log.error("request.failed", exc_info=error)
    elif refusal.code == "storage.unavailable":
        log.error("storage.unavailable", exc_info=error)
    vendor = str(facts.get("vendor", UNKNOWN_VENDOR))
    context.metrics.refused.labels(vendor, refusal.code).inc()
    answer = refusal.answer(preferred(request.headers.get("Accept-Language"), context.lang), trace_id)
    if context.drain.has_begun:
        answer.force_close()
    return answer


def _tell(request: web.Request, status: int, facts: dict[str, object], started: float) -> None:
    resource = request.match_info.route.resource
    route = resource.canonical if resource is not None else None  # never the path: it holds what was sent
    level = log.debug if facts.pop("quiet", False) and status < 400 else log.info
    level(
        "request",
        method=request.method,
        route=route,
        status=status,
        ms=round((time.perf_counter() - started) * 1000, 2),
        **facts,
    )
