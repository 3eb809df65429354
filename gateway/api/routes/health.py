"""/healthz: is the process alive. /readyz: should requests be sent here.

An outage of the sector database or of TEMIS makes it `degraded` and leaves it ready: accepting must go on, the
queue waits for them. Only a database that cannot be written, or the end of the process, is 503.
"""

import orjson
from aiohttp import web

from gateway.api.context import CONTEXT
from gateway.api.edge import FACTS
from gateway.api.models import Liveness, Readiness
from gateway.api.routes import Route
from gateway.outbound.breaker import BreakerState
from gateway.outbound.gate import Gate

_STATUS = {BreakerState.CLOSED: "up", BreakerState.DELAYED: "degraded"}


async def healthz(request: web.Request) -> web.Response:
    """Answers as long as the event loop turns; asks nothing else, so an outage restarts no process."""
    return _answer(request, 200, {"status": "alive"})


async def readyz(request: web.Request) -> web.Response:
    """Each thing needed, and what follows from it."""
    context = request.app[CONTEXT]
    is_writable = await context.write_path.works()
    state = "up" if is_writable else "down"
    components: dict[str, dict[str, object]] = {"database": {"status": state, "state": state}}
    components |= {gate.name: _component(gate) for gate in context.gates}
    if context.drain.has_begun:
        return _answer(request, 503, {"status": "draining", "components": components})
    if not is_writable:
        return _answer(request, 503, {"status": "unready", "components": components})
    is_whole = all(component["status"] == "up" for component in components.values())
    return _answer(request, 200, {"status": "ready" if is_whole else "degraded", "components": components})


def _component(gate: Gate) -> dict[str, object]:
    state = BreakerState.PAUSED if gate.paused else gate.breaker.state
    told: dict[str, object] = {"status": _STATUS.get(state, "down"), "state": state.value}
    if wait_s := gate.wait_s():
        told["retry_in_s"] = round(wait_s, 1)
    return told


def _answer(request: web.Request, status: int, told: dict[str, object]) -> web.Response:
    request[FACTS]["quiet"] = True
    return web.Response(
        body=orjson.dumps(told),
        status=status,
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


ROUTES = (
    Route(
        "GET",
        "/healthz",
        healthz,
        name="healthz",
        summary="Whether the process is alive.",
        answers={200: ("It is.", Liveness)},
        is_probe=True,
    ),
    Route(
        "GET",
        "/readyz",
        readyz,
        name="readyz",
        summary="Whether to send requests here; an outage outside leaves it ready, and is told.",
        answers={
            200: ("Ready, or degraded: completions are taken and wait for what is down.", Readiness),
            503: ("The database cannot be written, or the process is ending.", Readiness),
        },
        is_probe=True,
    ),
)
