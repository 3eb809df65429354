"""Not found: is there one person of this name and birth date whose identifier is one slip away?

A search for each would let a vendor's list of names be run against the sector database, so searches are
budgeted per vendor and per LMS account. The budgets only end the hints, never a verdict.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from datetime import date
from typing import Protocol

from gateway.identity.near_miss import is_sought, near_miss, with_near_miss
from gateway.model.clock import DAY_MS, HOUR_MS, Clock
from gateway.model.completion import Claim
from gateway.model.errors import UpstreamError
from gateway.model.person import Snapshot
from gateway.model.verdict import Finding, Verdict

VENDOR_SEARCHES, ACCOUNT_SEARCHES = (
    600,
    3,
)  # an hour and a day: about one search in six seconds, and three tries
AT_ONCE = 8
_REMEMBERED = 50_000  # vendors and accounts; the oldest is forgotten first


class Search(Protocol):
    """The registry client's part that we use."""

    async def search(self, full_name: str, birth_date: date) -> tuple[Snapshot, ...]: ...


class Purse(Protocol):
    """So many a period for each key."""

    def take(self, key: str, /) -> bool: ...


class Budget:
    """So many a period for each key, counted in this process."""

    def __init__(self, clock: Clock, limit: int, period_ms: int, *, size: int = _REMEMBERED) -> None:
        self._clock = clock
        self._limit = limit
        self._period_ms = period_ms
        self._size = size
        self._spent: OrderedDict[Hashable, tuple[int, int]] = OrderedDict()  # key -> (period, spent)

    def take(self, key: Hashable, /) -> bool:
        """Spends one. Returns: whether there was one left."""
        period = self._clock.now_ms() // self._period_ms
        last, spent = self._spent.get(key, (period, 0))
        spent = spent + 1 if last == period else 1
        self._spent[key] = (period, min(spent, self._limit + 1))
        self._spent.move_to_end(key)
        if len(self._spent) > self._size:
            self._spent.popitem(last=False)
        return spent <= self._limit


class NearMisses:
    """Adds the hint where there is one. One instance per process."""

    def __init__(
        self,
        clock: Clock,
        registry: Search,
        *,
        of_vendor: Purse | None = None,
        of_account: Purse | None = None,
    ) -> None:
        """The budgets are this process's own unless given."""
        self._registry = registry
        self._of_vendor = of_vendor or Budget(clock, VENDOR_SEARCHES, HOUR_MS)
        self._of_account = of_account or Budget(clock, ACCOUNT_SEARCHES, DAY_MS)
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def hints(self, verdicts: Sequence[tuple[str, Claim, Verdict]]) -> dict[int, Verdict]:
        """(vendor, claim, verdict)s -> {place among them: the verdict with a hint}, for those that have one."""
        places = [n for n, (_, claim, verdict) in enumerate(verdicts) if is_sought(verdict.reason, claim)]
        found = await asyncio.gather(*(self._search(verdicts[n][0], verdicts[n][1]) for n in places))
        return {
            n: with_near_miss(verdicts[n][2], finding)
            for n, finding in zip(places, found, strict=True)
            if finding is not None
        }

    async def _search(self, vendor: str, claim: Claim) -> Finding | None:
        name, born = claim.full_name, claim.birth_date
        if not name or not name.strip() or born is None:
            return None
        account = f"{vendor}/{claim.lms_user_id}"
        if not self._of_account.take(account) or not self._of_vendor.take(vendor):
            return None
        async with self._turns:
            try:
                return near_miss(claim, await self._registry.search(name.strip()[:200], born))
            except UpstreamError:  # a hint less; the verdict stands without it
                return None
