"""How fast completions are accepted, beside servers that do less and a database that is written without HTTP.

single: one signed completion a POST over 64 connections, to a bare aiohttp echo, to our handler without
storage, and to `gateway serve --no-worker`, all with the same requests. batch: 500 a POST over 4 connections,
and stream: as many lines in one body, beside raw `sqlite3.executemany` of the same rows with the same digests
and sealing, each commit waiting for the disk.
"""

import itertools
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from bench.checks import balance_of
from bench.floor.task import Task as FloorTask
from bench.floor.task import What, floor
from bench.harness import Bench, Measured, Run, Variant, chosen, main
from bench.load import Spec, load
from bench.place import Place, a_place
from bench.processes import Failed, Process, running
from bench.stream_load import stream_load

UNIT = "completions/s"
WARM = 256  # so many single POSTs go before those that are timed
BATCH = 500


@dataclass(frozen=True, slots=True)
class Options:
    """How much is sent in one run."""

    requests: int = field(default=8_000, metadata={"help": "single POSTs in a run"})
    items: int = field(default=20_000, metadata={"help": "completions in a run of batches"})
    rounds: int = field(default=3, metadata={"help": "how often each variant runs"})
    connections: int = field(default=64, metadata={"help": "connections that send single POSTs"})
    batch_connections: int = field(default=4, metadata={"help": "connections that send batches"})
    variants: str = field(default="", metadata={"help": "just these variants, separated by `;`"})


async def measure(options: Options) -> Measured:
    """Runs everything. Raises: Failed when the gateway did not keep what it accepted."""
    measured = Measured()
    async with AsyncExitStack() as stack:
        desk = _Desk(stack, options)
        variants: dict[str, Variant] = {
            "single.echo": lambda _: desk.send("echo", batch=1),
            "single.no_storage": lambda _: desk.send("no_storage", batch=1),
            "single.gateway": lambda _: desk.send("gateway", batch=1),
            "batch.gateway": lambda _: desk.send("gateway", batch=BATCH),
            "stream.gateway": lambda _: desk.stream("gateway"),
            "batch.raw": lambda _: _raw("accept", options.items),
            "batch.raw_parsed": lambda _: _raw("accept_parsed", options.items),
        }
        await measured.interleave(UNIT, chosen(variants, options.variants), options.rounds)
        measured.notes += await desk.check()
    for name, over in (
        ("single.gateway", "single.no_storage"),
        ("single.gateway", "single.echo"),
        ("batch.gateway", "batch.raw"),
        ("batch.gateway", "batch.raw_parsed"),
        ("stream.gateway", "batch.raw"),
        ("stream.gateway", "batch.raw_parsed"),
    ):
        measured.compare(name, over)
    return measured


class _Desk:
    """The servers, each on a place of its own and started when it is first needed."""

    def __init__(self, stack: AsyncExitStack, options: Options) -> None:
        self._stack = stack
        self._options = options
        self._servers: dict[str, tuple[Process, Place]] = {}
        self._runs = itertools.count(1)
        self._accepted: Counter[str] = Counter()

    async def send(self, name: str, *, batch: int) -> Run:
        """One run of single POSTs or of batches. Raises: Failed when not all was accepted."""
        process, place = await self._server(name)
        options, is_single = self._options, batch == 1
        spec = Spec(
            place.address,
            place.secret,
            options.requests if is_single else options.items,
            batch,
            options.connections if is_single else options.batch_connections,
            warm=WARM if is_single else 0,
            run=next(self._runs),
        )
        async with load(place, spec) as sender:
            cpu_s = process.cpu_s()
            sent = await sender.go()
            cpu_s = process.cpu_s() - cpu_s
        total = spec.total + spec.warm
        if not sent.all_taken or sent.accepted != (0 if name == "echo" else total):
            raise Failed(f"{name} accepted {sent.accepted} of {total}: {sent.statuses}\n{process.tail()}")
        self._accepted[name] += sent.accepted
        facts = {
            "p50_ms": sent.p50_ms,
            "p99_ms": sent.p99_ms,
            "cpu_us": cpu_s / total * 1e6,
            "generator_cores": sent.cpu_s / sent.took_s,
            "peak_mb": process.peak_mb(),
        }
        return Run(spec.total / sent.took_s, facts)

    async def stream(self, name: str) -> Run:
        """One run of lines over one connection. Raises: Failed when not all was accepted."""
        process, place = await self._server(name)
        total = self._options.items
        spec = Spec(place.address, place.secret, total, connections=1, run=next(self._runs))
        async with stream_load(place, spec) as sender:
            cpu_s = process.cpu_s()
            sent = await sender.go()
            cpu_s = process.cpu_s() - cpu_s
        if sent.accepted != total:
            raise Failed(f"{name} accepted {sent.accepted} of {total} lines\n{process.tail()}")
        self._accepted[name] += sent.accepted
        facts = {
            "cpu_us": cpu_s / total * 1e6,
            "generator_cores": sent.cpu_s / sent.took_s,
            "peak_mb": process.peak_mb(),
        }
        return Run(total / sent.took_s, facts)

    async def check(self) -> list[str]:
        """What the gateway answered 202 for is all there. Raises: Failed."""
        if "gateway" not in self._servers:
            return []
        process, place = self._servers["gateway"]
        await process.stop()
        sheet, accepted = await balance_of(place), self._accepted["gateway"]
        if sheet.received != accepted:
            raise Failed(f"202 was answered for {accepted} completions, {sheet.received} are there")
        return [f"The gateway accepted {accepted} completions; its balance closes with all of them."]

    async def _server(self, name: str) -> tuple[Process, Place]:
        if name not in self._servers:
            most = max(self._options.requests, self._options.items)
            place = await self._stack.enter_async_context(a_place(most))
            argv = {
                "echo": ["bench.echo", str(place.port)],
                "no_storage": ["bench.no_storage"],
                "gateway": ["gateway", "serve", "--no-worker"],
            }[name]
            started = running(name, argv, place.environment(), place.folder / f"{name}.log")
            self._servers[name] = await self._stack.enter_async_context(started), place
        return self._servers[name]


async def _raw(what: What, total: int) -> Run:
    async with a_place(total) as place:
        done = await floor(place, FloorTask(what, total))
    if done.finished != total or not done.syncs:
        raise Failed(f"the raw yardstick wrote {done.finished} of {total}, synchronous: {done.syncs}")
    return Run(total / done.took_s, {"cpu_us": done.cpu_s / total * 1e6})


BENCH = Bench("accept", Options, measure, {"requests": 300, "items": 1_000, "rounds": 1})

if __name__ == "__main__":
    main(BENCH)
