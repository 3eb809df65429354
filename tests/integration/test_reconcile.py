"""Reading TEMIS back: what it lost goes again, what was changed there is told, nothing is counted twice."""

import asyncio

import httpx
import pytest

from gateway.app import open_reconcile
from gateway.model.errors import NotSent, Refused
from gateway.outbound.destinations import pause
from gateway.queue import reconciliations
from gateway.queue.balance import balance
from gateway.queue.reconciliations import Scope
from gateway.sandbox.app import make_sandbox
from gateway.sandbox.server import serving
from gateway.stages.reconcile import Reconciling
from gateway.storage.leases import Lease
from tests.builders import FakeClock
from tests.integration.test_pipeline import ROSTER, Lab, running_gateway, viettel, wait_until

LEADER = Lease("leader", "test", 1)


@pytest.fixture
async def lab(database_url, tmp_path):
    async with (
        serving(make_sandbox(ROSTER)) as base,
        httpx.AsyncClient(base_url=base) as http,
        running_gateway(database_url, tmp_path, base, GATEWAY_TEMIS_RECONCILE_EVERY_S="0") as gateway,
    ):
        yield Lab(gateway, base, http)


def at(n: int, module: str = "GVPT03") -> str:
    return f"/_control/temis/records/{ROSTER[n].sector_id}/{module}/2025-2026"


async def reconciled(lab, scope: Scope = Scope(), by: str = "tester"):
    async with open_reconcile(lab.gateway) as reconcile:
        run = await reconciliations.start(lab.gateway.db, lab.gateway.clock, by, scope)
        return await reconcile.walk(run)


async def test_what_temis_lost_goes_again_and_what_was_changed_there_is_told(lab):
    """Missing is healed by sending again; different and unexpected are reported with the fields, no value."""
    await lab.send(*(viettel(n) for n in range(8)))
    stranger = viettel(8)
    stranger["user"]["fullName"] = "Trần Văn Nam"
    await lab.send(stranger)
    await lab.until_settled()
    assert dict((await reconciled(lab)).counts) == {
        "same": 8, "missing": 0, "different": 0, "unexpected": 0, "moving": 0, "healed": 0
    }  # fmt: skip
    for n in (0, 1):
        assert (await lab.http.delete(at(n))).status_code == 200
    changed = await lab.http.patch(at(2), json={"score": 5.0, "result": "not_passed"})
    assert changed.json()["score"] == 5.0
    await lab.http.patch(at(3), json={"withdrawn": True})
    run = await reconciled(lab)
    assert {name: n for name, n in run.counts.items() if n} == {
        "same": 4, "missing": 2, "different": 2, "healed": 2
    }  # fmt: skip
    assert run.ended == "done"
    assert run.checked == 8
    found = await reconciliations.list_discrepancies(lab.gateway.db, run.id)
    assert sorted((f.kind, f.fields, f.requeued) for f in found) == [
        ("different", ("score_hundredths", "result"), False),
        ("different", ("withdrawn",), False),
        ("missing", (), True),
        ("missing", (), True),
    ]
    await lab.until_settled()
    assert (await lab.states())["delivered"] == 8
    assert await lab.standing_records() == 7
    after = await reconciled(lab)
    assert (after.counts["missing"], after.counts["different"]) == (0, 2)


async def test_a_healed_record_is_a_write_of_its_own(lab):
    """The log of TEMIS shows one more creation, above the revision that was lost; the attempts say why."""
    await lab.send(viettel(0))
    await lab.until_settled()
    await lab.http.delete(at(0))
    run = await reconciled(lab)
    await lab.until_settled()
    [record] = await lab.records()
    assert record["revision"] == 2
    assert [write["op"] for write in await lab.writes()] == ["created", "created"]
    [found] = await reconciliations.list_discrepancies(lab.gateway.db, run.id)
    async with lab.gateway.db.read() as tx:
        attempts = await tx.rows(
            "SELECT stage, outcome, to_state, trigger FROM attempts WHERE delivery_id = :id ORDER BY id",
            id=found.delivery_id,
        )
    assert ("reconcile", "healed", "verified", "reconcile") in [tuple(row) for row in attempts]
    assert tuple(attempts[-1])[2] == "delivered"


async def test_a_withdrawn_record_that_stands_again_is_unexpected(lab):
    """What should not stand in TEMIS and does is found as well."""
    from gateway.queue.acts import withdraw

    await lab.send(viettel(0))
    await lab.until_settled()
    await withdraw(lab.gateway.db, lab.gateway.clock, 1, "evt-0")
    await wait_until(lab, lambda: lab.standing_records(), 0)
    await lab.until_settled()
    await wait_until(lab, lambda: in_flight_withdrawals(lab), 0)
    assert (await reconciled(lab)).counts["same"] == 1
    await lab.http.patch(at(0), json={"withdrawn": False})
    assert (await reconciled(lab)).counts["unexpected"] == 1


async def in_flight_withdrawals(lab) -> int:
    async with lab.gateway.db.read() as tx:
        [row] = await tx.rows(
            "SELECT COUNT(*) AS n FROM deliveries WHERE kind = 'withdrawal' AND state = 'verified'"
        )
    return row.n


