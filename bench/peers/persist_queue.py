"""persist-queue on SQLite: the queue with acknowledgement, which commits each step."""

import asyncio
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

from bench.peers.peer import Job, Peer


async def prepare(job: Job) -> Callable[[], Awaitable[bool]]:
    persistqueue: Any = import_module("persistqueue")
    queue = persistqueue.SQLiteAckQueue(str(job.folder))

    async def consume() -> None:
        while True:
            try:
                message = queue.get(block=False, raw=True)
            except persistqueue.Empty:
                return
            await job.send(message["data"])
            queue.ack(id=message["pqid"])

    async def work() -> bool:
        for body in job.bodies:
            queue.put(body)
        await asyncio.gather(*(consume() for _ in range(job.concurrency)))
        return bool(queue._putter.execute("PRAGMA synchronous").fetchone()[0] >= 2)

    return work


PEER = Peer("persist-queue", ("persistqueue",), prepare)
