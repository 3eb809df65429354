"""Rules of the two stages that only show when one step is taken at a time."""

import asyncio

import pytest

from gateway.model.clock import DAY_MS, HOUR_MS, day_number
from gateway.model.errors import Failing
from gateway.queue.acts import replay, withdraw
from gateway.security.vault import Vault
from gateway.storage.data_keys import ensure_data_keys
from tests.integration.by_hand import ROSTER, by_hand, completion


@pytest.fixture
async def hand(database_url, tmp_path, clock):
    async with by_hand(database_url, tmp_path, clock) as hand:
        yield hand


async def test_an_old_wake_does_not_make_a_later_refusal_due_at_once(hand):
    """A wake counts for the hold it came too early for, not for each refusal from then on."""
    [id_] = await hand.send(completion(1))
    await hand.account(1, "missing")
    await hand.verify(hand_over=True)
    assert (await hand.row(id_)).reason == "temis.account_missing"
    assert await hand.gateway.wake.person_changed(ROSTER[1].sector_id) == 1
    await hand.verify(hand_over=True)
    row = await hand.row(id_)
    assert (row.state, row.reason) == ("held", "temis.account_missing")
    assert row.due_at_ms - hand.clock.now_ms() >= 0.8 * DAY_MS
    assert await hand.gateway.wake.person_changed(ROSTER[1].sector_id) == 1
    await hand.verify()
    assert await hand.deliver() == 1
    assert (await hand.row(id_)).due_at_ms - hand.clock.now_ms() >= 0.8 * DAY_MS


async def test_a_row_that_was_in_hand_when_workers_died_is_tried_alone_before_it_is_buried(hand):
    """Five crashes put a whole batch under suspicion; each of them is tried alone, and the innocent go on."""
    [id_] = await hand.send(completion(1))
    await hand.db.write(lambda tx: tx.run("UPDATE deliveries SET claims = 5, lane = 1"))
    await hand.verify()
    assert (await hand.row(id_)).state == "verified"
    [guilty] = await hand.send(completion(2))
    await hand.db.write(lambda tx: tx.run("UPDATE deliveries SET claims = 6, lane = 1 WHERE id = :i", i=guilty))
    await hand.verify()
    row = await hand.row(guilty)
    assert (row.state, row.reason) == ("dead", "internal.crash_loop")


async def test_what_kills_workers_while_it_is_sent_is_read_back_before_it_is_buried(hand):
    """TEMIS may have had it: what stands there is delivered; only what does not is set aside."""
    ids = await hand.send(completion(1)) + await hand.send(completion(2))
    await hand.verify()
    assert await hand.deliver() == 2
    suspect = "state = 'verified', due_at_ms = 0, claims = 6, lane = 1, unknown_since_ms = 1"
    await hand.db.write(lambda tx: tx.run(f"UPDATE deliveries SET {suspect}"))
    [lost] = [record for record in await hand.shown() if record["sector_id"] == ROSTER[2].sector_id]
    key = "/".join(lost[name] for name in ("sector_id", "module_code", "school_year"))
    (await hand.http.delete(f"/_control/temis/records/{key}")).raise_for_status()
    for _ in ids:  # the suspect lane gives one at a time
        await hand.deliver()
    rows = [await hand.row(id_) for id_ in ids]
    assert [(row.state, row.reason) for row in rows] == [("delivered", None), ("dead", "internal.crash_loop")]


async def test_a_withdrawal_that_temis_refuses_curably_is_sent_again(hand):
    """Taking a record back needs no judgement: when the account is there again, it goes."""
    await hand.send(completion(1))
    await hand.verify(hand_over=True)
    await withdraw(hand.db, hand.clock, 1, "evt-1")
    await hand.account(1, "stopped")
    await hand.deliver()
    [taken_back] = await hand.rows("SELECT * FROM deliveries WHERE kind = 'withdrawal'")
    assert (taken_back.state, taken_back.reason) == ("held", "temis.account_stopped")
    await hand.account(1, "active")
    hand.clock.advance(ms=2 * DAY_MS)
    await hand.verify(hand_over=True)
    await hand.deliver()
    [record] = await hand.shown()
    assert record["withdrawn"] is True


