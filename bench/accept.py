"""How fast completions are accepted, beside servers that do less and a database that is written without HTTP.

single: one signed completion a POST over 64 connections, to a bare aiohttp echo, to our handler without
storage, and to `gateway serve --no-worker`, all with the same requests. batch: 500 a POST over 4 connections,
beside raw `sqlite3.executemany` of the same rows with the same digests and sealing, each commit waiting for the
disk.
"""

import itertools
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from bench.checks import balance_of
from bench.floor.task import Task as FloorTask
from bench.floor.task import What, floor
from bench.harness import Bench, Measured, Run, Variant, main
from bench.load import Load, Spec, load
from bench.place import Place, a_place
from bench.processes import Failed, Process, running

UNIT = "completions/s"
WARM = 256


@dataclass(frozen=True, slots=True)
class Options:
    """How much is sent in one run."""

    requests: int = field(default=8_000, metadata={"help": "single POSTs in a run"})
    items: int = field(default=20_000, metadata={"help": "completions in a run of batches"})
    rounds: int = field(default=3, metadata={"help": "how often each variant runs"})
    connections: int = field(default=64, metadata={"help": "connections that send single POSTs"})
    batch_connections: int = field(default=4, metadata={"help": "connections that send batches"})


async def measure(options: Options) -> Measured:
    """Runs everything. Raises: Failed when the gateway did not keep what it accepted."""
    measured, runs = Measured(), itertools.count(1)
    async with AsyncExitStack() as stack:
        most = max(options.requests, options.items)
        ours = await stack.enter_async_context(a_place(most))
        bare = await stack.enter_async_context(a_place(most))  # for the handler without storage
        gateway = await _serving(stack, ours, "gateway", "gateway", "serve", "--no-worker")
        handler = await _serving(stack, bare, "no_storage", "bench.no_storage")
        echo = await _serving(stack, bare, "echo", "bench.echo", str(bare.sandbox_port))
        taken = 0

        async def sent(process: Process, place: Place, address: str, *, batch: int) -> Run:
            nonlocal taken
            total = options.requests if batch == 1 else options.items
            spec = Spec(
                address, place.secret, total, batch, warm=WARM if batch == 1 else 0, run=next(runs),
                connections=options.connections if batch == 1 else options.batch_connections,
            )  # fmt: skip
            async with load(place, spec) as sender:
                run, accepted = await _timed(sender, process, spec)
            if process is not echo and accepted != spec.total + spec.warm:
                raise Failed(f"{process.name} accepted {accepted} of {spec.total + spec.warm}")
            taken += accepted if process is gateway else 0
            return run

        singles: dict[str, Variant] = {
            "single.echo": lambda _: sent(echo, bare, bare.sandbox, batch=1),
            "single.no_storage": lambda _: sent(handler, bare, bare.address, batch=1),
            "single.gateway": lambda _: sent(gateway, ours, ours.address, batch=1),
        }
        batches: dict[str, Variant] = {
            "batch.gateway": lambda _: sent(gateway, ours, ours.address, batch=500),
            "batch.raw": lambda _: _raw("accept", options.items),
            "batch.raw_parsed": lambda _: _raw("accept_parsed", options.items),
        }
        await measured.interleave(UNIT, singles, options.rounds)
        await measured.interleave(UNIT, batches, options.rounds)
        await gateway.stop()
        sheet = await balance_of(ours)
        if sheet.received != taken:
            raise Failed(f"202 was answered for {taken} completions, {sheet.received} are there")
    measured.compare("single.gateway", "single.no_storage")
    measured.compare("single.gateway", "single.echo")
    measured.compare("batch.gateway", "batch.raw")
    measured.compare("batch.gateway", "batch.raw_parsed")
    measured.notes.append(
        f"{taken} completions were accepted by the gateway; its balance closes with all of them."
    )
    return measured


async def _serving(stack: AsyncExitStack, place: Place, name: str, *argv: str) -> Process:
    log = place.folder / f"{name}.log"
    return await stack.enter_async_context(running(name, list(argv), place.environment(), log))


async def _timed(sender: Load, process: Process, spec: Spec) -> tuple[Run, int]:
    cpu_s = process.cpu_s()
    result = await sender.go()
    cpu_s = process.cpu_s() - cpu_s
    if not result.all_taken:
        raise Failed(f"{process.name} answered {result.statuses}\n{process.tail()}")
    facts = {
        "p50_ms": result.p50_ms,
        "p99_ms": result.p99_ms,
        "cpu_us": cpu_s / (spec.total + spec.warm) * 1e6,
        "generator_cores": result.cpu_s / result.took_s,
        "peak_mb": process.peak_mb(),
    }
    return Run(spec.total / result.took_s, facts), result.accepted


async def _raw(what: What, total: int) -> Run:
    async with a_place(total) as place:
        done = await floor(place, FloorTask(what, total))
    if done.finished != total or not done.syncs:
        raise Failed(f"the raw yardstick wrote {done.finished} of {total}, synchronous: {done.syncs}")
    return Run(total / done.took_s, {"cpu_us": done.cpu_s / total * 1e6})


BENCH = Bench("accept", Options, measure, {"requests": 300, "items": 1_000, "rounds": 1})

if __name__ == "__main__":
    main(BENCH)
