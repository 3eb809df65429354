"""An application on a port, until the block ends."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

LAST_ANSWERS_S = 1.0  # requests in hand were waited for before (Drain.empty); this is for their last bytes
BACKLOG = 1024


@asynccontextmanager
async def listening(app: web.Application, host: str, port: int) -> AsyncIterator[str]:
    """Port 0 takes a free one. Yields: the base address. Raises: OSError when the port is taken."""
    runner = web.AppRunner(
        app,
        access_log=None,  # the edge writes a line for each request
        handle_signals=False,
        shutdown_timeout=LAST_ANSWERS_S,
        auto_decompress=False,  # what is signed are the bytes that were sent
        keepalive_timeout=75,
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, backlog=BACKLOG)
        await site.start()
        bound_host, bound_port = runner.addresses[0][:2]
        shown = f"[{bound_host}]" if ":" in bound_host else bound_host
        yield f"http://{shown}:{bound_port}"
    finally:
        await runner.cleanup()
