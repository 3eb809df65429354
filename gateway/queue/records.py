"""One BDTX record per person, module and school year: which delivery stands for it, under which revision.

`record_revision` is our own counter and the only revision TEMIS ever sees. `winner_id` is the delivery
that should stand in TEMIS (a withdrawal, when none should); `sent_id` the one TEMIS last acknowledged.
Which of several it is, model/merge.py says.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from gateway.model.merge import Candidate, choose
from gateway.queue.attempts import note
from gateway.queue.delivery import Target
from gateway.storage.engine import Tx
from gateway.storage.rows import Cell

CANDIDATES = """
SELECT d.id, d.vendor_id, d.event_id, d.revision, d.rank, d.state, d.reason, d.unknown_since_ms, d.kind,
       d.lane, d.day, d.record_id
FROM {x} JOIN deliveries d ON d.record_id = x.id"""
RECORDS = """
SELECT r.id, r.winner_id, r.sent_id, r.record_revision FROM {x} JOIN records r ON r.id = x.id ORDER BY r.id"""
LOCK = "SELECT r.id FROM {x} JOIN records r ON r.id = x.id ORDER BY r.id FOR UPDATE OF r"
OF_EVENTS = """
SELECT DISTINCT d.record_id FROM {x} JOIN deliveries d ON d.vendor_id = x.vendor_id AND d.event_id = x.event_id
WHERE d.record_id IS NOT NULL"""
NEW_WINNERS = """
UPDATE records SET winner_id = x.winner_id, record_revision = record_revision + x.step
FROM {x} WHERE records.id = x.id"""
SUPERSEDE = """
UPDATE deliveries SET state = 'voided', reason = 'superseded', superseded_by = x.winner_id, due_at_ms = NULL,
       fence = fence + 1, changed_at_ms = :now
FROM {x} WHERE deliveries.id = x.id
  AND (deliveries.state = 'held' OR (deliveries.state = 'verified' AND deliveries.unknown_since_ms IS NULL))
RETURNING deliveries.id"""
BRING_BACK = """
UPDATE deliveries SET state = 'verified', reason = NULL, owner = NULL, superseded_by = NULL, due_at_ms = :now,
       fence = fence + 1, tries = 0, claims = 0, changed_at_ms = :now
FROM {x} WHERE deliveries.id = x.id AND deliveries.state IN ('voided', 'delivered')
RETURNING deliveries.id"""
WITHDRAWAL = """
INSERT INTO deliveries (vendor_id, event_id, revision, kind, digest, received_at_ms, day, lane, state,
                        due_at_ms, record_id, person_id, changed_at_ms)
SELECT d.vendor_id, d.event_id, d.revision, 'withdrawal', d.digest, :now, d.day, d.lane, 'verified', :now,
       r.id, r.person_id, :now
FROM {x} JOIN deliveries d ON d.id = x.id JOIN records r ON r.id = x.record_id WHERE true
ON CONFLICT (vendor_id, event_id, revision, kind) DO UPDATE SET
       state = 'verified', due_at_ms = excluded.due_at_ms, record_id = excluded.record_id,
       person_id = excluded.person_id, reason = NULL, tries = 0, claims = 0,
       fence = deliveries.fence + 1, changed_at_ms = excluded.changed_at_ms
RETURNING id, record_id"""
# A record that one delivery alone joins has it as its winner from the first.
ENSURE = """
INSERT INTO records (person_id, module_code, school_year, record_revision, winner_id, sent_revision)
SELECT x.person_id, x.module_code, x.school_year, CASE WHEN x.winner_id IS NULL THEN 0 ELSE 1 END,
       x.winner_id, 0
FROM {x} WHERE true ON CONFLICT DO NOTHING
RETURNING id, person_id, module_code, school_year, winner_id"""
# Its delivery's lease was lost: somebody else decides.
EMPTY = """
UPDATE records SET winner_id = NULL, record_revision = 0 FROM {x} WHERE records.id = x.id"""
FIND = """
SELECT r.id, r.person_id, r.module_code, r.school_year
FROM {x} JOIN records r ON r.person_id = x.person_id AND r.module_code = x.module_code
                       AND r.school_year = x.school_year"""
# A correction that names another person, module or year leaves its old record behind.
LEAVE = """
UPDATE deliveries SET state = 'voided', reason = 'replaced', superseded_by = x.id, due_at_ms = NULL,
       fence = fence + 1, changed_at_ms = :now