async def test_a_probe_that_called_nobody_is_open_again(hand):
    """While the registry is taken for down, people who are known go on at once; their probe costs no wait."""
    await hand.send(completion(1))
    await hand.verify()
    gate = hand.pipeline.authority.gate
    gate.breaker._limits = type(gate.breaker._limits)(probe_s=HOUR_MS, in_a_row=1)
    gate.failed(Failing("POST /staff:lookup", status=500))
    gate.breaker._probe_at = 0.0
    await hand.send(completion(1, event="again", code="GVPT 04"))
    assert await hand.verify() == 1
    assert gate.wait_s() == 0


SILENT = {"target": "temis", "mode": "silent"}
REFUSED = {"target": "temis", "mode": "status", "status": 400}


async def sent_without_an_answer(hand, item) -> None:
    """TEMIS stores the record and the connection drops."""
    await hand.send(item)
    await hand.verify()
    await hand.faults(SILENT)
    await hand.deliver()
    await hand.faults()
    assert len(await hand.shown()) == 1
    assert await hand.rows("SELECT 1 FROM deliveries WHERE unknown_since_ms IS NOT NULL")
    hand.clock.advance(ms=HOUR_MS)


async def test_a_correction_to_another_module_takes_back_what_was_sent_without_an_answer(hand):
    """The first revision may stand in TEMIS: it is read back, not forgotten, so its record can be withdrawn."""
    await sent_without_an_answer(hand, completion(1, code="GVPT 03"))
    await hand.send(completion(1, code="GVPT 04", revision=2))
    await hand.deliver()
    await hand.verify()
    await hand.deliver()
    shown = {record["module_code"]: record["withdrawn"] for record in await hand.shown()}
    assert shown == {"GVPT03": True, "GVPT04": False}


async def test_what_was_sent_without_an_answer_and_then_outdone_is_taken_back_too(hand):
    """A better result came and went unsent: the one before it may stand in TEMIS, so TEMIS is told."""
    await sent_without_an_answer(hand, completion(1, event="a", score=6.0))
    await hand.send(completion(1, event="b", score=9.0))
    await hand.verify()
    await hand.faults(REFUSED)
    await hand.deliver()
    await hand.faults()
    assert sorted((await hand.states()).values()) == ["verified", "voided"]
    for event in ("a", "b"):
        await withdraw(hand.db, hand.clock, 1, event)
    hand.clock.advance(ms=HOUR_MS)
    await hand.deliver()
    [record] = await hand.shown()
    assert record["withdrawn"] is True
    assert not await hand.rows("SELECT 1 FROM deliveries WHERE unknown_since_ms IS NOT NULL")


