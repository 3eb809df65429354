"""What stands for the record of a delivery now: asked before anything is sent for it."""

from collections.abc import Iterable
from typing import NamedTuple

from gateway.storage.engine import Database, Tx

STANDING = """
SELECT d.id, r.id AS record_id, r.winner_id, r.record_revision, r.person_id, r.module_code, r.school_year,
       b.id AS body_id, (SELECT MAX(n.revision) FROM deliveries n WHERE n.vendor_id = d.vendor_id
                         AND n.event_id = d.event_id AND n.kind = 'completion') AS newest_revision
FROM {x} JOIN deliveries d ON d.id = x.id JOIN records r ON r.id = d.record_id
JOIN deliveries b ON b.vendor_id = d.vendor_id AND b.event_id = d.event_id AND b.revision = d.revision
                 AND b.kind = 'completion'"""


class Standing(NamedTuple):
    """The record of a claimed delivery, as it is now. `body_id`: whose payload says the result."""

    record_id: int
    winner_id: int | None
    record_revision: int
    person_id: int
    module_code: str
    school_year: str
    body_id: int
    newest_revision: int  # of this event, whatever its state


async def standing(db: Database, delivery_ids: Iterable[int]) -> dict[int, Standing]:
    """The records of these deliveries, in one query."""
    ids = list(delivery_ids)
    return await db.look(lambda tx: standing_in(tx, ids))


async def standing_in(tx: Tx, delivery_ids: Iterable[int]) -> dict[int, Standing]:
    """`standing` inside a transaction of the caller's."""
    x = tx.json_rows(("id", "int"))
    found = await tx.rows(STANDING.format(x=x), rows=tx.pack([(id_,) for id_ in delivery_ids]))
    return {
        row.id: Standing(
            row.record_id,
            row.winner_id,
            row.record_revision,
            row.person_id,
            row.module_code,
            row.school_year,
            row.body_id,
            row.newest_revision,
        )
        for row in found
    }