FROM {x}
WHERE deliveries.vendor_id = x.vendor_id AND deliveries.event_id = x.event_id
  AND deliveries.revision < x.revision AND deliveries.kind = 'completion'
  AND deliveries.record_id IS NOT NULL AND deliveries.record_id <> x.record_id
  AND (deliveries.state <> 'voided' OR deliveries.reason = 'superseded')
RETURNING deliveries.id, deliveries.record_id"""


RecordKey = tuple[int, str, str]  # person, module, school year


class Correction(NamedTuple):
    """A verified delivery with a revision above 1, and the record it now belongs to."""

    delivery_id: int
    vendor_id: int
    event_id: str
    revision: int
    record_id: int


class Ensured(NamedTuple):
    """`ids`: natural key -> record id, for every target. `fresh`: new record -> the one delivery it is for."""

    ids: dict[RecordKey, int]
    fresh: dict[int, int]


async def ensure(tx: Tx, targets: Iterable[tuple[int, Target]]) -> Ensured:
    """Makes the missing records of (delivery id, target). A new one for one delivery needs no `settle`."""
    joining: dict[RecordKey, int | None] = {}
    for delivery_id, t in targets:
        key = (t.person_id, t.module_code, t.school_year)
        joining[key] = None if key in joining else delivery_id
    if not joining:
        return Ensured({}, {})
    x = tx.json_rows(
        ("person_id", "int"), ("module_code", "text"), ("school_year", "text"), ("winner_id", "int")
    )
    cells = sorted((*key, winner_id) for key, winner_id in joining.items())
    made = await tx.rows(ENSURE.format(x=x), rows=tx.pack(cells))
    ids = {(row.person_id, row.module_code, row.school_year): row.id for row in made}
    if len(made) < len(joining):
        x = tx.json_rows(("person_id", "int"), ("module_code", "text"), ("school_year", "text"))
        found = await tx.rows(FIND.format(x=x), rows=tx.pack(sorted(joining.keys() - ids.keys())))
        ids |= {(row.person_id, row.module_code, row.school_year): row.id for row in found}
    return Ensured(ids, {row.id: row.winner_id for row in made if row.winner_id is not None})


async def empty(tx: Tx, record_ids: Iterable[int]) -> None:
    """Takes the delivery out of new records again: its result was not written."""
    if ids := sorted(record_ids):
        await tx.run(EMPTY.format(x=tx.json_rows(("id", "int"))), rows=tx.pack([(id_,) for id_ in ids]))


async def lock(tx: Tx, record_ids: Iterable[int], events: Iterable[tuple[int, str]] = ()) -> None:
    """Whoever changes a record, or what stands for it, comes here first: before it touches any delivery.

    So two transactions on one record decide one after the other, and wait for each other in one order: by
    record id. `events`: (vendor id, event id), whose deliveries' records are locked too. SQLite has one writer.
    """
    if tx.dialect != "postgresql":
        return
    ids = set(record_ids)
    if wanted := sorted(set(events)):
        x = tx.json_rows(("vendor_id", "int"), ("event_id", "text"))
        ids |= {row.record_id for row in await tx.rows(OF_EVENTS.format(x=x), rows=tx.pack(wanted))}
    if ids:
        x = tx.json_rows(("id", "int"))
        await tx.rows(LOCK.format(x=x), rows=tx.pack([(id_,) for id_ in sorted(ids)]))


async def leave(tx: Tx, corrections: Sequence[Correction], now: int) -> set[int]:
    """Voids lower revisions of these events that stand in another record. Returns: records to settle."""
    if not corrections:
        return set()
    x = tx.json_rows(
        ("id", "int"), ("vendor_id", "int"), ("event_id", "text"), ("revision", "int"), ("record_id", "int")
    )
    left = await tx.rows(LEAVE.format(x=x), rows=tx.pack(sorted(corrections)), now=now)
    await note(tx, [row.id for row in left], "verify", "replaced", "voided", now)
    return {row.record_id for row in left}


async def settle(tx: Tx, record_ids: Iterable[int], now: int, sole: Mapping[int, int] | None = None) -> None:
    """Chooses the winner of each record anew and moves the deliveries that this concerns.

    A new winner gets the next revision. A loser that TEMIS cannot have seen is superseded at once; one that
    it has, when the winner is acknowledged (`acknowledge`). Where none is left and TEMIS may have one, a
    withdrawal becomes the winner.

    `sole` names, for records that only one delivery of this transaction joins, that delivery: a record
    without a winner has no other candidate, so the usual case costs no look at the candidates.
    """
    ids = sorted(set(record_ids))
    if not ids:
        return
    x = tx.json_rows(("id", "int"))
    # Nobody could name all of them beforehand (`leave`); the others are ours already.
    locked = " FOR UPDATE OF r" if tx.dialect == "postgresql" else ""
    standing = await tx.rows(RECORDS.format(x=x) + locked, rows=tx.pack([(id_,) for id_ in ids]))
    plan = _Plan()
    contested = []
    for record in standing:
        only = sole.get(record.id) if sole and record.winner_id is None else None
        if only is not None:
            plan.winners.append((record.id, only, 1))
        else:
            contested.append(record)
    by_record: dict[int, list[Any]] = {record.id: [] for record in contested}
    if contested:
        rows = tx.pack([(id_,) for id_ in by_record])
        for row in await tx.rows(CANDIDATES.format(x=x), rows=rows):
            by_record[row.record_id].append(row)
    for record in contested:
        plan.add(record, by_record[record.id])
    await plan.carry_out(tx, now)


# A held row keeps its record only when TEMIS refused it curably; an identity hold leaves the record.
_STANDING = frozenset({"verified", "delivered", "held"})


class _Plan:
    """All changes of one `settle`, so that each kind is one statement."""

    def __init__(self) -> None:
        self.winners: list[tuple[Cell, ...]] = []
        self.superseded: list[tuple[Cell, ...]] = []
        self.back: list[tuple[Cell, ...]] = []
        self.withdraw: list[tuple[Cell, ...]] = []  # (delivery whose result is taken back, record)

    def add(self, record: Any, rows: list[Any]) -> None:
        by_id = {row.id: row for row in rows}
        candidates = [
            Candidate(row.id, row.vendor_id, row.event_id, row.revision, row.rank or 0)
            for row in rows
            if row.kind == "completion"
            and (row.state in _STANDING or (row.state == "voided" and row.reason == "superseded"))
        ]
        best = choose(candidates)
        if best is None:
            self._add_withdrawal(record, by_id)
            return
        winner_id = best.delivery_id
        if winner_id != record.winner_id:
            winner = by_id[winner_id]
            # In flight: another result may reach TEMIS after all, so even a known winner is sent again.
            in_flight = any(row.unknown_since_ms is not None for row in rows if row.id != winner_id)
            stands = record.sent_id == winner_id and winner.state == "delivered" and not in_flight
            self.winners.append((record.id, winner_id, 0 if stands else 1))
            if winner.state == "voided" or (winner.state == "delivered" and not stands):
                self.back.append((winner_id,))
        elif by_id[winner_id].state == "voided":  # by a worker that had seen it outdone
            self.back.append((winner_id,))
        self.superseded += [(c.delivery_id, winner_id) for c in candidates if c.delivery_id != winner_id]

    def _add_withdrawal(self, record: Any, by_id: Mapping[int, Any]) -> None:
        """Nobody stands for the record any more: TEMIS is told so, if it may have been told otherwise."""
        winner = by_id.get(record.winner_id)  # None when it has left the record
        if record.winner_id is None or (winner is not None and winner.kind == "withdrawal"):
            return
        sent = by_id.get(record.sent_id)
        in_temis = record.sent_id is not None and (sent is None or sent.kind == "completion")
        if in_temis or any(row.unknown_since_ms is not None for row in by_id.values()):
            self.withdraw.append((record.winner_id, record.id))
        else:
            self.winners.append((record.id, None, 0))

    async def carry_out(self, tx: Tx, now: int) -> None:
        if self.withdraw:
            x = tx.json_rows(("id", "int"), ("record_id", "int"))
            made = await tx.rows(WITHDRAWAL.format(x=x), rows=tx.pack(sorted(self.withdraw)), now=now)
            self.winners += [(row.record_id, row.id, 1) for row in made]
            await note(tx, [row.id for row in made], "withdraw", "created", "verified", now)
        if self.winners:
            x = tx.json_rows(("id", "int"), ("winner_id", "int"), ("step", "int"))
            await tx.run(NEW_WINNERS.format(x=x), rows=tx.pack(sorted(self.winners)))
        if self.superseded:
            x = tx.json_rows(("id", "int"), ("winner_id", "int"))
            gone = await tx.rows(SUPERSEDE.format(x=x), rows=tx.pack(sorted(self.superseded)), now=now)
            await note(tx, [row.id for row in gone], "verify", "superseded", "voided", now)
        if self.back:
            x = tx.json_rows(("id", "int"))
            again = await tx.rows(BRING_BACK.format(x=x), rows=tx.pack(sorted(self.back)), now=now)
            await note(tx, [row.id for row in again], "withdraw", "next_best", "verified", now)