async def test_a_new_months_key_made_by_another_process_opens_at_once(hand):
    """`serve` seals under a key that it made a moment ago; `work` learns of it when it meets the first row."""
    other = Vault(hand.gateway.keyring)
    hand.clock.advance(ms=40 * DAY_MS)
    await ensure_data_keys(hand.db, other, hand.clock)
    assert not hand.gateway.vault.has(other.key_of(day_number(hand.clock.now_ms()) // 100))
    hand.gateway.receive._vault = other
    [id_] = await hand.send(completion(1))
    await hand.verify()
    assert (await hand.row(id_)).state == "verified"


async def test_an_unanswered_send_is_read_back_no_sooner_than_one_call_timeout_later(hand):
    """TEMIS may still be storing it; jitter only makes the wait longer."""
    await hand.send(*(completion(n) for n in range(20)))
    await hand.verify()
    await hand.faults(SILENT)
    await hand.deliver()
    soonest = min(row.due_at_ms for row in await hand.rows("SELECT due_at_ms FROM deliveries"))
    assert soonest - hand.clock.now_ms() >= hand.gateway.settings.temis.timeout_s * 1000


RENEWED = "SELECT 1 FROM deliveries WHERE event_id = 'evt-3' AND due_at_ms = :due"


async def test_what_was_taken_away_while_the_first_part_was_sent_is_not_sent(database_url, tmp_path, clock):
    """A verified batch is delivered in parts; before each, what others have changed meanwhile is left out."""
    async with by_hand(database_url, tmp_path, clock, GATEWAY_TEMIS_BATCH_ITEMS="1") as hand:
        deliver = hand.pipeline.deliver
        deliver._lease_ms = 60
        push = deliver._client.push
        calls = 0

        async def slow_push(items):
            nonlocal calls
            calls += 1
            if calls == 1:
                await withdraw(hand.db, hand.clock, 1, "evt-2")
                hand.clock.advance(ms=1)
                async with asyncio.timeout(10):  # until the leases were renewed after that
                    while not await hand.rows(RENEWED, due=hand.clock.now_ms() + 60):
                        await asyncio.sleep(0.005)
            return await push(items)

        deliver._client.push = slow_push
        await hand.send(completion(1), completion(2), completion(3))
        await hand.verify(hand_over=True)
        assert sorted(r["sector_id"] for r in await hand.shown()) == [ROSTER[1].sector_id, ROSTER[3].sector_id]


async def test_a_409_is_not_repeated_for_ever_nor_by_those_beside_it(hand):
    """One record makes TEMIS answer 409 to its whole batch: the others go, it is read back and then buried."""
    await hand.send(*(completion(n) for n in range(5)))
    poison = {"target": "temis", "mode": "poison", "status": 409, "sector_id": ROSTER[3].sector_id}
    await hand.faults(poison)
    await hand.verify()
    for _ in range(2):  # the read-back shows that TEMIS is there, so the second time the batch is divided
        await hand.deliver()
        hand.clock.advance(ms=HOUR_MS)
    assert sorted((await hand.states()).values()) == [*["delivered"] * 4, "verified"]
    for n in range(5, 16):  # while others are delivered beside it, it is at fault itself
        await hand.send(completion(n))
        await hand.verify()
        await hand.deliver()
        hand.clock.advance(ms=2 * DAY_MS)
    assert sorted((await hand.states()).values()) == ["dead", *["delivered"] * 15]
    [dead] = await hand.rows("SELECT * FROM deliveries WHERE state = 'dead'")
    assert (dead.event_id, dead.tries >= 9) == ("evt-3", True)


async def test_a_paused_destination_swallows_nothing(hand):
    """While TEMIS is paused by a person rows are verified and wait; afterwards each is delivered."""
    await hand.send(*(completion(n) for n in range(5)))
    await hand.verify()
    gate = hand.pipeline.temis_gate
    gate.paused = True
    assert await hand.deliver() == 0
    assert set((await hand.states()).values()) == {"verified"}
    assert not await hand.rows("SELECT 1 FROM deliveries WHERE tries > 0 OR claims > 0")
    gate.paused = False
    assert await hand.deliver() == 5
    assert set((await hand.states()).values()) == {"delivered"}


async def test_a_replay_keeps_the_first_error(hand):
    """What TEMIS said the first time is still told after the replay, before what it says then."""
    [id_] = await hand.send(completion(1))
    await hand.verify()
    await hand.db.write(lambda tx: tx.run("UPDATE deliveries SET tries = 9"))
    await hand.send(completion(2))
    await hand.verify()
    await hand.faults({"target": "temis", "mode": "poison", "status": 400, "sector_id": ROSTER[1].sector_id})
    await hand.deliver()
    assert (await hand.row(id_)).state == "dead"
    await hand.faults()
    assert await replay(hand.db, hand.clock, [id_]) == [id_]
    await hand.deliver()
    told = await hand.rows("SELECT outcome FROM attempts WHERE delivery_id = :i ORDER BY id", i=id_)
    assert [row.outcome for row in told] == ["verified", "temis.poison", "replayed", "temis.created"]


async def test_a_replay_has_no_silent_cap(hand):
    """All that were asked for go again, however many."""
    ids = []
    for start in range(0, 1_500, 500):
        items = [completion(n % 40, event=f"r{n}") for n in range(start, start + 500)]
        ids += await hand.send(*items)
    await hand.db.write(lambda tx: tx.run("UPDATE deliveries SET state = 'held', due_at_ms = NULL"))
    assert await replay(hand.db, hand.clock, ids) == sorted(ids)
