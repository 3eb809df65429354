"""One run of the floor: Task in, Done out."""

import asyncio
import gc
import os
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict

import orjson

from bench.completions import VENDOR, batched, bodies, people_for, roster
from bench.floor.rows import Arrived, Delivered, Rows, Verified
from bench.floor.task import Done, Task
from bench.floor.work import Parsed, Work
from gateway.app import open_gateway
from gateway.settings import Settings, load


async def _opened(settings: Settings, people: int) -> tuple[Work, int]:
    """Returns: the work to do, and the vendor's lane."""
    async with open_gateway(settings) as gateway:
        vendor = await gateway.vendors.find(VENDOR)
        assert vendor is not None
        digest_key = gateway.keyring.digest.material
        return Work(gateway.vault, gateway.blind, digest_key, vendor, roster(people)), vendor.lane


def _accept(rows: Rows, work: Work, parts: Iterable[Parsed]) -> None:
    for part in parts:
        rows.accept(work.arrive(part))


def _whole(rows: Rows, work: Work, batches: Iterable[bytes], lane: int) -> None:
    for body in batches:
        parsed = work.parse(body)
        rows.accept(work.arrive(parsed))
        cells, places = work.verify(work.open(_claim(rows, lane, len(parsed))))
        rows.verify(cells)
        rows.deliver(work.deliver(places))


def _rows_only(rows: Rows, prepared: Iterable[tuple[Arrived, Verified, Delivered]], lane: int) -> None:
    for arrived, verified, delivered in prepared:
        rows.accept(arrived)
        _claim(rows, lane, len(arrived.deliveries))
        rows.verify(verified)
        rows.deliver(delivered)


def _claim(rows: Rows, lane: int, limit: int) -> list[tuple[int, str, int, bytes]]:
    return rows.claim(lane, time.time_ns() // 1_000_000 + 1, limit)


def _prepare(work: Work, batches: Iterable[bytes]) -> list[tuple[Arrived, Verified, Delivered]]:
    found = []
    for body in batches:
        parsed = work.parse(body)
        arrived = work.arrive(parsed)
        opened = [(row[0], item) for row, (_, item) in zip(arrived.payloads, parsed, strict=True)]
        cells, places = work.verify(opened)
        found.append((arrived, cells, work.deliver(places)))
    return found


def _timed(task: Task, rows: Rows, work: Work, lane: int) -> Callable[[], None]:
    """What is to be timed; whatever comes before it is done here."""
    batches = list(batched(bodies(task.total, run=task.run), task.batch))
    if task.what == "whole":
        return lambda: _whole(rows, work, batches, lane)
    if task.what == "rows":
        prepared = _prepare(work, batches)
        return lambda: _rows_only(rows, prepared, lane)
    parsed = (work.parse(body) for body in batches)
    parts = list(parsed) if task.what == "accept" else parsed
    return lambda: _accept(rows, work, parts)


def _run(settings: Settings, task: Task) -> Done:
    work, lane = asyncio.run(_opened(settings, people_for(task.total)))
    file = settings.data_dir / "gateway.db"
    rows = Rows(file)
    run = _timed(task, rows, work, lane)
    gc.collect()
    gc.freeze()
    started, cpu_s = time.perf_counter(), time.process_time()
    run()
    took_s, cpu_s = time.perf_counter() - started, time.process_time() - cpu_s
    finished = rows.count("accepted" if task.what.startswith("accept") else "delivered")
    found, syncs = rows.counts(), rows.syncs_each_commit
    rows.close()
    return Done(took_s, cpu_s, syncs, finished, found, file.stat().st_size / task.total)


if __name__ == "__main__":
    chosen = load({name: value for name, value in os.environ.items() if name.startswith("GATEWAY_")})
    asked = Task(**orjson.loads(sys.stdin.readline()))
    print(orjson.dumps(asdict(_run(chosen, asked))).decode(), flush=True)
