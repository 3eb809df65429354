"""Jobs: each step is done once and stands, whoever is killed when, on both engines."""

import asyncio

import pytest

from gateway.model.errors import LeaseLost, NotFound, Unanswered
from gateway.queue.job import JobState
from gateway.queue.job_worker import JobWorker
from gateway.queue.jobs import _PICK, OLD, PIECE_BYTES, Jobs
from gateway.security.keys import KeyRing
from gateway.security.vault import Vault
from gateway.storage.data_keys import ensure_data_keys

LEASE = 60_000


@pytest.fixture
async def jobs(db, clock, tmp_path) -> Jobs:
    vault = Vault(KeyRing.generate(tmp_path / "keys.json"))
    await ensure_data_keys(db, vault, clock)
    return Jobs(db, clock, vault)


async def test_one_job_is_claimed_by_one_of_many(jobs):
    """Ten workers look at once: one gets it, and it carries what it was given."""
    made = await jobs.add("check", "ha", unit_code="31", params={"lang": "vi"}, blobs={"file": b"rows"})
    got = [job for job in await asyncio.gather(*(jobs.claim("check", LEASE) for _ in range(10))) if job]
    assert [(job.id, job.state, job.unit_code, job.params) for job in got] == [
        (made.id, JobState.RUNNING, "31", {"lang": "vi"})
    ]
    assert await jobs.parts(made.id, "file") == [b"rows"]
    assert await jobs.claim("replay", LEASE) is None


async def test_after_a_kill_it_goes_on_where_it_was(jobs, clock):
    """The lease of a process that died runs out, and the next one sees the steps that stand."""
    await jobs.add("check", "ha", total=3)
    first = await jobs.claim("check", LEASE)
    await jobs.step(first, 1, summary={"ok": 1}, parts=[("rows", 0, b"one")])
    assert await jobs.claim("check", LEASE) is None
    clock.advance(ms=LEASE)
    second = await jobs.claim("check", LEASE)
    assert (second.done, second.total, second.summary) == (1, 3, {"ok": 1})
    assert second.started_at_ms == first.started_at_ms
    assert await jobs.parts(second.id, "rows") == [b"one"]


async def test_one_that_lost_its_lease_writes_nothing(jobs, db, clock):
    """A slow worker comes back after another took over: neither its step nor what went with it stands."""
    await jobs.add("check", "ha")
    slow = await jobs.claim("check", LEASE)
    clock.advance(ms=LEASE)
    fast = await jobs.claim("check", LEASE)

    async def also(tx):
        await tx.run("INSERT INTO cursors (name, value, at_ms) VALUES ('slow', '', 0)")

    with pytest.raises(LeaseLost):
        await jobs.step(slow, 1, parts=[("rows", 0, b"slow")], also=also)
    with pytest.raises(LeaseLost):
        await jobs.finish(slow)
    await jobs.step(fast, 1, parts=[("rows", 0, b"fast")])
    await jobs.finish(fast)
    assert await jobs.parts(fast.id, "rows") == [b"fast"]
    assert (await jobs.find(fast.id)).state is JobState.DONE
    async with db.read() as tx:
        assert await tx.rows("SELECT name FROM cursors") == []


async def test_a_cancelled_job_stops_at_its_next_step(jobs):
    """What was done stays; the worker's next step is refused; a job that is over cannot be cancelled."""
    made = await jobs.add("check", "ha")
    job = await jobs.claim("check", LEASE)
    await jobs.step(job, 1)
    assert await jobs.cancel(made.id)
    assert not await jobs.renew(job, LEASE)
    with pytest.raises(LeaseLost):
        await jobs.step(job, 2)
    assert not await jobs.cancel(made.id)
    found = await jobs.find(made.id)
    assert (found.state, found.done, found.is_over) == (JobState.CANCELLED, 1, True)


async def test_a_job_that_kills_its_worker_ends_as_a_crash_loop(jobs, clock):
    """Five claims without a step: the sixth fails the job instead of killing one more process."""
    made = await jobs.add("check", "ha")
    for _ in range(5):
        assert await jobs.claim("check", LEASE)
        clock.advance(ms=LEASE)
    assert await jobs.claim("check", LEASE) is None
    found = await jobs.find(made.id)
    assert (found.state, found.note) == (JobState.FAILED, "internal.crash_loop")


async def test_an_outage_never_fails_a_job(jobs, clock):
    """Put back for something outside any number of times, it is claimed again; its own faults count."""
    await jobs.add("check", "ha")
    for _ in range(10):
        await jobs.put_back(await jobs.claim("check", LEASE), "upstream.unanswered", delay_ms=30_000)
        assert await jobs.claim("check", LEASE) is None
        clock.advance(ms=30_000)
    for _ in range(5):
        await jobs.put_back(await jobs.claim("check", LEASE), "internal.error", own_fault=True)
    assert await jobs.claim("check", LEASE) is None


async def test_large_files_are_kept_in_pieces(jobs):
    """Neither an upload nor a result makes one large transaction, and both come back as they were."""
    upload = bytes(range(256)) * 10_000
    made = await jobs.add("check", "ha", blobs={"file": upload})
    job = await jobs.claim("check", LEASE)
    await jobs.keep(job, "result", upload[::-1])
    pieces = await jobs.parts(made.id, "file")
    assert len(pieces) == 3
    assert max(map(len, pieces)) == PIECE_BYTES
    assert b"".join(pieces) == upload
    assert b"".join(await jobs.parts(made.id, "result")) == upload[::-1]


