"""Lines sent to /v1/vendors/{vendor}/completions under a stream's token; the answer runs beside them.

Source: contracts/gateway/README.md, "Streams"; decisions record 0031.
"""

from collections import Counter
from collections.abc import Sequence

import structlog
from aiohttp import web

from gateway.api.bearer import authorized
from gateway.api.context import CONTEXT, Context
from gateway.api.edge import FACTS
from gateway.api.languages import preferred
from gateway.api.mapping import refusal_of
from gateway.api.problems import Refusal
from gateway.api.stream_answer import StreamAnswer
from gateway.api.stream_body import StreamBody
from gateway.model.texts import Lang
from gateway.queue.delivery import ReceiptStatus
from gateway.queue.streams import Place
from gateway.queue.vendors import Vendor
from gateway.security.tokens import bearer
from gateway.stages.receive import ItemReceipt
from gateway.stages.streaming import PURPOSE, Streaming

log = structlog.get_logger(__name__)

TAKEN = frozenset({ReceiptStatus.ACCEPTED.value, ReceiptStatus.CORRECTED.value})


async def receive_lines(request: web.Request) -> web.StreamResponse:
    """Takes lines for as long as they come. 200 is told at once; what is durable, the checkpoints tell."""
    context = request.app[CONTEXT]
    is_gzip = _is_gzip(request)
    vendor, streaming, place = await _admitted(request, context)
    lang = preferred(request.headers.get("Accept-Language"), context.lang)
    trace_id = str(structlog.contextvars.get_contextvars().get("trace_id", ""))
    response = web.StreamResponse(
        headers={
            "Content-Type": "application/x-ndjson",
            "Content-Language": lang,
            "Cache-Control": "no-store",
            "X-Correlation-Id": trace_id,
            "X-Accel-Buffering": "no",  # a proxy that gathers the answer would hide the checkpoints
        }
    )
    response.force_close()  # where a stream ends early, the rest of its body is no other request
    await response.prepare(request)
    answer = StreamAnswer(request, response, place.line, lang)

    async def told(line: int, receipts: Sequence[tuple[int, ItemReceipt]]) -> None:
        _count(request, context, vendor, receipts)
        await answer.tell(line, receipts)

    try:
        ended = await streaming.take(
            vendor,
            place,
            StreamBody(request.content, is_gzip=is_gzip),
            told,
            stopping=context.drain.begun,
            idle_s=context.stream_idle_s,
        )
        how, last = ended.how.value, dict[str, object]()
    except Exception as error:
        problem = _problem(context, error, lang, trace_id)
        how, last = "refused", {"problem": problem}
        request[FACTS]["code"] = problem["code"]
    request[FACTS].update(stream_lines=answer.line - place.line, ended=how)
    await answer.end({"ended": how, **last}, within_s=context.patience_s)
    return response


def _is_gzip(request: web.Request) -> bool:
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        raise Refusal("encoding.unsupported", headers={"Accept-Encoding": "gzip, identity"})
    return encoding.endswith("gzip")


async def _admitted(request: web.Request, context: Context) -> tuple[Vendor, Streaming, Place]:
    vendor = await authorized(request, PURPOSE)
    if context.streaming is None:
        raise Refusal("route.not_found")
    token = bearer(request.headers.get("Authorization"))
    return vendor, context.streaming, await context.streaming.admit(vendor.id, token)


def _problem(context: Context, error: Exception, lang: Lang, trace_id: str) -> dict[str, object]:
    refusal = refusal_of(error, now_ms=context.clock.now_ms(), max_items=context.max_items)
    if refusal.status >= 500:
        log.error("stream.failed", exc_info=error)
    return refusal.document(lang, trace_id)


def _count(
    request: web.Request, context: Context, vendor: Vendor, receipts: Sequence[tuple[int, ItemReceipt]]
) -> None:
    by_status = Counter([receipt.status.value for _, receipt in receipts])
    for status, n in by_status.items():
        context.metrics.accepted.labels(vendor.name, status).inc(n)
    if not TAKEN.isdisjoint(by_status):
        context.metrics.last_accepted.labels(vendor.name).set(context.clock.now_ms() / 1000)
    told = request[FACTS].setdefault("receipts", Counter())
    assert isinstance(told, Counter)
    told.update(by_status)
