"""kill -9 with a backlog: how long a new `gateway serve` takes, from its start, to the first delivery.

The backlog is accepted by `serve --no-worker`. Then `serve` is started, killed in the midst of its work with
leases in hand, and started again, some times over; each time the first write that TEMIS applies is timed
against the moment the process was started.
"""

import asyncio
import time
from dataclasses import dataclass, field

import aiohttp
import orjson

from bench.checks import balance_of, delivered, temis_of
from bench.harness import Bench, Measured, Run, main
from bench.load import Spec, load
from bench.pipeline import sandbox
from bench.place import Place, a_place
from bench.processes import Failed, Process, running

LOOK_S = 0.005
SETTLE_S = 0.3
WITHIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Options:
    """How many wait, and how often the process is killed."""

    waiting: int = field(default=20_000, metadata={"help": "completions accepted before the first kill"})
    kills: int = field(default=3, metadata={"help": "how often it is killed and started again"})
    work_ms: int = field(default=300, metadata={"help": "how long it works before it is killed"})


async def measure(options: Options) -> Measured:
    """Kills and starts again. Raises: Failed when a completion is gone, or TEMIS was told one twice."""
    measured = Measured()
    async with a_place(options.waiting) as place, sandbox(place):
        await _fill(place, options.waiting)
        runs = {"first delivery": lambda _: _killed_and_back(place, options)}
        await measured.interleave("ms", runs, options.kills)
        sheet, temis = await balance_of(place), await temis_of(place)
        if sheet.received != options.waiting:
            raise Failed(f"{options.waiting} were accepted, {sheet.received} are there")
        if temis["records"] != temis["writes"]:
            raise Failed(f"TEMIS applied a write twice: {temis}")
        measured.notes.append(
            f"After {options.kills} kills the balance closes with all {options.waiting}; "
            f"TEMIS has {temis['records']} records, each written once."
        )
    return measured


async def _fill(place: Place, total: int) -> None:
    """Accepts `total`, and ends as suddenly as everything here."""
    argv, log = ["gateway", "serve", "--no-worker"], place.folder / "serve.log"
    async with running("serve", argv, place.environment(), log) as serve:
        async with load(place, Spec(place.address, place.secret, total, 500, 4)) as sender:
            sent = await sender.go()
        await serve.kill()
    if not sent.all_taken or sent.accepted != total:
        raise Failed(f"the gateway accepted {sent.accepted} of {total}: {sent.statuses}")


async def _killed_and_back(place: Place, options: Options) -> Run:
    argv, log = ["gateway", "serve"], place.folder / "serve.log"
    async with running("serve", argv, place.environment(), log) as serve:
        await _another_write(place, serve, await _writes(place))
        await asyncio.sleep(options.work_ms / 1000)
        await serve.kill()
    await asyncio.sleep(SETTLE_S)  # a request it sent last may still be on its way
    done, before = delivered(place), await _writes(place)
    if done == options.waiting:
        raise Failed("nothing was left to deliver: a larger --waiting is needed")
    started_ms, started = time.time() * 1000, time.perf_counter()
    async with running("serve", argv, place.environment(), log) as serve:
        ready_ms = (time.perf_counter() - started) * 1000
        await _another_write(place, serve, before)
        first_ms = await _write_at_ms(place, before) - started_ms
        await serve.kill()
    return Run(first_ms, {"listening_ms": ready_ms, "waiting": options.waiting - done})


async def _writes(place: Place) -> int:
    found = (await temis_of(place))["writes"]
    assert isinstance(found, int)
    return found


async def _another_write(place: Place, serve: Process, before: int) -> None:
    try:
        async with asyncio.timeout(WITHIN_S):
            while await _writes(place) == before:
                await asyncio.sleep(LOOK_S)
    except TimeoutError:
        raise Failed(f"nothing was delivered within {WITHIN_S:g} s\n{serve.tail()}") from None


async def _write_at_ms(place: Place, number: int) -> int:
    """When TEMIS applied the write after the first `number` ones."""
    async with aiohttp.ClientSession() as http, http.get(f"{place.sandbox}/_control/temis/writes") as answer:
        lines = (await answer.read()).splitlines()
    at_ms: int = orjson.loads(lines[number])["at_ms"]
    return at_ms


BENCH = Bench("restart", Options, measure, {"waiting": 3_000, "kills": 1, "work_ms": 20})

if __name__ == "__main__":
    main(BENCH)
