"""How fast completions go all the way: accepted over HTTP, verified, delivered, acknowledged and recorded.

serve: one process does it all. serve + work: two share one SQLite file. floor: the same parsing, crypto,
judging and rows in one process, raw sqlite3, no HTTP; floor, rows only: just its writes, all computed before.
Peers (bench/peers) enqueue durably, make one HTTP POST each and acknowledge; ours go out in batches of up to
200, which is part of the design. Load generator and sandbox run on the same cores.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from bench.checks import all_delivered, rows_of, temis_of
from bench.floor.task import Task as FloorTask
from bench.floor.task import What, floor
from bench.harness import Bench, Measured, Run, Variant, chosen, main
from bench.load import Spec, load
from bench.peers.peer import Peer, run_peer
from bench.pipeline import Pipeline, pipeline, sandbox, until_delivered
from bench.place import a_place
from bench.processes import Failed
from gateway.model.discovery import discover

UNIT = "completions/s"


@dataclass(frozen=True, slots=True)
class Options:
    """How much work one run is."""

    total: int = field(default=20_000, metadata={"help": "completions in a run"})
    peers: int = field(default=2_000, metadata={"help": "jobs in a run of a peer; 0 leaves peers out"})
    rounds: int = field(default=3, metadata={"help": "how often each variant runs"})
    peer_rounds: int = field(default=1, metadata={"help": "how often each peer runs"})
    batch: int = field(default=500, metadata={"help": "completions in one POST"})
    connections: int = field(default=4, metadata={"help": "connections that send"})
    concurrency: int = field(default=16, metadata={"help": "POSTs that a peer may have open"})
    variants: str = field(default="", metadata={"help": "just these variants, separated by `;`"})


async def measure(options: Options) -> Measured:
    """Runs everything. Raises: Failed when not all of it was delivered, once each."""
    measured = Measured()
    rows: dict[str, Mapping[str, int]] = {}
    variants: dict[str, Variant] = {
        "serve": lambda _: _gateway(options, rows, is_split=False),
        "serve + work": lambda _: _gateway(options, rows, is_split=True),
        "floor": lambda _: _floor(options, rows, "whole"),
        "floor, rows only": lambda _: _floor(options, rows, "rows"),
    }
    peers = cast("dict[str, Peer]", discover("bench.peers", "PEER")) if options.peers else {}
    for name, peer in peers.items():
        if peer.missing:
            missing = ", ".join(peer.missing)
            measured.notes.append(
                f"{peer.title} was left out: {missing} cannot be imported (pip install '.[bench]')."
            )
        else:
            variants[peer.title] = _peer(name, options)
    fewer = {peer.title: options.peer_rounds for peer in peers.values()}
    variants = chosen(variants, options.variants)
    await measured.interleave(UNIT, variants, options.rounds, fewer)
    for other in [name for name in variants if name != "serve"]:
        measured.compare("serve", other)
    _note_best_peer(measured, [peer.title for peer in peers.values() if peer.title in variants])
    if len(rows) < 2:
        return measured
    if rows["gateway"] == rows["floor"]:
        measured.notes.append("The floor wrote as many rows into each table as the gateway.")
    else:
        measured.notes.append(f"THE FLOOR WROTE OTHER ROWS: {rows['floor']}; the gateway {rows['gateway']}.")
    return measured


async def _gateway(options: Options, rows: dict[str, Mapping[str, int]], *, is_split: bool) -> Run:
    total = options.total
    async with a_place(total) as place:
        async with pipeline(place, is_split=is_split) as parts:
            spec = Spec(place.address, place.secret, total, options.batch, options.connections)
            async with load(place, spec) as sender:
                before = _cpu_s(parts)
                started = time.perf_counter()
                sent = await sender.go()
                await until_delivered(place, total, parts.gateway)
                took_s = time.perf_counter() - started
                after = _cpu_s(parts)
            if not sent.all_taken or sent.accepted != total:
                raise Failed(f"the gateway accepted {sent.accepted} of {total}: {sent.statuses}")
            peak_mb = max(process.peak_mb() for process in parts.gateway)
            await parts.stop_gateway()
            await all_delivered(place, total)
        rows["gateway"] = rows_of(place)
        facts = {
            "accepting_s": sent.took_s,
            "cpu_us": (after[0] - before[0]) / total * 1e6,
            "sandbox_us": (after[1] - before[1]) / total * 1e6,
            "peak_mb": peak_mb,
            "bytes_each": place.size_bytes() / total,
        }
    return Run(total / took_s, facts)


def _cpu_s(parts: Pipeline) -> tuple[float, float]:
    """Processor time so far: of the gateway's processes, of the sandbox."""
    return sum(process.cpu_s() for process in parts.gateway), parts.sandbox.cpu_s()


async def _floor(options: Options, rows: dict[str, Mapping[str, int]], what: What) -> Run:
    async with a_place(options.total) as place:
        done = await floor(place, FloorTask(what, options.total))
    if done.finished != options.total or not done.syncs:
        raise Failed(f"the floor finished {done.finished} of {options.total}, synchronous: {done.syncs}")
    rows["floor"] = done.rows
    facts = {"cpu_us": done.cpu_s / options.total * 1e6, "bytes_each": done.bytes_each}
    return Run(options.total / done.took_s, facts)


def _peer(name: str, options: Options) -> Variant:
    async def run(_: int) -> Run:
        total = options.peers
        async with a_place(total) as place, sandbox(place):
            done = await run_peer(place, name, total, options.concurrency)
            temis = await temis_of(place)
        if temis != {"records": total, "writes": total, "items": {"created": total}}:
            raise Failed(f"{name} delivered {total}; TEMIS has {temis}")
        return Run(total / done.took_s, {"syncs": done.syncs, "cpu_us": done.cpu_s / total * 1e6})

    return run


def _note_best_peer(measured: Measured, titles: list[str]) -> None:
    """The ratio to the fastest peer whose commits wait for the disk, as those of the gateway do."""
    syncing = [title for title in titles if all(run.facts["syncs"] for run in measured.figures[title].runs)]
    if syncing:
        best = max(syncing, key=lambda title: measured.figures[title].median)
        if f"serve / {best}" in measured.ratios:
            measured.ratios["serve / best peer with fsync"] = measured.ratios[f"serve / {best}"]
        measured.notes.append(f"The best peer whose commits wait for the disk is {best}.")


BENCH = Bench("end_to_end", Options, measure, {"total": 1_000, "peers": 100, "rounds": 1})

if __name__ == "__main__":
    main(BENCH)
