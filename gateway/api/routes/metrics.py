"""/metrics: the process's metrics, as the scraper asks for them (docs/metrics.md)."""

from aiohttp import web

from gateway.api.context import CONTEXT
from gateway.api.edge import FACTS
from gateway.api.routes import Route
from gateway.outbound.breaker import BreakerState

_BREAKER = {BreakerState.CLOSED: 0, BreakerState.DELAYED: 0}
_HALF_OPEN, _OPEN = 1, 2


async def metrics(request: web.Request) -> web.Response:
    """Breakers are read now; everything else was counted as it happened."""
    context = request.app[CONTEXT]
    for gate in context.gates:
        tripped = _HALF_OPEN if gate.is_probe else _OPEN
        context.metrics.breaker.labels(gate.name).set(_BREAKER.get(gate.breaker.state, tripped))
        is_paused = gate.paused or gate.breaker.state is BreakerState.PAUSED
        context.metrics.paused.labels(gate.name).set(is_paused)
    body, content_type = context.metrics.render(request.headers.get("Accept", ""))
    request[FACTS]["quiet"] = True
    return web.Response(body=body, headers={"Content-Type": content_type})


ROUTES = (
    Route(
        "GET",
        "/metrics",
        metrics,
        name="metrics",
        summary="Metrics in OpenMetrics or Prometheus text.",
        answers={200: ("The metrics.", None)},
        is_probe=True,
    ),
)
