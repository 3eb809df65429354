"""What the floor is asked to do, what it says, and running it as a process of its own."""

from dataclasses import asdict, dataclass
from typing import Literal

import orjson

from bench.place import Place
from bench.processes import running

WITHIN_S = 900.0
What = Literal["accept", "accept_parsed", "whole", "rows"]


@dataclass(frozen=True, slots=True)
class Task:
    """`total` completions in commits of `batch`.

    accept: only the rows of arrival, with digests and sealing, parsed before the clock starts; accept_parsed:
    parsing is timed too; whole: arrival to delivery; rows: the same writes, everything computed before.
    """

    what: What
    total: int
    batch: int = 500
    run: int = 0


@dataclass(frozen=True, slots=True)
class Done:
    """What came of it. `rows` counts rows by table."""

    took_s: float
    cpu_s: float
    syncs: bool  # whether each commit waits for the disk
    finished: int
    rows: dict[str, int]
    bytes_each: float


async def floor(place: Place, task: Task) -> Done:
    """Runs it on this place's empty database. Raises: Failed."""
    async with running(
        "floor", ["bench.floor"], place.environment(), place.folder / "floor.log", talks=True
    ) as one:
        await one.tell(orjson.dumps(asdict(task)))
        return Done(**orjson.loads(await one.line(WITHIN_S)))