async def test_a_result_half_kept_by_a_killed_process_is_written_over(jobs, clock):
    """The next process writes the same result again: no piece is there twice."""
    made = await jobs.add("check", "ha")
    await jobs.keep(await jobs.claim("check", LEASE), "result", bytes(PIECE_BYTES + 1))
    clock.advance(ms=LEASE)
    await jobs.keep(await jobs.claim("check", LEASE), "result", b"whole")
    assert await jobs.parts(made.id, "result") == [b"whole"]


async def test_files_are_deleted_and_the_row_stays(jobs, clock):
    """Old finished jobs lose their files; one at work and a young one keep them."""
    old, at_work = [await jobs.add("check", "ha", blobs={"file": b"x"}) for _ in range(2)]
    await jobs.finish(await jobs.claim("check", LEASE))
    await jobs.claim("check", LEASE)
    clock.advance(s=86_400)
    young = await jobs.add("check", "ha", blobs={"file": b"x"})
    assert await jobs.clear(clock.now_ms()) == 1
    assert await jobs.clear(clock.now_ms()) == 0
    assert [await jobs.parts(job.id, "file") for job in (old, at_work, young)] == [[], [b"x"], [b"x"]]
    assert (await jobs.find(old.id)).cleared_at_ms == clock.now_ms()


async def test_a_list_shows_ones_own_newest_first(jobs):
    """Pages by id; nobody's jobs but the owner's."""
    mine = [(await jobs.add("check", "ha")).id for _ in range(3)]
    await jobs.add("check", "minh")
    assert [job.id for job in await jobs.of("ha", "check", limit=2)] == mine[:0:-1]
    assert [job.id for job in await jobs.of("ha", "check", before=mine[1])] == mine[:1]
    assert await jobs.open_of("ha", "check") == 3
    named = await jobs.add("check", "ha", blobs={"name": b"Danh s\xc3\xa1ch"})
    assert await jobs.labels([*mine, named.id], "name") == {named.id: "Danh sách".encode()}
    with pytest.raises(NotFound):
        await jobs.find(99)


async def test_the_worker_runs_puts_back_and_forgets(jobs, clock):
    """One work ends its job, one meets an outage, one breaks, one is cancelled under its hands."""
    outcomes = {}

    class Work:
        kind = "check"

        async def run(self, job):
            outcomes[job.owner] = job.id
            match job.owner:
                case "outage":
                    raise Unanswered("no answer")
                case "broken":
                    raise ValueError("a bug")
                case "cancelled":
                    await jobs.cancel(job.id)
            await jobs.step(job, 1)
            await jobs.finish(job)

    work, worker = Work(), JobWorker(jobs, ())
    for owner in ("good", "outage", "broken", "cancelled"):
        await jobs.add("check", owner)
    assert [await worker.once(work) for _ in range(5)] == [True, True, True, True, False]
    found = {owner: await jobs.find(id_) for owner, id_ in outcomes.items()}
    assert {owner: (job.state.value, job.note, job.claims) for owner, job in found.items()} == {
        "good": ("done", None, 0),
        "outage": ("waiting", "upstream.unanswered", 0),
        "broken": ("waiting", "internal.error", 1),
        "cancelled": ("cancelled", None, 1),
    }
    assert found["outage"].due_at_ms > clock.now_ms()


async def test_at_the_end_of_a_process_its_job_goes_on_elsewhere(jobs):
    """A worker that is told to stop puts its job back at once, due, without a fault."""
    begun = asyncio.Event()

    class Work:
        kind = "check"

        async def run(self, job):
            await jobs.step(job, 7)
            begun.set()
            await asyncio.Event().wait()

    made = await jobs.add("check", "ha")
    worker = JobWorker(jobs, [Work()])
    running = asyncio.create_task(worker.run())
    await begun.wait()
    worker.stop()
    await running
    found = await jobs.find(made.id)
    assert (found.state, found.done, found.claims) == (JobState.WAITING, 7, 0)
    assert (await jobs.claim("check", LEASE)).id == made.id


async def test_a_job_whose_lease_is_lost_is_stopped(jobs):
    """Cancelled while a step takes long: the renewal notices, and the work ends before its next step."""
    begun = asyncio.Event()

    class Work:
        kind = "check"

        async def run(self, job):
            begun.set()
            await asyncio.Event().wait()

    made = await jobs.add("check", "ha")
    running = asyncio.create_task(JobWorker(jobs, (), lease_ms=30).once(Work()))
    await begun.wait()
    await jobs.cancel(made.id)
    async with asyncio.timeout(10):
        assert await running
    assert (await jobs.find(made.id)).state is JobState.CANCELLED


@pytest.mark.parametrize(
    ("sql", "index", "fill"),
    [
        (_PICK, "ix_jobs_due", {"kind": "check", "now": 1}),
        (OLD, "ix_jobs_to_clear", {"before": 1, "limit": 5}),
    ],
)
async def test_looking_for_work_walks_an_index(jobs, db, sql, index, fill):
    """Years of finished jobs cost an idle worker nothing."""

    async def many(tx):
        await tx.run(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) "
            "INSERT INTO jobs (kind, state, owner, params, summary, created_at_ms, finished_at_ms, "
            "cleared_at_ms) SELECT 'check', 'done', 'ha', '{}', '{}', i, i, i FROM n"
        )

    await db.write(many)
    async with db.engine.connect() as connection:
        await connection.exec_driver_sql("ANALYZE")
        await connection.commit()
    word = "EXPLAIN QUERY PLAN " if db.dialect == "sqlite" else "EXPLAIN "
    async with db.read() as tx:
        told = "\n".join(str(row[-1]) for row in await tx.rows(word + sql, **fill))
    assert index in told
