"""What TEMIS confirmed of a record, and what that ends: deliveries that stood there before, open sends."""

from collections.abc import Sequence
from typing import NamedTuple

from gateway.queue.attempts import note
from gateway.queue.records import BRING_BACK
from gateway.storage.engine import Tx

OUTDONE = """
UPDATE deliveries SET state = 'voided', reason = CASE WHEN n.event_id = deliveries.event_id
           AND n.vendor_id = deliveries.vendor_id THEN 'replaced' ELSE 'superseded' END,
       superseded_by = n.id, due_at_ms = NULL, fence = deliveries.fence + 1, changed_at_ms = :now
FROM {x} JOIN records r ON r.id = x.record_id JOIN deliveries n ON n.id = x.delivery_id
WHERE r.sent_id IS NOT NULL AND r.sent_id <> x.delivery_id AND r.sent_revision < x.revision
  AND deliveries.id = r.sent_id AND deliveries.state = 'delivered'
RETURNING deliveries.id"""
ACKNOWLEDGE = """
UPDATE records SET sent_id = x.delivery_id, sent_revision = x.revision,
       temis_record_id = COALESCE(x.temis_id, temis_record_id)
FROM {x} WHERE records.id = x.record_id AND records.sent_revision < x.revision
RETURNING records.id, records.winner_id, records.record_revision"""
AS_IT_IS = """
SELECT r.id, r.winner_id, r.record_revision FROM {x} JOIN records r ON r.id = x.record_id"""
# TEMIS has answered a higher revision: whatever became of lower ones, it does not show them.
SETTLED = """
UPDATE deliveries SET unknown_since_ms = NULL
FROM {x} WHERE deliveries.record_id = x.id AND deliveries.state = 'voided'
  AND deliveries.unknown_since_ms IS NOT NULL"""
# An answer that is recorded after a newer one's: TEMIS had it for a moment, and shows the newer.
OVERTAKEN = """
UPDATE deliveries SET state = 'voided', reason = CASE WHEN n.event_id = deliveries.event_id
           AND n.vendor_id = deliveries.vendor_id THEN 'replaced' ELSE 'superseded' END,
       superseded_by = n.id, due_at_ms = NULL, fence = deliveries.fence + 1, changed_at_ms = :now
FROM {x} JOIN records r ON r.id = x.record_id JOIN deliveries n ON n.id = r.sent_id
WHERE r.sent_id <> x.delivery_id AND r.sent_revision > x.revision
  AND deliveries.id = x.delivery_id AND deliveries.state = 'delivered'
RETURNING deliveries.id"""
OUTRANK = """
UPDATE records SET record_revision = x.revision + 1
FROM {x} WHERE records.id = x.record_id AND records.winner_id = x.delivery_id
  AND records.record_revision <= x.revision"""


class Acknowledged(NamedTuple):
    """TEMIS confirmed that this delivery's result stands in the record under this revision."""

    record_id: int
    delivery_id: int
    revision: int
    temis_record_id: str | None


async def acknowledge(tx: Tx, answers: Sequence[Acknowledged], now: int) -> None:
    """Notes what TEMIS now shows; of two deliveries that it has taken, the older revision is superseded.

    An answer to an older revision than the record's is none for the winner: another result may have reached
    TEMIS in between, so the winner is sent again.
    """
    if not answers:
        return
    x = tx.json_rows(("record_id", "int"), ("delivery_id", "int"), ("revision", "int"), ("temis_id", "text"))
    ordered = sorted(answers, key=lambda answer: answer.record_id)
    rows = tx.pack(ordered)
    outdone = await tx.rows(OUTDONE.format(x=x), rows=rows, now=now)
    await note(tx, [row.id for row in outdone], "deliver", "superseded", "voided", now)
    known = {row.id: row for row in await tx.rows(ACKNOWLEDGE.format(x=x), rows=rows)}
    behind = [answer for answer in ordered if answer.record_id not in known]
    if behind:
        known |= {row.id: row for row in await tx.rows(AS_IT_IS.format(x=x), rows=tx.pack(behind))}
    outdated = {
        a.delivery_id
        for a in ordered
        if known[a.record_id].winner_id == a.delivery_id and known[a.record_id].record_revision > a.revision
    }
    if overtaken := [a for a in behind if a.delivery_id not in outdated]:
        gone = await tx.rows(OVERTAKEN.format(x=x), rows=tx.pack(overtaken), now=now)
        await note(tx, [row.id for row in gone], "deliver", "superseded", "voided", now)
    if outdated:
        one = tx.json_rows(("id", "int"))
        again = await tx.rows(
            BRING_BACK.format(x=one), rows=tx.pack([(id_,) for id_ in sorted(outdated)]), now=now
        )
        await note(tx, [row.id for row in again], "deliver", "outdated", "verified", now)
    # Nothing was sent for a record before its first revision.
    settled = [a.record_id for a in ordered if 1 < a.revision == known[a.record_id].record_revision]
    if settled:
        one = tx.json_rows(("id", "int"))
        await tx.run(SETTLED.format(x=one), rows=tx.pack([(id_,) for id_ in settled]))


async def outrank(tx: Tx, stale: Sequence[tuple[int, int, int]]) -> None:
    """Lifts our revision above TEMIS's: (record id, delivery id that must still stand, TEMIS's revision)."""
    if stale:
        x = tx.json_rows(("record_id", "int"), ("delivery_id", "int"), ("revision", "int"))
        await tx.run(OUTRANK.format(x=x), rows=tx.pack(sorted(stale)))
