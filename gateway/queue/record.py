"""Results of a stage -> rows: state, attempt log, holds and records, in one transaction.

A result is written only `WHERE id AND fence AND state`. What comes from a worker that lost its lease is
kept in the attempt log as late and changes nothing else.
"""

import random
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gateway.model.clock import Clock
from gateway.model.outcomes import Advance, Bury, Hold, RetryLater
from gateway.model.states import Kind, State
from gateway.queue import attempts, records
from gateway.queue.acknowledge import Acknowledged, acknowledge, outrank
from gateway.queue.delivery import Delivery, Result, Target
from gateway.queue.lanes import INTERACTIVE, SUSPECT, VENDOR
from gateway.queue.new_row import NewRow, leased, leaves_record, new_row
from gateway.queue.standing import Standing, standing_in
from gateway.queue.wake import NEWER, lock_against_wakes
from gateway.storage.engine import Database, Tx
from gateway.storage.rows import Cell

UPDATE = f"""
UPDATE deliveries SET
    state = x.state, due_at_ms = x.due, tries = x.tries, claims = x.claims, reason = x.reason, owner = x.owner,
    fence = deliveries.fence + 1, changed_at_ms = :now,
    lane = CASE WHEN deliveries.lane IN ({SUSPECT}, {INTERACTIVE}) THEN {VENDOR} + deliveries.vendor_id
                ELSE deliveries.lane END,
    unknown_since_ms = CASE x.unknown WHEN 1 THEN deliveries.unknown_since_ms
                                      WHEN 2 THEN CAST(:now AS bigint) END,
    person_id = COALESCE(x.person_id, deliveries.person_id), rank = COALESCE(x.rank, deliveries.rank),
    record_id = CASE WHEN x.leaves = 1 THEN NULL ELSE COALESCE(x.record_id, deliveries.record_id) END
FROM {{x}}
WHERE deliveries.id = x.id AND deliveries.fence = x.fence AND deliveries.state = x.was
RETURNING deliveries.id"""


class Recorded(NamedTuple):
    """What a transaction of results brought about."""

    lost: set[int]  # deliveries whose lease was lost; only the attempt log knows of their results
    leased: list[Delivery]  # verified deliveries that are claimed for the deliver stage already
    places: dict[int, Standing]  # of the leased ones, as of this transaction


async def record(
    db: Database,
    clock: Clock,
    stage: str,
    results: Sequence[Result],
    *,
    acknowledged: Sequence[Acknowledged] = (),
    seen_wake: int = 0,
    jitter: random.Random,
) -> set[int]:
    """Writes all results in one transaction, sorted by id.

    `seen_wake` is the newest wake known before the stage looked at anything: a hold that a later wake
    concerns is due at once instead of waiting for a wake that has already passed.

    Returns: ids of deliveries whose lease was lost; their results changed nothing but the attempt log.
    """
    if not results:
        return set()
    recorded = await db.write(
        lambda tx: record_in(tx, stage, results, acknowledged, seen_wake, clock.now_ms(), jitter)
    )
    return recorded.lost


async def record_in(
    tx: Tx,
    stage: str,
    results: Sequence[Result],
    acknowledged: Sequence[Acknowledged],
    seen_wake: int,
    now: int,
    jitter: random.Random,
    next_lease_ms: int = 0,
) -> Recorded:
    """`record` inside a transaction of the caller's.

    `next_lease_ms` above 0: what advances to verified with a target is claimed for the deliver stage at once,
    by the same rules as a claim of its own; the caller goes on with it, or its lease runs out.
    """
    results = sorted(results, key=lambda r: r.delivery.id)
    woken = await _woken_since(tx, results, seen_wake)
    rows = [new_row(result, now, jitter, woken) for result in results]
    if next_lease_ms:
        rows = [
            row if r.target is None else leased(row, now + next_lease_ms)
            for r, row in zip(results, rows, strict=True)
        ]
    targets = [(r.delivery.id, r.target) for r in results if r.target is not None]
    record_ids, fresh = await records.ensure(tx, targets)
    await records.lock(tx, *_concerned(results, acknowledged, record_ids))
    kept = await _update(tx, results, rows, record_ids, now)
    await records.empty(tx, [record_id for record_id, id_ in fresh.items() if id_ not in kept])
    await _write_waits(tx, [r for r in results if r.delivery.id in kept])
    await attempts.append(
        tx,
        stage,
        [
            (
                r,
                row.state.value if row.state is not r.delivery.state and r.delivery.id in kept else None,
                r.delivery.id not in kept,
            )
            for r, row in zip(results, rows, strict=True)
        ],
        now,
    )
    await acknowledge(tx, [a for a in acknowledged if a.delivery_id in kept], now)
    await outrank(
        tx,
        [
            (r.delivery.record_id, r.delivery.id, r.outcome.outrank)
            for r in results
            if isinstance(r.outcome, RetryLater) and r.outcome.outrank and r.delivery.record_id
        ],
    )
    await _settle(tx, [r for r in results if r.delivery.id in kept], record_ids, fresh, now)
    taken = [
        _next_claim(r, r.target, record_ids)
        for r, row in zip(results, rows, strict=True)
        if row.leased and r.target is not None and r.delivery.id in kept
    ]
    lost = {r.delivery.id for r in results} - kept
    return Recorded(lost, taken, await _places(tx, taken, {r.delivery.id: r.target for r in results}, fresh))


