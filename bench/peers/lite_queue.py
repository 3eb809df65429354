"""litequeue on SQLite, as it comes: synchronous=NORMAL, so a commit does not wait for the disk."""

import asyncio
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

from bench.peers.peer import Job, Peer


async def prepare(job: Job, *, full: bool = False) -> Callable[[], Awaitable[bool]]:
    """`full`: as it does not come, but comparable: each commit waits for the disk."""
    queue: Any = import_module("litequeue").LiteQueue(job.folder / "queue.db")
    if full:
        queue.conn.execute("PRAGMA synchronous = FULL")

    async def consume() -> None:
        while (message := queue.pop()) is not None:
            await job.send(message.data.encode())
            queue.done(message.message_id)

    async def work() -> bool:
        for body in job.bodies:
            queue.put(body.decode())
        await asyncio.gather(*(consume() for _ in range(job.concurrency)))
        return bool(queue.conn.execute("PRAGMA synchronous").fetchone()[0] >= 2)

    return work


PEER = Peer("litequeue", ("litequeue",), prepare)
