"""Budgets that many processes keep together, without a query on the way of anything.

Each process spends from memory, writes what it spent a moment later in one statement, and hears from it what
all have spent. Between two writings it spends at most an eighth of what it knows to be left (at least one): a
few processes overspend a little, by what they had not heard of each other yet, and never by their number.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

import structlog

from gateway.model.clock import Clock
from gateway.storage.engine import Database, Tx
from gateway.storage.tallies import Tally, add_in, prune_in

log = structlog.get_logger(__name__)

MOMENT_S = 2.0
_REMEMBERED = 50_000  # keys; the one unused for longest is forgotten first, and heard of again at its next use
_ROWS = 1_000
_SHARE = 8


class Later:
    """Does one thing a moment after it was asked for, however often it is asked meanwhile."""

    def __init__(self, work: Callable[[], Awaitable[None]], after_s: float = MOMENT_S) -> None:
        self._work = work
        self._after_s = after_s
        self._task: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    def ask(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Does now what is still to be done; what is being done already is not done twice."""
        self._closing.set()
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), self._after_s)
        try:
            await self._work()
        except Exception as error:  # what was not written is still there, and goes with the next
            log.warning("tallies.postponed", error=type(error).__name__)


class SharedBudgets:
    """What was spent of every budget, here and elsewhere. One instance per process."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._known: OrderedDict[Tally, int] = OrderedDict()  # over all processes, as of the last writing
        self._unwritten: dict[Tally, int] = {}
        self._later = Later(self.write)

    def budget(
        self, kind: str, limit: int, period_ms: int, *, hidden: Callable[[str], str] = str
    ) -> "SharedBudget":
        """So many a period for each key of `kind`. `hidden` makes a key one that may be stored."""
        return SharedBudget(self, self._clock, kind, limit, period_ms, hidden)

    def spend(self, tally: Tally, limit: int) -> bool:
        """Spends one if there is one left."""
        left = limit - self._known.get(tally, 0)
        unwritten = self._unwritten.get(tally, 0)
        if left <= 0 or unwritten >= max(1, left // _SHARE):
            return False
        self._unwritten[tally] = unwritten + 1
        self._later.ask()
        return True

    async def write(self) -> None:
        """Writes what was spent since the last time, and hears what all have spent."""
        while part := list(self._unwritten.items())[:_ROWS]:
            told = await self._db.write(partial(self._add, part=part))
            for tally, n in part:  # more may have been spent meanwhile
                self._unwritten[tally] -= n
                if not self._unwritten[tally]:
                    del self._unwritten[tally]
            for tally, n in told.items():
                self._known[tally] = n
                self._known.move_to_end(tally)
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    async def _add(self, tx: Tx, part: list[tuple[Tally, int]]) -> dict[Tally, int]:
        told = await add_in(tx, part)
        newest = {tally.kind: tally.period for tally, _ in part}
        for kind, period in sorted(newest.items()):
            await prune_in(tx, kind, period - 1)
        return told

    async def close(self) -> None:
        await self._later.close()


class SharedBudget:
    """One kind of budget: as `near_misses.Budget`, over all processes."""

    def __init__(
        self,
        shared: SharedBudgets,
        clock: Clock,
        kind: str,
        limit: int,
        period_ms: int,
        hidden: Callable[[str], str],
    ) -> None:
        self._shared = shared
        self._clock = clock
        self._kind = kind
        self._limit = limit
        self._period_ms = period_ms
        self._hidden = hidden

    def take(self, key: str, /) -> bool:
        """Spends one. Returns: whether there was one left."""
        period = self._clock.now_ms() // self._period_ms
        return self._shared.spend(Tally(self._kind, period, self._hidden(key)), self._limit)
