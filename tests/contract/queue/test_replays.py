"""Replays as jobs: once each, whoever is killed when; paused, cancelled, stopped; counted along an index."""

import asyncio
from contextlib import suppress

import pytest

from gateway.model.errors import LeaseLost
from gateway.queue import accept, replays
from gateway.queue.job import JobState
from gateway.queue.job_worker import JobWorker
from gateway.queue.jobs import Jobs
from gateway.queue.lanes import REPLAY, Rota
from gateway.queue.selection import MOST_IDS, Part, Selection, count_of, page, page_of, parts, sample
from gateway.security.keys import KeyRing
from gateway.security.vault import Vault
from gateway.stages import replay as replay_stage
from gateway.stages.replay import Options, Replaying
from gateway.storage.data_keys import ensure_data_keys
from gateway.storage.engine import Database
from tests.builders import NOON, an_arrival

FAST = Options(canary=0, rate_per_s=1_000_000)


@pytest.fixture
async def jobs(db, clock, tmp_path) -> Jobs:
    KeyRing.generate(tmp_path / "keys.json")
    vault = Vault(KeyRing.load(tmp_path / "keys.json"))
    await ensure_data_keys(db, vault, clock)
    return Jobs(db, clock, vault)


async def fail(db: Database, n: int, *, reasons: tuple[str, ...] = ("temis.malformed", "temis.module_unknown")):
    """`n` dead deliveries, the reasons in turn, of both vendors."""
    for start in range(0, n, 1_000):
        numbers = range(start, min(n, start + 1_000))
        part = [an_arrival(f"e{i:06}", vendor_id=1 + i % 2, course=7 + i % 3) for i in numbers]
        await db.write(lambda tx, part=part: accept.store(tx, part, [], NOON))

    async def die(tx):
        for i, reason in enumerate(reasons):
            await tx.run(
                f"UPDATE deliveries SET state = 'dead', due_at_ms = NULL, owner = 'gateway', "
                f"reason = '{reason}', changed_at_ms = {NOON + 1} WHERE id % {len(reasons)} = {i}"
            )

    await db.write(die)


async def count(db: Database, sql: str) -> int:
    async with db.read() as tx:
        [row] = await tx.rows(f"SELECT COUNT(*) AS n FROM {sql}")
    return row.n


def replaying(db, clock, jobs, rest=None) -> Replaying:
    async def go_on(seconds: float) -> None:
        await asyncio.sleep(0)

    return Replaying(db, clock, jobs, rest=rest or go_on)


async def settle(db: Database, state: str, where: str = "1 = 1") -> None:
    """What is in the replay lane ends in `state`, as a worker would have it."""
    due = "NULL" if state != "verified" else "due_at_ms"
    await db.write(
        lambda tx: tx.run(
            f"UPDATE deliveries SET state = 'verified' WHERE state = 'accepted' AND lane = {REPLAY} AND {where}"
        )
    )
    reason = "'temis.malformed'" if state == "dead" else "NULL"
    await db.write(
        lambda tx: tx.run(
            f"UPDATE deliveries SET state = '{state}', due_at_ms = {due}, reason = {reason} "
            f"WHERE state = 'verified' AND lane = {REPLAY} AND {where}"
        )
    )


async def test_a_replay_sets_each_delivery_going_once(db, clock, jobs):
    """All that was dead when it was begun, page by page; what each had failed with is kept."""
    await fail(db, 1_200)
    work = replaying(db, clock, jobs)
    job = await work.begin(Selection(state="dead"), FAST, "an.operator")
    assert job.total == 1_200
    assert await JobWorker(jobs, [work]).once(work)
    done = await jobs.find(job.id)
    assert (done.state, done.done, done.summary["set_going"]) == (JobState.DONE, 1_200, 1_200)
    assert await count(db, "deliveries WHERE state = 'accepted' AND lane = 3") == 1_200
    assert await count(db, "replayed WHERE was_reason = 'temis.malformed' AND was_state = 'dead'") == 600
    assert await count(db, "attempts WHERE stage = 'replay' AND trigger = 'bulk'") == 1_200
    [ancestor] = await replays.lineage(db, 1)
    assert (ancestor.job_id, ancestor.was_reason, ancestor.by) == (
        job.id,
        "temis.module_unknown",
        "an.operator",
    )