async def test_an_operator_sends_again_what_differs(lab):
    """Ours goes above TEMIS's revision, once; who decided so stands in the audit."""
    await lab.send(viettel(0))
    await lab.until_settled()
    await lab.http.patch(at(0), json={"score": 1.0, "revision": 9})
    run = await reconciled(lab)
    [found] = await reconciliations.list_discrepancies(lab.gateway.db, run.id)
    assert (found.fields, found.temis_revision) == (("score_hundredths", "revision"), 9)
    delivery = await reconciliations.send_again(lab.gateway.db, lab.gateway.clock, found.id, "an.operator")
    assert delivery == found.delivery_id
    with pytest.raises(Refused):
        await reconciliations.send_again(lab.gateway.db, lab.gateway.clock, found.id, "an.operator")
    await lab.until_settled()
    [record] = await lab.records()
    assert (record["score"], record["revision"]) == (8.5, 10)
    async with lab.gateway.db.read() as tx:
        acts = await tx.rows("SELECT actor, act, object FROM audit ORDER BY id")
    assert ("an.operator", "discrepancy.send_again", f"delivery:{delivery}") in [tuple(row) for row in acts]


async def test_only_what_is_in_scope_is_asked_for(lab):
    """By vendor, module and time since the acknowledgement."""
    await lab.send(viettel(0), viettel(1, code="GVPT 04"), viettel(2))
    await lab.until_settled()
    assert (await reconciled(lab, Scope(module_code="GVPT04"))).checked == 1
    assert (await reconciled(lab, Scope(vendor_id=2))).checked == 0
    assert (await reconciled(lab, Scope(since_ms=lab.gateway.clock.now_ms() + 60_000))).checked == 0
    assert (await reconciled(lab, Scope(vendor_id=1, since_ms=1))).checked == 3


async def test_what_is_on_its_way_is_not_judged(lab):
    """Nobody can say what TEMIS shows while something is being sent."""
    await lab.send(viettel(0), viettel(1))
    await lab.until_settled()
    await lab.gateway.db.write(
        lambda tx: tx.run("UPDATE deliveries SET unknown_since_ms = 1 WHERE event_id = 'evt-0'")
    )
    await lab.http.delete(at(0))
    run = await reconciled(lab)
    assert {name: n for name, n in run.counts.items() if n} == {"same": 1, "moving": 1}


async def test_a_page_is_taken_over_once_whoever_walks(lab, monkeypatch):
    """Two walkers at the same page, and one that died before: counted once, healed once."""
    monkeypatch.setattr(reconciliations, "PAGE", 2)
    await lab.send(*(viettel(n) for n in range(7)))
    await lab.until_settled()
    for n in range(7):
        await lab.http.delete(at(n))
    db, clock = lab.gateway.db, lab.gateway.clock
    async with open_reconcile(lab.gateway) as one, open_reconcile(lab.gateway) as other:
        run = await reconciliations.start(db, clock, "tester")
        with pytest.raises(Refused, match="under way"):
            await reconciliations.start(db, clock, "somebody")
        died = await one.look(run.scope, after=run.cursor, last=run.last_id)  # and nothing was written
        assert len(died[1]) == 2
        await asyncio.gather(one.walk(run), other.walk(run))
    done = await reconciliations.find(db, run.id)
    assert (done.ended, done.counts["missing"], done.counts["healed"]) == ("done", 7, 7)
    assert len(await reconciliations.list_discrepancies(db, run.id)) == 7
    await lab.until_settled()
    assert (await balance(db)).closes
    assert await lab.standing_records() == 7


async def test_an_outage_makes_the_walk_wait_and_nothing_missing(lab):
    """TEMIS that does not answer has lost nothing; the leader goes on afterwards, where it was."""
    await lab.send(viettel(0), viettel(1))
    await lab.until_settled()
    await lab.http.put("/_control/faults", json=[{"target": "temis", "mode": "status", "status": 503}])
    run = await reconciliations.start(lab.gateway.db, lab.gateway.clock, "tester")
    async with open_reconcile(lab.gateway) as reconcile:
        duty = Reconciling(lab.gateway.db, lab.gateway.clock, reconcile, interval_ms=0)
        await duty.run(LEADER)
        waiting = await reconciliations.find(lab.gateway.db, run.id)
        assert (waiting.cursor, waiting.checked, waiting.ended) == (0, 0, None)
    await lab.http.delete("/_control/faults")
    async with open_reconcile(lab.gateway) as reconcile:
        await Reconciling(lab.gateway.db, lab.gateway.clock, reconcile, interval_ms=0).run(LEADER)
    done = await reconciliations.find(lab.gateway.db, run.id)
    assert (done.ended, done.counts["same"]) == ("done", 2)


async def test_a_destination_that_is_down_is_not_asked(lab):
    """While it is paused or tripped a reconciliation waits; it has time."""
    await lab.send(viettel(0))
    await lab.until_settled()
    run = await reconciliations.start(lab.gateway.db, lab.gateway.clock, "tester")
    await pause(lab.gateway.db, lab.gateway.clock, "temis", by="tester", reason="maintenance")
    async with open_reconcile(lab.gateway) as reconcile:
        with pytest.raises(NotSent):
            await reconcile.walk(run)
    assert await reconciliations.cancel(lab.gateway.db, lab.gateway.clock, run.id, "tester")
    assert not await reconciliations.cancel(lab.gateway.db, lab.gateway.clock, run.id, "tester")


async def test_the_leader_begins_one_when_it_is_due(lab):
    """A day after the first arrival, and then a day after each one that was begun."""
    await lab.send(viettel(0))
    await lab.until_settled()
    clock = FakeClock(lab.gateway.clock.now_ms())
    async with open_reconcile(lab.gateway) as reconcile:
        duty = Reconciling(lab.gateway.db, clock, reconcile, interval_ms=86_400_000)
        await duty.run(LEADER)
        assert await reconciliations.latest(lab.gateway.db) == []
        clock.advance(s=86_401)
        await duty.run(LEADER)
        await duty.run(LEADER)
        [first] = await reconciliations.latest(lab.gateway.db)
        assert (first.started_by, first.ended) == ("schedule", "done")
        clock.advance(s=86_401)
        await duty.run(LEADER)
    assert len(await reconciliations.latest(lab.gateway.db)) == 2
