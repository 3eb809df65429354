"""What TEMIS shows, read back by natural key, against what we believe: missing, different, unexpected.

What is missing goes again by itself. What differs is only reported, by the names of its fields: somebody may
have corrected it in TEMIS, and who is right is for people to say.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import structlog

from gateway.identity.snapshots import Snapshots
from gateway.model.clock import Clock
from gateway.model.errors import NotSent, UpstreamError
from gateway.outbound.gate import Gate
from gateway.outbound.limiter import Limiter
from gateway.queue import reconciliations
from gateway.queue.reconciliations import Believed, Discrepancy, Reconciliation, Scope
from gateway.stages.expected import Expected, Place
from gateway.storage.engine import Database
from gateway.storage.leases import Lease
from gateway.temis.client import TemisClient
from gateway.temis.contract import NaturalKey, RecordItem, StoredRecord
from gateway.temis.mapping import content

log = structlog.get_logger(__name__)

TURN_PAGES = 50  # of a scheduled walk, before the leader looks at its lease again


class Reconcile:
    """Walks over the records, page by page. One instance per process."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        snapshots: Snapshots,
        expected: Expected,
        client: TemisClient,
        gate: Gate,
        *,
        rate_per_s: float,
    ) -> None:
        """`rate_per_s`: calls a second for this alone, within what `gate` allows for everything."""
        self._db = db
        self._clock = clock
        self._snapshots = snapshots
        self._expected = expected
        self._client = client
        self._gate = gate
        self._pace = Limiter(rate_per_s=rate_per_s, concurrency=1)

    async def walk(
        self, run: Reconciliation, told: Callable[[Reconciliation], None] = lambda run: None, pages: int = 2**62
    ) -> Reconciliation:
        """Goes on with `run` for up to `pages` pages; what is missing goes again.

        Raises: UpstreamError when TEMIS does not answer; the walk then waits where it is.
        """
        while run.ended is None and pages > 0:
            counts, found, behind = await self.look(run.scope, after=run.cursor, last=run.last_id)
            run = await reconciliations.take_over(self._db, self._clock, run, counts, found, behind)
            pages -= 1
            told(run)
        return run

    async def look(
        self, scope: Scope, *, after: int, last: int
    ) -> tuple[Mapping[str, int], list[Discrepancy], int]:
        """Compares the next page and writes nothing. Returns: counts, what was found, the cursor behind it."""
        page, behind = await reconciliations.believed(self._db, scope, after=after, last=last)
        still = [one for one in page if not one.moving]
        counts = Counter(moving=len(page) - len(still))
        found = [d for d in await self._compare(still) if d is not None]
        counts.update(d.kind for d in found)
        counts["same"] += len(still) - len(found)
        return counts, found, behind

    async def _compare(self, page: Sequence[Believed]) -> list[Discrepancy | None]:
        if not page:
            return []
        standing = [one for one in page if one.stands]
        items = dict(
            zip(
                (one.record_id for one in standing),
                await self._expected.items([_place(one) for one in standing]),
                strict=True,
            )
        )
        people = await self._snapshots.sector_ids({one.person_id for one in page})
        keys = {
            one.record_id: NaturalKey(people[one.person_id], one.module_code, one.school_year)
            for one in page
            if one.person_id in people
        }
        stored = await self._read_back(list(keys.values()))
        return [
            _judge(one, items.get(one.record_id), stored.get(keys[one.record_id]))
            for one in page
            if one.record_id in keys
        ]

    async def _read_back(self, keys: Sequence[NaturalKey]) -> Mapping[NaturalKey, StoredRecord]:
        if not self._gate.is_open:  # the deliver stage probes; this has time
            raise NotSent("TEMIS is down or paused: the reconciliation waits")
        async with self._pace.slot():
            try:
                stored = await self._client.query(keys)
            except UpstreamError as error:
                self._gate.failed(error)
                raise
        self._gate.succeeded()
        return stored


def _place(one: Believed) -> Place:
    return Place(
        one.body_id or 0,
        one.vendor_id or 0,
        one.event_id or "",
        one.revision,
        one.person_id,
        one.module_code,
        one.school_year,
        max(1, one.sent_revision),
    )


def _judge(one: Believed, item: object, stored: StoredRecord | None) -> Discrepancy | None:
    shown = stored is not None and not stored.withdrawn
    theirs = stored.revision if stored is not None else None
    if one.stands and not shown:
        fields: tuple[str, ...] = ("withdrawn",) if stored is not None else ()
        # Without its payload it cannot be sent again; what somebody withdrew in TEMIS is for people to judge.
        heal = one.may_heal and stored is None and isinstance(item, RecordItem)
        kind = "missing" if stored is None else "different"
        return Discrepancy(kind, one.record_id, one.delivery_id, fields, one.sent_revision, theirs, heal)
    if not one.stands:
        if not shown:
            return None
        return Discrepancy("unexpected", one.record_id, one.delivery_id, (), one.sent_revision, theirs)
    assert stored is not None
    fields = _differing(item, stored) if isinstance(item, RecordItem) else ()
    if stored.revision != one.sent_revision:
        fields = (*fields, "revision")
    if not fields:
        return None
    return Discrepancy("different", one.record_id, one.delivery_id, fields, one.sent_revision, theirs)


def _differing(item: RecordItem, stored: StoredRecord) -> tuple[str, ...]:
    ours, theirs = content(item), content(stored)
    return tuple(name for name in ours._fields if getattr(ours, name) != getattr(theirs, name))


class Reconciling:
    """The leader's duty: begins a walk when one is due, and goes on with whichever is under way."""

    name = "reconcile"
    every_s = 5.0

    def __init__(self, db: Database, clock: Clock, reconcile: Reconcile, *, interval_ms: int) -> None:
        """`interval_ms` 0: only what people start."""
        self._db = db
        self._clock = clock
        self._reconcile = reconcile
        self._interval_ms = interval_ms

    async def run(self, lease: Lease) -> None:
        """Two leaders at once do no harm: a page is taken over once."""
        run = await reconciliations.under_way(self._db)
        if run is None and await self._is_due():
            run = await reconciliations.start(self._db, self._clock, "schedule")
        if run is None:
            return
        try:
            run = await self._reconcile.walk(run, pages=TURN_PAGES)
        except UpstreamError as error:
            log.warning("reconcile.waiting", reconciliation=run.id, error=error.code)
            return
        if run.ended is not None:
            log.info("reconcile.done", reconciliation=run.id, **run.counts)

    async def _is_due(self) -> bool:
        if not self._interval_ms:
            return False
        last = await reconciliations.latest(self._db, limit=1)
        since = last[0].started_at_ms if last else await reconciliations.first_arrival_ms(self._db)
        return since is not None and self._clock.now_ms() - since >= self._interval_ms
