"""GET /v1/status over a socket: anybody may ask, and learns nothing that only operators know. Both engines."""

import httpx
import orjson
import pytest

from gateway.api.app import make_app
from gateway.api.context import Context
from gateway.api.routes.status import Status
from gateway.api.write_path import WritePath
from gateway.observe.metrics import Metrics
from gateway.outbound.breaker import BreakerState
from gateway.outbound.destinations import pause, publish_in
from gateway.outbound.maintenance import add_window
from gateway.queue.vendors import Vendors
from gateway.sandbox.server import serving
from gateway.stages.backlog import Backlog
from gateway.stages.status import StatusBoard
from tests.builders import NOON


@pytest.fixture
async def ask(db, clock):
    """Asks a gateway that serves nothing but its database."""
    context = Context(
        clock=clock,
        db=db,
        vendors=Vendors(db, None, clock),
        receive=None,
        metrics=Metrics(),
        write_path=WritePath(db),
        tokens=None,
        status=StatusBoard(db, clock),
    )
    async with serving(make_app(context)) as base, httpx.AsyncClient(base_url=base) as http:

        async def call():
            clock.advance(s=2)
            answer = await http.get("/v1/status")
            assert answer.status_code == 200
            Status.model_validate(orjson.loads(answer.content))
            return answer.json()

        yield call


async def test_all_is_well(ask, db, clock):
    """No outage, no window: up, without a since or a contact to call for nothing."""
    await Backlog(db, clock, Metrics()).run(None)
    told = await ask()
    assert told["status"] == "up"
    assert [(one["name"], one["status"], one["waiting"]) for one in told["systems"]] == [
        ("temis", "up", 0),
        ("registry", "up", 0),
    ]


async def test_an_outage_is_told_with_since_when_window_and_contact(ask, db, clock):
    """What a vendor's help desk needs to answer its callers."""
    told = {"until_ms": 0, "error": "upstream.failing", "status": 502, "holder": "machine-7"}
    await db.write(lambda tx: publish_in(tx, "temis", BreakerState.OPEN, now=NOON, **told))
    await add_window(db, clock, "temis", NOON - 1, NOON + 3_600_000, reason="upgrade", by="ops")
    answer = await ask()
    temis = answer["systems"][0]
    assert (answer["status"], temis["status"]) == ("degraded", "maintenance")
    assert temis["since"] == "2026-03-09T12:00:00.000+07:00"
    assert temis["window"]["to"] == "2026-03-09T13:00:00.000+07:00"
    assert "18008000" in temis["contact"]["vi"]


async def test_what_only_operators_know_is_not_told(ask, db, clock):
    """Who paused it and why, machines and error codes stay inside."""
    await pause(db, clock, "temis", by="nguyen.van.a", reason="their server leaks")
    answer = orjson.dumps(await ask()).decode()
    assert "paused" in answer
    for secret in ("nguyen.van.a", "leaks", "upstream."):
        assert secret not in answer
