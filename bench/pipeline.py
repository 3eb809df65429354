"""The gateway's processes with the sandbox beside them, and waiting for their work to be done."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import NamedTuple

from bench.checks import delivered, temis_of
from bench.place import Place
from bench.processes import Failed, Process, running

LOOK_S = 0.02  # the end is noticed so late at most, to our disadvantage


class Pipeline(NamedTuple):
    """What runs: the gateway's processes, and the sandbox."""

    gateway: list[Process]
    sandbox: Process

    async def stop_gateway(self) -> None:
        """As an operator stops it; the sandbox stays, to be asked."""
        for process in self.gateway:
            await process.stop()


def sandbox(place: Place) -> AbstractAsyncContextManager[Process]:
    """TEMIS and the sector database of this place."""
    argv = ["bench.sandbox", str(place.sandbox_port), str(place.roster)]
    return running("sandbox", argv, place.environment(), place.folder / "sandbox.log")


@asynccontextmanager
async def pipeline(place: Place, *, is_split: bool = False, has_worker: bool = True) -> AsyncIterator[Pipeline]:
    """The sandbox and `gateway serve`, with `gateway work` beside it when split: then both work."""
    env, logs = place.environment(), place.folder
    async with AsyncExitStack() as stack:
        outside = await stack.enter_async_context(sandbox(place))
        serve = ["gateway", "serve", *([] if has_worker else ["--no-worker"])]
        processes = [await stack.enter_async_context(running("serve", serve, env, logs / "serve.log"))]
        if is_split:
            work = running("work", ["gateway", "work"], env, logs / "work.log")
            processes.append(await stack.enter_async_context(work))
        yield Pipeline(processes, outside)


async def until_delivered(
    place: Place, total: int, processes: Sequence[Process], within_s: float = 600
) -> None:
    """Returns when TEMIS has all records and the gateway has written so. Raises: Failed."""
    try:
        async with asyncio.timeout(within_s):
            while (await temis_of(place))["records"] != total:
                await asyncio.sleep(LOOK_S * 2)
                if not all(process.is_alive for process in processes):
                    raise Failed("\n".join(process.tail() for process in processes))
            while await asyncio.to_thread(delivered, place) != total:
                await asyncio.sleep(LOOK_S)
    except TimeoutError:
        tails = "\n".join(process.tail() for process in processes)
        raise Failed(f"delivered {delivered(place)} of {total} in {within_s:g} s\n{tails}") from None
