"""A process that works on a job is killed by SIGKILL: what was committed stands, the step in hand does not."""

import asyncio
import signal
import sys
import textwrap

import pytest

from gateway.queue.job import JobState
from gateway.queue.jobs import Jobs
from gateway.security.keys import KeyRing
from gateway.security.vault import Vault
from gateway.storage.data_keys import ensure_data_keys
from gateway.storage.engine import open_database
from gateway.storage.tables import metadata

LEASE = 60_000
# Does two steps, and dies inside the transaction of the third.
VICTIM = textwrap.dedent(
    """
    import asyncio, os, signal, sys
    from pathlib import Path
    import gateway
    from gateway.queue.jobs import Jobs
    from gateway.security.keys import KeyRing
    from gateway.security.vault import Vault
    from gateway.storage.data_keys import load_data_keys
    from gateway.storage.engine import open_database

    class At:
        def now_ms(self):
            return int(sys.argv[3])

    async def die(tx):
        await tx.run("INSERT INTO cursors (name, value, at_ms) VALUES ('third step', '', 0)")
        os.kill(os.getpid(), signal.SIGKILL)

    async def main():
        db = open_database(sys.argv[1])
        vault = Vault(KeyRing.load(Path(sys.argv[2])))
        await load_data_keys(db, vault)
        jobs = Jobs(db, At(), vault)
        job = await jobs.claim("check", 60_000)
        for n in (1, 2):
            job = await jobs.step(job, n, total=3, parts=[("rows", n, b"part %d" % n)])
        await jobs.step(job, 3, parts=[("rows", 3, b"part 3")], also=die)

    asyncio.run(main())
    """
)


@pytest.fixture
async def jobs(database_url, clock, tmp_path):
    db = open_database(database_url)
    async with db.engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    vault = Vault(KeyRing.generate(tmp_path / "keys.json"))
    await ensure_data_keys(db, vault, clock)
    yield Jobs(db, clock, vault)
    await db.close()


async def test_after_kill_9_the_next_process_goes_on_with_the_third_step(jobs, database_url, clock, tmp_path):
    """Two steps stand with their parts; the third left nothing, is done once, and the job ends."""
    made = await jobs.add("check", "ha", blobs={"file": b"rows"})
    victim = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", VICTIM, database_url, str(tmp_path / "keys.json"), str(clock.now_ms()))
    )
    assert await victim.wait() == -signal.SIGKILL
    assert await jobs.claim("check", LEASE) is None, "its lease has not ended"
    clock.advance(ms=LEASE)
    job = await jobs.claim("check", LEASE)
    assert (job.id, job.done, job.total) == (made.id, 2, 3)
    assert await jobs.parts(job.id, "rows") == [b"part 1", b"part 2"]
    job = await jobs.step(job, 3, parts=[("rows", 3, b"part 3")])
    await jobs.finish(job)
    assert (await jobs.find(made.id)).state is JobState.DONE
    assert await jobs.parts(made.id, "rows") == [b"part 1", b"part 2", b"part 3"]
