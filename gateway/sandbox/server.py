"""The sandbox on a port of this machine, until it is told to stop."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from gateway.sandbox.app import make_sandbox
from gateway.sandbox.roster import StaffRow, read_roster

HOST = "127.0.0.1"  # never reachable from elsewhere: it has no secrets and obeys anybody
DRAIN_S = 1.0


@asynccontextmanager
async def serving(app: web.Application, port: int = 0) -> AsyncIterator[str]:
    """Serve `app` while the block runs. Port 0 takes a free one. Yields: its base address."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=DRAIN_S, handle_signals=False)
    await runner.setup()
    try:
        site = web.TCPSite(runner, HOST, port)
        await site.start()
        bound = runner.addresses[0][1]
        yield f"http://{HOST}:{bound}"
    finally:
        await runner.cleanup()


async def run(
    port: int = 9200,
    roster_path: Path | None = None,
    *,
    people: Iterable[StaffRow] | None = None,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, or until cancelled. `ready` is told the base address once it is bound.

    The people come from `roster_path`, else from `people`. Raises: ConfigError when the roster cannot be read.
    """
    roster = read_roster(roster_path) if roster_path is not None else people
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    try:
        async with serving(make_sandbox(roster), port) as address:
            if ready is not None:
                ready(address)
            await stopped.wait()
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