@pytest.mark.parametrize("at_rest", [1, 2, 3])
async def test_a_worker_killed_between_pages_is_carried_on_exactly_once(db, clock, jobs, at_rest):
    """Another one goes on at the next page after the lease; no delivery is left out, none set going twice."""
    await fail(db, 1_500)
    rests = 0

    async def die(seconds: float) -> None:
        nonlocal rests
        rests += 1
        await settle(db, "delivered")
        if rests == at_rest:
            raise MemoryError("killed")

    job = await replaying(db, clock, jobs).begin(Selection(state="dead"), FAST, "an.operator")
    claimed = await jobs.claim("replay", 60_000)
    with pytest.raises(MemoryError):
        await replaying(db, clock, jobs, die).run(claimed)
    assert 0 < await count(db, "replayed") < 1_500
    assert await jobs.claim("replay", 60_000) is None, "the lease of the dead one"
    clock.advance(s=61)
    work = replaying(db, clock, jobs)
    assert await JobWorker(jobs, [work]).once(work)
    with suppress(LeaseLost):  # the dead one comes back, and changes nothing
        await replaying(db, clock, jobs).run(claimed)
    assert (await jobs.find(job.id)).state is JobState.DONE
    assert await count(db, "replayed") == 1_500
    assert await count(db, "(SELECT DISTINCT delivery_id FROM replayed) q") == 1_500
    assert await count(db, "attempts WHERE stage = 'replay'") == 1_500


async def test_a_cancelled_replay_stops_at_once_and_what_is_done_stays(db, clock, jobs):
    """Between any two pages; nothing further is set going by anybody."""
    await fail(db, 1_500)
    job = await replaying(db, clock, jobs).begin(Selection(state="dead"), FAST, "an.operator")

    async def cancel(seconds: float) -> None:
        await jobs.cancel(job.id)

    work = replaying(db, clock, jobs, cancel)
    assert await JobWorker(jobs, [work]).once(work)
    assert (await jobs.find(job.id)).state is JobState.CANCELLED
    assert await count(db, "deliveries WHERE state = 'dead'") == 1_500 - replay_stage.PAGE
    clock.advance(s=3_600)
    assert not await JobWorker(jobs, [work]).once(work)


async def test_a_paused_replay_waits_and_goes_on_where_it_was(db, clock, jobs):
    """Pause and resume are audited, each once; paused it gives its place back."""
    await fail(db, 1_500)
    job = await replaying(db, clock, jobs).begin(Selection(state="dead"), FAST, "an.operator")

    async def pause(seconds: float) -> None:
        await replays.pause(db, clock, job.id, "an.operator")

    work = replaying(db, clock, jobs, pause)
    await JobWorker(jobs, [work]).once(work)
    waiting = await jobs.find(job.id)
    assert (waiting.state, waiting.note) == (JobState.WAITING, "paused")
    assert await count(db, "replayed") == replay_stage.PAGE
    assert not await replays.pause(db, clock, job.id, "an.other")
    assert await replays.resume(db, clock, job.id, "an.other")
    assert not await replays.resume(db, clock, job.id, "an.other")
    work = replaying(db, clock, jobs)
    await JobWorker(jobs, [work]).once(work)
    assert await count(db, "replayed") == 1_500
    assert await count(db, "audit WHERE act IN ('replay.begin', 'replay.pause', 'replay.resume')") == 3


