"""Arrivals of many requests -> one commit -> receipts. 202 is answered only after that commit.

One task owns the transaction (group commit): while it commits, requests gather and form the next group.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import orjson
from sqlalchemy import insert

from gateway.model.clock import Clock, day_number
from gateway.model.errors import Overloaded, StorageBusy
from gateway.queue import records
from gateway.queue.attempts import note
from gateway.queue.delivery import Arrival, Receipt, ReceiptStatus, SetAside
from gateway.storage import tables
from gateway.storage.engine import Database, Tx

GROUP_ROWS = 1_000  # a write transaction stays short for the other process on the same file

INSERT = """
INSERT INTO deliveries (vendor_id, event_id, revision, kind, digest, received_at_ms, day, lane, state,
                        due_at_ms, changed_at_ms, course)
SELECT x.vendor_id, x.event_id, x.revision, 'completion', x.digest, :now, :day, x.lane, 'accepted', :now, :now,
       x.course
FROM {x} WHERE true
ON CONFLICT DO NOTHING
RETURNING id, vendor_id, event_id, revision"""

PAYLOADS = "INSERT INTO payloads (delivery_id, body) VALUES (:delivery_id, :body)"

KNOWN = """
SELECT d.id, d.vendor_id, d.event_id, d.revision, d.digest
FROM {x} JOIN deliveries d ON d.vendor_id = x.vendor_id AND d.event_id = x.event_id
WHERE d.kind = 'completion'"""

# Older revisions that TEMIS cannot have seen; one that may be on its way is left to the deliver stage.
REPLACE = """
UPDATE deliveries SET state = 'voided', reason = 'replaced', superseded_by = x.id, due_at_ms = NULL,
       fence = fence + 1, changed_at_ms = :now
FROM {x}
WHERE deliveries.vendor_id = x.vendor_id AND deliveries.event_id = x.event_id
  AND deliveries.revision < x.revision AND deliveries.kind = 'completion'
  AND (deliveries.state IN ('accepted', 'held', 'dead')
       OR (deliveries.state = 'verified' AND deliveries.unknown_since_ms IS NULL)
       OR (deliveries.state = 'voided' AND deliveries.reason = 'superseded'))
RETURNING deliveries.id, deliveries.record_id"""


# What a request writes beside its arrivals, in the same transaction; what it raises rolls the request back.
Also = Callable[[Tx, Sequence[Receipt]], Awaitable[None]]


@dataclass(slots=True)
class _Request:
    arrivals: Sequence[Arrival]
    asides: Sequence[SetAside]
    since_ms: int
    done: asyncio.Future[list[Receipt]]
    also: Also | None = None


class Acceptor:
    """Takes arrivals from any number of requests and commits them in groups."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        *,
        max_wait_ms: int = 2_000,
        committed: Callable[[float, int], None] | None = None,
    ) -> None:
        """`committed` is told of each group commit: seconds it took, items it held."""
        self._db = db
        self._clock = clock
        self._max_wait_ms = max_wait_ms
        self._committed = committed
        self._waiting: deque[_Request] = deque()
        self._committer: asyncio.Task[None] | None = None

    async def accept(
        self, arrivals: Sequence[Arrival], asides: Sequence[SetAside] = (), also: Also | None = None
    ) -> list[Receipt]:
        """Stores everything durably. Returns: one receipt per arrival, in the order given.

        `also` is given the receipts and writes in the same transaction, which may run again.
        Raises: Overloaded when requests wait longer than `max_wait_ms` (nothing of this one is stored);
        StorageBusy when the database did not take it; what `also` raises (nothing of this one is stored).
        """
        now = self._clock.now_ms()
        if self._waiting and now - self._waiting[0].since_ms > self._max_wait_ms:
            raise Overloaded("the gateway is storing as fast as it can")
        request = _Request(arrivals, asides, now, asyncio.get_running_loop().create_future(), also)
        self._waiting.append(request)
        if self._committer is None or self._committer.done():
            self._committer = asyncio.create_task(self._commit_waiting())
        # A caller that goes away must not cancel the commit that others share.
        return await asyncio.shield(request.done)

    @property
    def waiting(self) -> int:
        """Requests that wait for the next commit."""
        return len(self._waiting)

    async def drain(self) -> None:
        """Waits until every accepted request is committed."""
        if self._committer is not None:
            await self._committer

    async def _commit_waiting(self) -> None:
        while self._waiting:
            group = [self._waiting.popleft()]
            rows = len(group[0].arrivals) + len(group[0].asides)
            while self._waiting:
                rows += len(self._waiting[0].arrivals) + len(self._waiting[0].asides)
                if rows > GROUP_ROWS:
                    break
                group.append(self._waiting.popleft())
            await self._commit_or_tell(group)

    async def _commit_or_tell(self, group: list[_Request]) -> None:
        """Commits, or tells the requests why not. One bad request must not fail the others: each alone then."""
        try:
            await self._commit(group)
        except Exception as error:  # handed to the requests that it is about
            # A database that takes nothing is nobody's fault: whoever waits would wait for each try.
            if len(group) > 1 and not isinstance(error, StorageBusy):
                for request in group:
                    await self._commit_or_tell([request])
                return
            for request in group:
                if not request.done.done():
                    request.done.set_exception(error)

    async def _commit(self, group: list[_Request]) -> None:
        arrivals = [arrival for request in group for arrival in request.arrivals]
        asides = [aside for request in group for aside in request.asides]
        now = self._clock.now_ms()
        started = time.perf_counter()

        async def in_tx(tx: Tx) -> list[Receipt]:
            receipts = await store(tx, arrivals, asides, now)
            start = 0
            for request in group:
                end = start + len(request.arrivals)
                if request.also is not None:
                    await request.also(tx, receipts[start:end])
                start = end
            return receipts

        receipts = await self._db.write(in_tx)
        if self._committed is not None:
            self._committed(time.perf_counter() - started, len(arrivals) + len(asides))
        start = 0
        for request in group:
            end = start + len(request.arrivals)
            if not request.done.done():
                request.done.set_result(receipts[start:end])
            start = end


