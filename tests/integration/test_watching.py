"""A running worker tells operators by itself: causes, pauses, alerts, what waits. Both engines."""

import asyncio

import pytest

from gateway.outbound.destinations import pause, read_standings, resume
from gateway.queue.alerts import recent
from gateway.queue.causes import list_causes
from gateway.stages.incidents import list_incidents
from gateway.stages.shared_gates import EVERY_S
from tests.integration.test_pipeline import Lab, lab, viettel, wait_for  # noqa: F401 - lab is a fixture
from tests.waiting import until


async def test_a_hold_shows_as_a_cause_within_seconds(lab: Lab):  # noqa: F811 - the fixture
    """Nobody has to look for it: cause and alert are there while the delivery waits."""
    stranger = viettel(3)
    stranger["user"]["sectorCode"] = "9999999999"
    await lab.send(stranger, viettel(4))
    [cause] = await until(lambda: list_causes(lab.gateway.db))
    assert (cause.code, cause.waiting) == ("registry.not_found", 1)
    alerts = await until(lambda: recent(lab.gateway.db))
    assert "cause.opened" in {alert.kind for alert in alerts}
    await wait_for(lab, "evt-4", "delivered")


async def test_a_paused_destination_is_left_alone_and_goes_on_when_resumed(lab: Lab):  # noqa: F811 - the fixture
    """Within a second nothing is called any more; what waits is delivered after the resume, and has a sheet."""
    db, clock = lab.gateway.db, lab.gateway.clock
    await pause(db, clock, "temis", by="ops", reason="nights")
    await until(lambda: list_incidents(db))
    await asyncio.sleep(2 * EVERY_S)  # by then every process has looked
    await lab.send(viettel(1))
    await wait_for(lab, "evt-1", "verified")
    await asyncio.sleep(0.5)
    assert await lab.reason("evt-1") == ("verified", None)
    assert await lab.writes() == []
    await resume(db, clock, "temis", by="ops")
    await wait_for(lab, "evt-1", "delivered")


@pytest.mark.parametrize("status", [401, 503])
async def test_an_outage_is_shared_and_ends_by_itself(lab: Lab, status):  # noqa: F811 - the fixture
    """The row that all processes read says what is the matter, and says when it is over."""
    db = lab.gateway.db
    await lab.http.put("/_control/faults", json=[{"target": "temis", "mode": "status", "status": status}])
    await lab.send(*(viettel(n) for n in range(5)))

    async def tripped():
        standing = (await read_standings(db))["temis"]
        return standing.http_status == status and standing.is_tripped

    async def closed():
        return not (await read_standings(db))["temis"].is_tripped

    await until(tripped)
    await lab.http.delete("/_control/faults")
    await lab.until_settled()
    await until(closed)
    assert await lab.states() == {"delivered": 5}
    assert {alert.kind for alert in await recent(db)} >= {"destination.recovered"}
