"""One body of lines, from its first byte to its last: gathered into batches, each committed by itself.

    read ─▶ lines ─▶ batch ─▶ prepare ─┬▶ store ─▶ told
      ▲                                │
      └── waits while two batches wait ┘

Memory is constant: three batches at most, whatever the body's length, and nothing is read beyond them.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Protocol

from gateway.connectors.lines import Lines, read_line
from gateway.connectors.slicing import Slice
from gateway.queue.streams import Place
from gateway.stages.receive import ItemReceipt, Prepared

BATCH_LINES = 500
BATCH_BYTES = 1_048_576
COMMIT_EVERY_S = 0.2  # what has come is handed on by then, however little it is


class Cut(Exception):
    """The body broke off, so a last line without its end may be half a line."""


class How(StrEnum):
    """How one connection's share of a stream ended."""

    COMPLETE = "complete"  # the body ended as it should
    CUT = "cut"
    DRAINING = "draining"  # this process is ending
    IDLE = "idle"


class Body(Protocol):
    """Where the bytes come from."""

    async def read(self) -> bytes:
        """Some bytes; none once the body has ended properly. Raises: Cut."""
        ...


class Told(Protocol):
    """Who hears of each commit."""

    async def __call__(self, line: int, receipts: Sequence[tuple[int, ItemReceipt]]) -> None:
        """Everything up to `line` is committed; `receipts` are those of its lines, in order."""
        ...


@dataclass(slots=True)
class Batch:
    """Lines that are committed together. Blank ones count, and hold no item."""

    to_line: int  # the last one, in the whole stream
    numbers: list[int] = field(default_factory=list)  # of the lines that hold an item
    slices: list[Slice] = field(default_factory=list)
    n_lines: int = 0
    n_bytes: int = 0
    since: float = 0.0  # monotonic: when its first line came

    def add(self, line: bytes) -> None:
        self.since = self.since or time.monotonic()
        self.to_line += 1
        self.n_lines += 1
        self.n_bytes += len(line)
        piece = read_line(line)
        if piece is not None:
            self.numbers.append(self.to_line)
            self.slices.append(piece)

    @property
    def is_full(self) -> bool:
        return self.n_lines >= BATCH_LINES or self.n_bytes >= BATCH_BYTES

    def waits_s(self) -> float:
        """How long it may still wait for more."""
        return max(0.0, self.since + COMMIT_EVERY_S - time.monotonic())


@dataclass(frozen=True, slots=True)
class Ended:
    """Up to where one connection brought its stream, how it ended, and its receipts by status."""

    line: int
    how: How
    counts: Counter[str]


Prepare = Callable[[Batch], Awaitable[Prepared]]
Store = Callable[[Place, Batch, Prepared], Awaitable[Sequence[tuple[int, ItemReceipt]]]]


async def run(
    place: Place,
    body: Body,
    prepare: Prepare,
    store: Store,
    told: Told,
    *,
    stopping: Callable[[], Awaitable[None]],
    idle_s: float,
) -> Ended:
    """Goes on from `place` until the body ends or breaks off, is silent for `idle_s`, or `stopping` returns.

    Raises: what `prepare`, `store` and `told` raise; nothing is read any more then.
    """
    ready: asyncio.Queue[tuple[Batch, Prepared] | None] = asyncio.Queue(maxsize=1)
    gathering = _Gathering(body, place.line, prepare, ready, idle_s)
    counts: Counter[str] = Counter()

    async def store_all() -> None:
        at = place
        while (next_one := await ready.get()) is not None:
            batch, prepared = next_one
            receipts = await store(at, batch, prepared)
            at = replace(at, line=batch.to_line)
            counts.update(receipt.status.value for _, receipt in receipts)
            await told(at.line, receipts)

    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(store_all())
            how = await gathering.until_its_end(stopping)
    except BaseExceptionGroup as group:  # of the two halves one failed, and the other was called off
        raise group.exceptions[0] from None
    return Ended(gathering.line, how, counts)


class _Gathering:
    """The first half: bytes -> prepared batches."""

    def __init__(
        self,
        body: Body,
        line: int,
        prepare: Prepare,
        ready: asyncio.Queue[tuple[Batch, Prepared] | None],
        idle_s: float,
    ) -> None:
        self._body = body
        self._prepare = prepare
        self._ready = ready
        self._idle_s = idle_s
        self._lines = Lines()
        self._batch = Batch(line)

    @property
    def line(self) -> int:
        return self._batch.to_line

    async def until_its_end(self, stopping: Callable[[], Awaitable[None]]) -> How:
        self._stop = asyncio.ensure_future(stopping())
        self._reading: asyncio.Task[bytes] | None = None
        try:
            how = await self._gather()
            await self._hand_on()
            await self._ready.put(None)
            return how
        finally:
            tasks = [task for task in (self._stop, self._reading) if task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _gather(self) -> How:
        while True:
            heard = await self._hear(self._batch.waits_s() if self._batch.n_lines else self._idle_s)
            if isinstance(heard, How):
                if heard is How.COMPLETE and (rest := self._lines.rest()):
                    self._batch.add(rest)
                return heard
            if heard is None and not self._batch.n_lines:
                return How.IDLE
            for line in self._lines.feed(heard or b""):
                self._batch.add(line)
                if self._batch.is_full:
                    await self._hand_on()
            if self._batch.n_lines and not self._batch.waits_s():
                await self._hand_on()

    async def _hear(self, wait_s: float) -> bytes | How | None:
        """What comes next: bytes, or how it ended; None when nothing came in time."""
        if self._stop.done():
            return How.DRAINING
        if self._reading is None:
            self._reading = asyncio.ensure_future(self._body.read())
        await asyncio.wait((self._reading, self._stop), timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
        if not self._reading.done():
            return How.DRAINING if self._stop.done() else None
        reading, self._reading = self._reading, None
        try:
            return reading.result() or How.COMPLETE
        except Cut:
            return How.CUT

    async def _hand_on(self) -> None:
        batch = self._batch
        if batch.n_lines:
            self._batch = Batch(batch.to_line)
            await self._ready.put((batch, await self._prepare(batch)))