async def _places(
    tx: Tx, taken: Sequence[Delivery], targets: Mapping[int, Target | None], fresh: Mapping[int, int]
) -> dict[int, Standing]:
    """Where the leased deliveries stand. That of a new record is known without looking."""
    places = {}
    for d in taken:
        target = targets[d.id]
        if d.record_id is not None and target is not None and fresh.get(d.record_id) == d.id:
            key = (target.person_id, target.module_code, target.school_year)
            places[d.id] = Standing(d.record_id, d.id, 1, *key, body_id=d.id, newest_revision=d.revision)
    if others := [d.id for d in taken if d.id not in places]:
        places |= await standing_in(tx, others)
    return places


def _concerned(
    results: Sequence[Result],
    acknowledged: Sequence[Acknowledged],
    record_ids: Mapping[records.RecordKey, int],
) -> tuple[set[int], list[tuple[int, str]]]:
    """The records that these results may change, and the events whose older revisions may leave theirs."""
    ids = set(record_ids.values())
    ids |= {r.delivery.record_id for r in results if r.delivery.record_id is not None}
    ids |= {a.record_id for a in acknowledged}
    corrected = [r.delivery for r in results if r.target is not None and r.delivery.revision > 1]
    return ids, [(d.vendor_id, d.event_id) for d in corrected]


def _next_claim(result: Result, target: Target, record_ids: Mapping[records.RecordKey, int]) -> Delivery:
    """The delivery as the deliver stage holds it."""
    d = result.delivery
    return Delivery(
        id=d.id,
        vendor_id=d.vendor_id,
        event_id=d.event_id,
        revision=d.revision,
        kind=d.kind,
        state=State.VERIFIED,
        lane=d.lane,
        fence=d.fence + 1,
        tries=0,
        claims=1,
        was_unknown=False,
        person_id=target.person_id,
        record_id=record_ids[target.person_id, target.module_code, target.school_year],
        received_at_ms=d.received_at_ms,
    )


async def _woken_since(tx: Tx, results: Sequence[Result], seen_wake: int) -> set[tuple[str, str]]:
    if not any(isinstance(r.outcome, Hold) for r in results):
        return set()
    await lock_against_wakes(tx, exclusive=False)
    found = await tx.rows(NEWER, seen=seen_wake)
    return {(row.kind, row.key) for row in found}


async def _update(
    tx: Tx,
    results: Sequence[Result],
    rows: Sequence[NewRow],
    record_ids: Mapping[records.RecordKey, int],
    now: int,
) -> set[int]:
    x = tx.json_rows(
        ("id", "int"),
        ("fence", "int"),
        ("was", "text"),
        ("state", "text"),
        ("due", "int"),
        ("tries", "int"),
        ("reason", "text"),
        ("owner", "text"),
        ("unknown", "int"),
        ("person_id", "int"),
        ("rank", "int"),
        ("record_id", "int"),
        ("leaves", "int"),
        ("claims", "int"),
    )
    cells: list[tuple[Cell, ...]] = []
    for result, row in zip(results, rows, strict=True):
        d, target = result.delivery, result.target
        cells.append(
            (
                d.id,
                d.fence,
                d.state.value,
                row.state.value,
                row.due_at_ms,
                row.tries,
                row.reason,
                row.owner,
                2 if row.leased else int(row.unknown),
                target.person_id if target else None,
                target.rank if target else None,
                record_ids[target.person_id, target.module_code, target.school_year] if target else None,
                int(leaves_record(d, row)),
                int(row.leased),
            )
        )
    found = await tx.rows(UPDATE.format(x=x), rows=tx.pack(cells), now=now)
    return {row.id for row in found}


async def _write_waits(tx: Tx, kept: Sequence[Result]) -> None:
    had = [r.delivery.id for r in kept if r.delivery.state is State.HELD]
    if had:
        x = tx.json_rows(("id", "int"))
        await tx.run(
            f"DELETE FROM waits WHERE delivery_id IN (SELECT x.id FROM {x})",
            rows=tx.pack([(id_,) for id_ in had]),
        )
    cells = sorted(
        {(r.delivery.id, w.kind, w.key) for r in kept if isinstance(r.outcome, Hold) for w in r.outcome.waits}
    )
    if cells:
        x = tx.json_rows(("delivery_id", "int"), ("kind", "text"), ("key", "text"))
        await tx.run(
            f"INSERT INTO waits (delivery_id, kind, key) SELECT x.delivery_id, x.kind, x.key FROM {x} "
            "WHERE true ON CONFLICT DO NOTHING",
            rows=tx.pack(cells),
        )


async def _settle(
    tx: Tx,
    kept: Sequence[Result],
    record_ids: Mapping[records.RecordKey, int],
    fresh: Mapping[int, int],
    now: int,
) -> None:
    """Chooses winners anew wherever a delivery joined, left or fell out of a record."""
    joined: dict[int, list[int]] = {}
    touched: set[int] = set()
    corrections: list[records.Correction] = []
    for result in kept:
        d, target, outcome = result.delivery, result.target, result.outcome
        if target is not None:
            record_id = record_ids[target.person_id, target.module_code, target.school_year]
            if fresh.get(record_id) != d.id:  # that one has its winner
                joined.setdefault(record_id, []).append(d.id)
            if d.revision > 1:
                corrections.append(records.Correction(d.id, d.vendor_id, d.event_id, d.revision, record_id))
            if d.record_id is not None and d.record_id != record_id:
                touched.add(d.record_id)
        elif d.record_id is not None and d.kind is Kind.COMPLETION:
            fell_out = (
                isinstance(outcome, Bury | Hold)
                or (isinstance(outcome, RetryLater) and outcome.own_fault)
                or (isinstance(outcome, Advance) and outcome.state is State.VOIDED)
            )
            if fell_out:
                touched.add(d.record_id)
    touched |= await records.leave(tx, corrections, now)
    sole = {record_id: ids[0] for record_id, ids in joined.items() if len(ids) == 1}
    await records.settle(tx, touched | joined.keys(), now, sole)