async def store(tx: Tx, arrivals: Sequence[Arrival], asides: Sequence[SetAside], now: int) -> list[Receipt]:
    """Writes arrivals, payloads, what is set aside and the ledger. Returns: one receipt per arrival."""
    receipts: dict[int, Receipt] = {}
    fresh: dict[tuple[int, str, int], int] = {}  # key -> index of the first arrival with it
    if arrivals:
        known = await _known(tx, arrivals)
        for i, a in enumerate(arrivals):
            receipt = _judge(a, known.get((a.vendor_id, a.event_id), {}))
            if receipt is None and fresh.setdefault((a.vendor_id, a.event_id, a.revision), i) == i:
                continue
            if receipt is not None:
                receipts[i] = receipt
        inserted = await _insert(tx, [arrivals[i] for i in fresh.values()], now)
        if len(inserted) < len(fresh):  # another process stored the same event between our two statements
            known = await _known(tx, arrivals)
        await tx.run_many(
            PAYLOADS,
            [{"delivery_id": id_, "body": arrivals[fresh[key]].body} for key, id_ in inserted.items()],
        )
        corrected = await _replace_older(tx, arrivals, fresh, inserted, known, now)
        for i, a in enumerate(arrivals):
            if i in receipts:
                continue
            key = (a.vendor_id, a.event_id, a.revision)
            if key in inserted and fresh[key] == i:
                status = ReceiptStatus.CORRECTED if key in corrected else ReceiptStatus.ACCEPTED
                receipts[i] = Receipt(status, inserted[key])
            elif key in inserted:  # the same key twice in one group
                same = arrivals[fresh[key]].digest == a.digest
                receipts[i] = Receipt(
                    ReceiptStatus.DUPLICATE if same else ReceiptStatus.CONFLICT, inserted[key]
                )
            else:
                receipts[i] = _judge(a, known[a.vendor_id, a.event_id]) or Receipt(ReceiptStatus.STALE, None)
    kept = [*asides, *_kept(arrivals, receipts)]
    await tx.insert_many(
        insert(tables.quarantine),
        [
            {
                "vendor_id": k.vendor_id,
                "at_ms": now,
                "kind": k.kind,
                "event_id": k.event_id,
                "faults": k.faults,
                "body_sealed": k.body,
            }
            for k in kept
        ],
    )
    await _write_ledger(tx, arrivals, receipts, asides, now)
    return [receipts[i] for i in range(len(arrivals))]


Known = dict[tuple[int, str], dict[int, tuple[int, bytes]]]  # (vendor, event) -> revision -> (id, digest)


async def _known(tx: Tx, arrivals: Sequence[Arrival]) -> Known:
    x = tx.json_rows(("vendor_id", "int"), ("event_id", "text"))
    keys = sorted({(a.vendor_id, a.event_id) for a in arrivals})
    known: Known = {}
    for row in await tx.rows(KNOWN.format(x=x), rows=tx.pack(keys)):
        known.setdefault((row.vendor_id, row.event_id), {})[row.revision] = (row.id, row.digest)
    return known