async def test_the_canary_stops_the_rest_when_too_many_fail_again(db, clock, jobs):
    """Twenty are tried; with more than a fifth of them dead again nothing else is touched."""
    await fail(db, 500)

    async def judge(seconds: float) -> None:
        await settle(db, "dead", "id % 3 = 0")
        await settle(db, "delivered")

    work = replaying(db, clock, jobs, judge)
    job = await work.begin(Selection(state="dead"), Options(canary=20, stop_percent=20), "an.operator")
    await JobWorker(jobs, [work]).once(work)
    stopped = await jobs.find(job.id)
    assert (stopped.state, stopped.note) == (JobState.FAILED, "replay.too_many_failed")
    assert stopped.summary["phase"] == "stopped"
    assert await count(db, "replayed") == 20
    assert await count(db, "deliveries WHERE state = 'dead'") > 480


async def test_after_a_good_canary_the_rest_follows(db, clock, jobs):
    """And a run that turns bad later is stopped too."""
    await fail(db, 5_000)
    seen = []

    async def judge(seconds: float) -> None:
        seen.append(await count(db, "replayed"))
        await settle(db, "delivered" if seen[-1] <= 2_000 else "dead")

    work = replaying(db, clock, jobs, judge)
    options = Options(canary=20, stop_percent=20, rate_per_s=1_000_000)
    job = await work.begin(Selection(state="dead"), options, "an.operator")
    await JobWorker(jobs, [work]).once(work)
    assert seen[0] == 20
    stopped = await jobs.find(job.id)
    assert stopped.note == "replay.too_many_failed"
    assert 2_000 < await count(db, "replayed") < 4_000


async def test_no_more_waits_in_the_replay_lane_than_a_worker_takes(db, clock, jobs, monkeypatch):
    """While TEMIS is away a replay waits, and live traffic's rows are never behind all of it."""
    monkeypatch.setattr(replay_stage, "IN_FLIGHT", 600)
    await fail(db, 2_000)
    most = 0

    async def look(seconds: float) -> None:
        nonlocal most
        waiting = await count(db, "deliveries WHERE state = 'accepted' AND lane = 3")
        most = max(most, waiting)
        if waiting >= 600:
            await settle(db, "delivered")

    work = replaying(db, clock, jobs, look)
    await work.begin(Selection(state="dead"), FAST, "an.operator")
    await JobWorker(jobs, [work]).once(work)
    assert most == 600
    assert await count(db, "replayed") == 2_000


def test_live_lanes_come_first_as_often_as_the_replay_lane_at_least():
    """However long a replay's backlog is: in any round each vendor's lane is asked first as often."""
    rota, lanes = Rota(), [2, 4, 1, REPLAY, 101, 102]
    first = [next(rota.order(lanes)) for _ in range(1_200)]
    assert first.count(101) >= first.count(REPLAY)
    assert first.count(102) >= first.count(REPLAY)
    assert first.count(2) > first.count(REPLAY)


async def test_selections_hold_together(db):
    """Reason, vendor, course, time, ids, and nothing that arrived after the plan."""
    await fail(db, 600)
    whole = await parts(db, Selection(state="dead"))
    assert [(part.reason, part.n) for part in whole] == [
        ("temis.malformed", 300),
        ("temis.module_unknown", 300),
    ]

    async def total(**given) -> int:
        return sum(part.n for part in await parts(db, Selection(**given)))

    assert await total(reason="temis.malformed", vendor_id=2) == 150
    assert await total(vendor_id=1) == 300
    assert await total(course=8) == 200
    assert await total(since_ms=NOON + 2) == 0
    assert await total(until_ms=NOON + 2, since_ms=NOON) == 600
    assert await total(until_id=10) == 10
    assert await total(ids=(1, 2, 599, 10_000)) == 3
    assert await total(unit_code="31000717") == 0
    assert MOST_IDS >= 1_000


