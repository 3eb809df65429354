"""litequeue on SQLite with synchronous=FULL: each commit waits for the disk, as ours does."""

from collections.abc import Awaitable, Callable

from bench.peers import lite_queue
from bench.peers.peer import Job, Peer


async def prepare(job: Job) -> Callable[[], Awaitable[bool]]:
    return await lite_queue.prepare(job, full=True)


PEER = Peer("litequeue, synchronous=FULL", ("litequeue",), prepare)