def _judge(arrival: Arrival, revisions: dict[int, tuple[int, bytes]]) -> Receipt | None:
    """The receipt of an arrival whose event is known already; None when it is to be stored."""
    if arrival.revision in revisions:
        id_, digest = revisions[arrival.revision]
        same = digest == arrival.digest
        return Receipt(ReceiptStatus.DUPLICATE if same else ReceiptStatus.CONFLICT, id_)
    newer = [revision for revision in revisions if revision > arrival.revision]
    return Receipt(ReceiptStatus.STALE, revisions[max(newer)][0]) if newer else None


async def _insert(tx: Tx, fresh: list[Arrival], now: int) -> dict[tuple[int, str, int], int]:
    if not fresh:
        return {}
    x = tx.json_rows(
        *(("vendor_id", "int"), ("event_id", "text"), ("revision", "int"), ("digest", "blob"), ("lane", "int")),
        ("course", "int"),
    )
    # Sorted, so that two processes storing overlapping batches lock in the same order (PostgreSQL deadlocks).
    cells = sorted((a.vendor_id, a.event_id, a.revision, a.digest, a.lane, a.course) for a in fresh)
    found = await tx.rows(INSERT.format(x=x), rows=tx.pack(cells), now=now, day=day_number(now))
    return {(row.vendor_id, row.event_id, row.revision): row.id for row in found}


async def _replace_older(
    tx: Tx,
    arrivals: Sequence[Arrival],
    fresh: dict[tuple[int, str, int], int],
    inserted: dict[tuple[int, str, int], int],
    known: Known,
    now: int,
) -> set[tuple[int, str, int]]:
    """Voids older revisions that were not sent. Returns: keys of arrivals that correct something."""
    revisions: dict[tuple[int, str], list[int]] = {}
    for vendor_id, event_id, revision in fresh:
        revisions.setdefault((vendor_id, event_id), []).append(revision)
    corrected = {key for key in inserted if min((*revisions[key[:2]], *known.get(key[:2], ()))) < key[2]}
    if corrected:
        x = tx.json_rows(("id", "int"), ("vendor_id", "int"), ("event_id", "text"), ("revision", "int"))
        cells = sorted((inserted[key], *key) for key in corrected if key[2] == max(revisions[key[:2]]))
        await records.lock(tx, (), (key[:2] for key in corrected))
        voided = await tx.rows(REPLACE.format(x=x), rows=tx.pack(cells), now=now)
        await note(tx, [row.id for row in voided], "receive", "replaced", "voided", now)
        await records.settle(tx, {row.record_id for row in voided if row.record_id is not None}, now)
    return corrected


def _kept(arrivals: Sequence[Arrival], receipts: dict[int, Receipt]) -> list[SetAside]:
    return [
        SetAside(a.vendor_id, receipts[i].status.value, a.event_id, "[]", a.body)
        for i, a in enumerate(arrivals)
        if receipts[i].status in (ReceiptStatus.CONFLICT, ReceiptStatus.STALE)
    ]


async def _write_ledger(
    tx: Tx,
    arrivals: Sequence[Arrival],
    receipts: dict[int, Receipt],
    asides: Sequence[SetAside],
    now: int,
) -> None:
    taken = {ReceiptStatus.ACCEPTED: "received", ReceiptStatus.CORRECTED: "received"}
    counts: Counter[tuple[int, str, int]] = Counter(
        (a.vendor_id, taken.get(receipts[i].status, receipts[i].status.value), a.course)
        for i, a in enumerate(arrivals)
    )
    counts.update((aside.vendor_id, aside.kind, 0) for aside in asides)
    await add_to_ledger(tx, counts, now)


async def add_to_ledger(tx: Tx, counts: Counter[tuple[int, str, int]], now: int) -> None:
    """Appends (vendor_id, kind, course) counts to today's ledger: one row for each vendor and kind."""
    courses: dict[tuple[int, str], dict[int, int]] = {}
    for (vendor_id, kind, course), n in counts.items():
        courses.setdefault((vendor_id, kind), {})[course] = n
    await tx.insert_many(
        insert(tables.intake),
        [
            {
                "vendor_id": vendor_id,
                "day": day_number(now),
                "kind": kind,
                "n": sum(of.values()),
                "courses": orjson.dumps(of, option=orjson.OPT_NON_STR_KEYS).decode(),
                "at_ms": now,
            }
            for (vendor_id, kind), of in sorted(courses.items())
        ],
    )