async def test_a_cause_and_a_text_in_the_error_lead_to_their_deliveries(db):
    """Text is looked for in the few causes, never in millions of rows; % and _ mean themselves."""
    await fail(db, 100)

    async def add(tx):
        for id_, answer in ((1, "trường score_100% không hợp lệ"), (2, "module unknown")):
            await tx.run(
                "INSERT INTO causes (id, fingerprint, stage, code, subject, answer, state, opened_at_ms, "
                "first_seen_ms, last_seen_ms, seen, waiting, sample_id) VALUES (:id, :print, 'deliver', "
                "'temis.malformed', '', :answer, 'open', 0, 0, 0, 1, 1, 1)",
                id=id_,
                print=bytes([id_]) * 16,
                answer=answer,
            )
        await tx.run(
            "INSERT INTO delivery_causes (delivery_id, cause_id, since_ms) "
            "SELECT id, 1 + id % 2, 0 FROM deliveries WHERE id <= 50"
        )

    await db.write(add)
    assert [(part.cause_id, part.n) for part in await parts(db, Selection(cause_id=2))] == [(2, 25)]
    assert [part.cause_id for part in await parts(db, Selection(text="SCORE_100%"))] == [1]
    assert await parts(db, Selection(text="score%100")) == []
    [part] = await parts(db, Selection(text="module unknown"))
    ids = await page(db, Selection(text="module unknown"), part, after=0, limit=10)
    assert ids == sorted(ids)
    assert len(ids) == 10


async def test_a_sample_is_of_both_ends(db):
    """The oldest and the newest: neither alone speaks for a cause."""
    await fail(db, 1_000)
    [part] = await parts(db, Selection(state="dead", reason="temis.malformed"))
    ids = await sample(db, Selection(state="dead", reason="temis.malformed"), part, 20)
    assert len(set(ids)) == 20
    assert ids == sorted(ids)
    assert ids[9] < 100
    assert ids[10] > 900


async def explained(db: Database, sql: str, **fill) -> str:
    word = "EXPLAIN QUERY PLAN " if db.dialect == "sqlite" else "EXPLAIN "
    async with db.read() as tx:
        return "\n".join(str(row[-1]) for row in await tx.rows(word + sql, **fill))


async def test_counting_and_paging_walk_the_index_of_the_state(db):
    """With 20 000 delivered beside 200 dead, no statement reads the delivered ones."""
    await fail(db, 20_000)
    # Through the moves that are allowed: dead, verified, delivered.
    for state in ("verified", "delivered"):
        sql = f"UPDATE deliveries SET state = '{state}', reason = NULL WHERE id > 200"
        await db.write(lambda tx, sql=sql: tx.run(sql))
    await db.write(
        lambda tx: tx.run(
            "INSERT INTO delivery_causes (delivery_id, cause_id, since_ms) "
            "SELECT id, id % 50, 0 FROM deliveries"
        )
    )
    async with db.engine.connect() as connection:
        await connection.exec_driver_sql("ANALYZE")
        await connection.commit()
    sql, fill = count_of(Selection(), "dead")
    found = await explained(db, sql, **fill)
    assert "ix_deliveries_dead" in found
    assert "Seq Scan" not in found
    sql, fill = page_of(Selection(), Part("dead", "temis.malformed", None, 0))
    found = await explained(db, sql, **fill, after=100, limit=50)
    assert "ix_deliveries_dead" in found
    assert "TEMP B-TREE" not in found
    assert "Sort" not in found
    sql, fill = page_of(Selection(cause_id=1), Part(None, None, 1, 0))
    assert "ix_delivery_causes_cause" in await explained(db, sql, **fill, after=100, limit=50)


@pytest.mark.large
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_hundred_thousand_dead_are_counted_in_under_two_seconds(db, clock):
    """What an operator waits for; and a page of them is found at once."""
    await fail(db, 100_000)
    loop = asyncio.get_running_loop()
    started = loop.time()
    assert sum(part.n for part in await parts(db, Selection(state="dead"))) == 100_000
    assert loop.time() - started < 2
