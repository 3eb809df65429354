"""A replay of very many dead deliveries: counted, set going, cancelled; what live commits notice of it.

The dead are written straight into the table. What the replay sets going is finished by a statement in the
place of a worker, so the figure is the replay's own speed: pages, lineage, attempts. Live traffic is single
arrivals through the acceptor, in the same process.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory

from bench.harness import Bench, Measured, Run, main
from bench.processes import Failed
from gateway.model.clock import Clock, SystemClock
from gateway.observe.logs import configure
from gateway.queue.accept import Acceptor
from gateway.queue.delivery import Arrival
from gateway.queue.job import Job, JobState
from gateway.queue.job_worker import JobWorker
from gateway.queue.jobs import Jobs
from gateway.queue.lanes import REPLAY
from gateway.queue.selection import Selection, parts
from gateway.security.keys import KeyRing
from gateway.security.vault import Vault
from gateway.stages.replay import Options as HowToReplay
from gateway.stages.replay import Replaying
from gateway.storage.data_keys import ensure_data_keys
from gateway.storage.engine import Database, open_database
from gateway.storage.schema import migrate

DEAD = """
WITH RECURSIVE n(i) AS (SELECT :first UNION ALL SELECT i + 1 FROM n WHERE i < :last)
INSERT INTO deliveries (vendor_id, event_id, revision, kind, digest, received_at_ms, day, lane, state, reason,
                        owner, changed_at_ms)
