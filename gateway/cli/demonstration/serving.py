"""A real `gateway serve`, as a process of its own, started and stopped the way an operator does it."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp

from gateway.model.errors import ConfigError

READY_S = 60.0
STOP_S = 30.0
LOOK_S = 0.05
ASK = aiohttp.ClientTimeout(total=2)
TAIL = 15  # lines of its log that are shown when it does not start


@asynccontextmanager
async def serving(env: Mapping[str, str], address: str, log: Path) -> AsyncIterator[None]:
    """Runs it while the block runs. Raises: ConfigError with the end of its log when it does not start."""
    with log.open("ab") as out:
        # A session of its own: Ctrl-C reaches this process, which then stops the other in order.
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "gateway",
            "serve",
            env=dict(env),
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        await _ready(process, address, log)
        yield
    finally:
        await asyncio.shield(_stop(process))


async def _ready(process: asyncio.subprocess.Process, address: str, log: Path) -> None:
    async with aiohttp.ClientSession(timeout=ASK) as http:
        with suppress(TimeoutError):
            async with asyncio.timeout(READY_S):
                while process.returncode is None:
                    with suppress(aiohttp.ClientError, TimeoutError):
                        async with http.get(f"{address}/readyz") as answer:
                            if answer.status == 200:
                                return
                    await asyncio.sleep(LOOK_S)
    raise ConfigError(f"`gateway serve` did not start; the end of its log:\n{_end_of(log)}")


def _end_of(log: Path) -> str:
    return "\n".join(log.read_text("utf-8", "replace").splitlines()[-TAIL:])


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(STOP_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
