"""What we know of people, and for how long it may be believed: memory, then the table, then the registry.

Real time has a bound (docs/decisions/0003-real-time.md): a file older than `max_age_ms` is asked for again, a
negative answer much sooner. While the change feed keeps up, what it has not named may be believed for longer.
An outage of the registry is never an answer.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from prometheus_client import Counter

from gateway.identity.joined import Joined
from gateway.identity.snapshots import Known, Snapshots
from gateway.model.clock import SECOND_MS, Clock
from gateway.model.errors import UpstreamError
from gateway.model.person import Answer, LookupKey, Snapshot

_HEAR_MS = SECOND_MS  # how soon a process hears what another process read from the feed


class Lookup(Protocol):
    """The registry client's part that we use."""

    async def lookup(self, keys: Sequence[LookupKey]) -> Mapping[LookupKey, tuple[Snapshot, ...]]: ...


@dataclass(frozen=True, slots=True)
class Bounds:
    """How old an answer may be. The last two hold for files, while the change feed's lag is small enough."""

    max_age_ms: int = 900_000
    negative_max_age_ms: int = 60_000
    feed_max_age_ms: int = 86_400_000
    feed_lag_max_ms: int = 60_000


class People:
    """Answers look-ups for many claims at once; questions that come together are asked together."""

    def __init__(
        self,
        snapshots: Snapshots,
        clock: Clock,
        registry: Lookup,
        bounds: Bounds,
        lookups: Counter,
        *,
        memory: int = 50_000,
        turns: int = 4,
    ) -> None:
        """`turns`: calls of the registry under way at once, as many as it bears."""
        self._snapshots = snapshots
        self._clock = clock
        self._registry = registry
        self._bounds = bounds
        self._lookups = lookups  # metric, by source
        self._memory: OrderedDict[LookupKey, Known] = OrderedDict()
        self._remembered: dict[bytes, LookupKey] = {}  # by what the feed's changes are known as
        self._size = memory
        self._sector_ids: dict[int, str] = {}
        self._asking = Joined(self._call, turns=turns)
        self._heard_ms = clock.now_ms()
        self._feed_complete_ms = 0
        self._due_to_hear_ms = 0

    async def know(
        self, keys: Iterable[LookupKey], *, not_before_ms: int = 0
    ) -> tuple[dict[LookupKey, Known], UpstreamError | None]:
        """Answers for `keys`, none older than the bound nor asked before `not_before_ms`.

        Returns: what is known, and the registry's failure when some keys could not be asked.
        """
        wanted = set(keys)
        if not wanted:
            return {}, None
        await self._hear()
        found = {key: known for key in wanted if (known := self._from_memory(key, not_before_ms))}
        missing = wanted - found.keys()
        if missing and not_before_ms == 0:
            stored = await self._snapshots.find(missing)
            found |= {key: self._keep(key, known) for key, known in stored.items() if self._is_fresh(known)}
            missing -= found.keys()
            # While the table was read, another batch may have had its answer.
            found |= {key: known for key in missing if (known := self._from_memory(key, not_before_ms))}
            missing -= found.keys()
        self._count("cached", len(found))
        error = None
        while missing and error is None:
            answered, error = await self._ask(missing)
            # An answer that another batch had asked for too early is no answer here: then we ask ourselves.
            found |= {k: a for k, a in answered.items() if a.answer.fetched_at_ms >= not_before_ms}
            missing -= found.keys()
        return found, error

    async def sector_ids(self, person_ids: set[int]) -> dict[int, str]:
        """The sector identifier of people we have stored, by our own id. It never changes, so it is kept."""
        found = {id_: self._sector_ids[id_] for id_ in person_ids if id_ in self._sector_ids}
        if missing := person_ids - found.keys():
            read = await self._snapshots.sector_ids(missing)
            self._keep_ids(read)
            found |= read
        return found

    async def _hear(self) -> None:
        """Forgets what the change feed, read by any process, has said to be out of date."""
        now = self._clock.now_ms()
        if now < self._due_to_hear_ms:
            return
        self._due_to_hear_ms = now + _HEAR_MS
        heard = await self._snapshots.heard(self._heard_ms)
        for blind_key, changed_ms in heard.changed.items():
            key = self._remembered.get(blind_key)
            if key is not None and self._memory[key].answer.fetched_at_ms <= changed_ms:
                del self._memory[key], self._remembered[blind_key]
        self._heard_ms, self._feed_complete_ms = now, heard.complete_ms

    def _from_memory(self, key: LookupKey, not_before_ms: int) -> Known | None:
        known = self._memory.get(key)
        if known is None or known.answer.fetched_at_ms < not_before_ms or not self._is_fresh(known):
            return None
        self._memory.move_to_end(key)
        return known

    def _is_fresh(self, known: Known) -> bool:
        now, bounds = self._clock.now_ms(), self._bounds
        limit = bounds.max_age_ms if known.answer.hits else bounds.negative_max_age_ms
        if known.answer.hits and now - self._feed_complete_ms < bounds.feed_lag_max_ms:
            limit = max(limit, bounds.feed_max_age_ms)
        return now - known.answer.fetched_at_ms <= limit

    async def _ask(self, keys: set[LookupKey]) -> tuple[dict[LookupKey, Known], UpstreamError | None]:
        """Asks the registry for `keys`, together with what others ask at this moment."""
        told = await self._asking.ask(keys)
        self._count("coalesced", told.joined)
        return told.answers, told.error

    async def _call(self, keys: Sequence[LookupKey]) -> dict[LookupKey, Known]:
        """One call of the registry, its answers kept. Raises: UpstreamError."""
        asked_at_ms = self._clock.now_ms()
        hits = await self._registry.lookup(keys)
        answered = await self._snapshots.store(hits, asked_at_ms=asked_at_ms)
        for key, known in answered.items():
            self._keep(key, _as_cached(known))
        self._count("live", len(answered))
        return answered

    def _keep(self, key: LookupKey, known: Known) -> Known:
        self._memory[key] = known
        self._memory.move_to_end(key)
        self._remembered[self._snapshots.blind_key(key)] = key
        self._keep_ids({person.id: sector_id for sector_id, person in known.people.items()})
        while len(self._memory) > self._size:
            oldest, _ = self._memory.popitem(last=False)
            del self._remembered[self._snapshots.blind_key(oldest)]
        return known

    def _keep_ids(self, sector_ids: Mapping[int, str]) -> None:
        if len(self._sector_ids) + len(sector_ids) > self._size:
            self._sector_ids.clear()
        self._sector_ids |= sector_ids

    def _count(self, source: str, n: int) -> None:
        if n:
            self._lookups.labels(source).inc(n)


def _as_cached(known: Known) -> Known:
    answer = Answer(hits=known.answer.hits, fetched_at_ms=known.answer.fetched_at_ms, live=False)
    return Known(answer, known.people)