SELECT 1, 'dead-' || i, 1, 'completion', x'00', :now, 20260309, 101, 'dead',
       CASE i % 3 WHEN 0 THEN 'temis.malformed' ELSE 'temis.module_unknown' END, 'gateway', :now FROM n"""
FINISH = f"""
UPDATE deliveries SET state = 'delivered', due_at_ms = NULL
WHERE state = 'accepted' AND lane = {REPLAY} AND due_at_ms IS NOT NULL"""
PART = 100_000
LIVE_EVERY_S = 0.02
_PAGE_BYTES = 4_096


@dataclass(frozen=True, slots=True)
class Options:
    """How many are dead."""

    dead: int = field(default=1_000_000, metadata={"help": "dead deliveries to replay"})
    rate: int = field(default=200, metadata={"help": "set going a second beside live traffic"})
    seconds: int = field(default=20, metadata={"help": "how long live traffic is watched, alone and beside it"})


@dataclass(frozen=True, slots=True)
class Place:
    """A database full of dead deliveries, and what replays them."""

    db: Database
    clock: Clock
    jobs: Jobs

    def replaying(self, after_page: Callable[[float], Awaitable[None]]) -> Replaying:
        return Replaying(self.db, self.clock, self.jobs, rest=after_page)


async def measure(options: Options) -> Measured:
    """Raises: Failed when a delivery was set going twice, or left out."""
    configure("error", json=False)
    measured = Measured()
    async with _full(options.dead) as place:
        await measured.interleave("ms", {"plan": lambda _: _plan(place, options.dead)}, 3)
        live = {
            "live commit alone": lambda _: _live(place, options, beside=False),
            "live commit beside a replay": lambda _: _live(place, options, beside=True),
        }
        await measured.interleave("ms", live, 2)
        measured.compare("live commit beside a replay", "live commit alone")
        await measured.interleave("/s", {"set going": lambda _: _whole(place)}, 1)
    measured.notes.append(
        f"All {options.dead} were set going exactly once, by replays that were cancelled and one that was not."
    )
    return measured


@asynccontextmanager
async def _full(dead: int) -> AsyncIterator[Place]:
    with TemporaryDirectory(prefix="gateway-bench-") as folder:
        keys = Path(folder) / "keys.json"
        KeyRing.generate(keys)
        db, clock, vault = (
            open_database(f"sqlite:///{folder}/gateway.db"),
            SystemClock(),
            Vault(KeyRing.load(keys)),
        )
        await migrate(db)
        await ensure_data_keys(db, vault, clock)
        sql = "INSERT INTO vendors (name, connector, lane, created_at_ms) VALUES ('viettel', 'viettel', 101, 0)"
        await db.write(lambda tx: tx.run(sql))
        for first in range(1, dead + 1, PART):
            fill = {"first": first, "last": min(first + PART - 1, dead), "now": clock.now_ms()}
            await db.write(lambda tx, fill=fill: tx.run(DEAD, **fill))
        yield Place(db, clock, Jobs(db, clock, vault))
        await db.close()


async def _plan(place: Place, dead: int) -> Run:
    started = time.perf_counter()
    total = sum(part.n for part in await parts(place.db, Selection(state="dead")))
    took_ms = (time.perf_counter() - started) * 1000
    if total != dead:
        raise Failed(f"{total} of {dead} were counted")
    return Run(took_ms, {"rows": total})


async def _live(place: Place, options: Options, *, beside: bool) -> Run:
    """p95 of single commits; beside a replay, which is then cancelled in the midst of it."""

    async def go_on(seconds: float) -> None:
        await _finish(place)
        await asyncio.sleep(seconds)

    working, job = None, None
    if beside:
        work = place.replaying(go_on)
        job = await work.begin(Selection(state="dead"), HowToReplay(canary=0, rate_per_s=options.rate), "bench")
        working = asyncio.create_task(JobWorker(place.jobs, [work]).once(work))
    took = await _commits(place, options.seconds)
    cancel_ms = 0.0
    if working is not None and job is not None:
        started = time.perf_counter()
        await place.jobs.cancel(job.id)
        await working
        cancel_ms = (time.perf_counter() - started) * 1000
        await _finish(place)
    return Run(quantiles(took, n=20)[-1], {"commits": len(took), "cancel_ms": cancel_ms})


async def _commits(place: Place, seconds: float) -> list[float]:
    acceptor, took = Acceptor(place.db, place.clock), []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        started = time.perf_counter()
        one = Arrival(1, f"live-{time.time_ns()}", 1, b"0" * 16, 101, b"sealed" * 100)
        await acceptor.accept([one])
        took.append((time.perf_counter() - started) * 1000)
        await asyncio.sleep(LIVE_EVERY_S)
    return took


async def _whole(place: Place) -> Run:
    """Everything that is still dead, as fast as it goes; memory is watched meanwhile."""
    before, most = _rss_mb(), 0.0

    async def go_on(seconds: float) -> None:
        nonlocal most
        most = max(most, _rss_mb())
        await _finish(place)

    work = place.replaying(go_on)
    job = await work.begin(Selection(state="dead"), HowToReplay(canary=0, rate_per_s=1_000_000), "bench")
    started = time.perf_counter()
    await JobWorker(place.jobs, [work]).once(work)
    took_s = time.perf_counter() - started
    done = await place.jobs.find(job.id)
    await _check(place, done)
    return Run(done.done / took_s, {"grown_mb": max(0.0, most - before), "rows": done.done})


async def _check(place: Place, job: Job) -> None:
    async with place.db.read() as tx:
        [dead] = await tx.rows("SELECT COUNT(*) AS n FROM deliveries WHERE state = 'dead'")
        [twice] = await tx.rows("SELECT COUNT(*) - COUNT(DISTINCT delivery_id) AS n FROM replayed")
    if dead.n or twice.n or job.state is not JobState.DONE:
        raise Failed(f"{dead.n} were left out, {twice.n} set going twice, the job is {job.state}")


async def _finish(place: Place) -> None:
    """In the place of a worker."""
    await place.db.write(lambda tx: tx.run(FINISH))


def _rss_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * _PAGE_BYTES / 1e6


BENCH = Bench("replay", Options, measure, {"dead": 3_000, "rate": 1_000, "seconds": 1})

if __name__ == "__main__":
    main(BENCH)
