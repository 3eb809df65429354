"""The whole audit against its seals: every changed, removed, added or reordered row and seal, by its number.

Reads page by page, each in a short snapshot; nothing is changed. What is not sealed yet is counted, not judged.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from gateway.security.seals import FIRST, Seal, root_of
from gateway.storage.audit_seals import leaf_of, newest_in, seals_of
from gateway.storage.engine import Database, Tx

PAGE = 100  # seals; most hold a few rows

SEALS = """
SELECT seq, at_ms, rows_sealed, first_id, last_id, root, previous, link, mark FROM audit_seals
WHERE seq > :after ORDER BY seq LIMIT :limit"""
SEALED = """
SELECT id, at_ms, actor, act, object, detail, seal, leaf FROM audit WHERE seal >= :first AND seal <= :last
ORDER BY seal, id"""
ASTRAY = "SELECT id, seal FROM audit WHERE seal > :newest ORDER BY seal, id LIMIT 100"
TAIL = "SELECT COUNT(*) AS n, MIN(at_ms) AS since_ms FROM audit WHERE seal IS NULL"


class Fault(NamedTuple):
    """`kind` as docs/security.md lists them; `row` where the fault can be told of one row."""

    kind: str
    seal: int
    row: int | None = None


@dataclass
class Checked:
    """What was read, and what is wrong with it."""

    seals: int = 0
    rows: int = 0
    head: Seal | None = None
    unsealed: int = 0
    unsealed_since_ms: int | None = None
    faults: list[Fault] = field(default_factory=list)


async def check_audit(db: Database, key: bytes, *, head: tuple[int, str] | None = None) -> Checked:
    """Checks every row. `head`: number and link (hex) of a seal as it was once written down elsewhere."""
    told = Checked()
    async with db.read() as tx:
        newest = await newest_in(tx)
    last = newest.seq if newest else 0
    link = FIRST
    while _at(told) < last:
        async with db.read() as tx:
            page = [s for s in seals_of(await tx.rows(SEALS, after=_at(told), limit=PAGE)) if s.seq <= last]
            if not page:
                break
            found = await _rows_of(tx, page[0].seq, page[-1].seq)
        for seal in page:
            _check_link(told, seal, link, key)
            _check_rows(told, seal, found.get(seal.seq, []))
            if head is not None and seal.seq == head[0] and seal.link.hex() != head[1]:
                told.faults.append(Fault("head.differs", seal.seq))
            link, told.head, told.seals = seal.link, seal, told.seals + 1
    if head is not None and head[0] > _at(told):
        told.faults.append(Fault("head.missing", head[0]))
    async with db.read() as tx:
        # Seals that were made while we read are no fault, so the newest is looked for again.
        newest = await newest_in(tx)
        astray = await tx.rows(ASTRAY, newest=newest.seq if newest else 0)
        told.faults += [Fault("seal.missing", row.seal, row.id) for row in astray]
        [tail] = await tx.rows(TAIL)
    told.unsealed, told.unsealed_since_ms = int(tail.n), tail.since_ms
    return told


def _at(told: Checked) -> int:
    return told.head.seq if told.head else 0


async def _rows_of(tx: Tx, first: int, last: int) -> dict[int, list[tuple[int, bytes, bytes]]]:
    """Seal -> its rows, in order of their ids: (id, leaf as it is now, leaf as it was sealed)."""
    found: dict[int, list[tuple[int, bytes, bytes]]] = {}
    for row in await tx.rows(SEALED, first=first, last=last):
        found.setdefault(row.seal, []).append((row.id, leaf_of(row), bytes(row.leaf or b"")))
    return found


def _check_link(told: Checked, seal: Seal, previous: bytes, key: bytes) -> None:
    """The seal itself: in its place, as it was made, by who has the key."""
    told.faults += [Fault("seal.missing", seq) for seq in range(_at(told) + 1, seal.seq)][:100]
    if seal.previous != previous and seal.seq == _at(told) + 1:
        told.faults.append(Fault("seal.reordered", seal.seq))
    if seal.link != seal.linked():
        told.faults.append(Fault("seal.changed", seal.seq))
    elif not seal.is_marked(key):
        told.faults.append(Fault("seal.forged", seal.seq))


def _check_rows(told: Checked, seal: Seal, rows: list[tuple[int, bytes, bytes]]) -> None:
    """Its rows: none changed, removed or added."""
    told.rows += len(rows)
    changed = [Fault("row.changed", seal.seq, id_) for id_, now, sealed in rows if now != sealed]
    told.faults += changed
    if len(rows) != seal.rows:
        kind = "row.removed" if len(rows) < seal.rows else "row.added"
        told.faults.append(Fault(kind, seal.seq))
    elif not changed and rows and root_of([now for _, now, _ in rows]) != seal.root:
        told.faults.append(Fault("row.changed", seal.seq))  # its leaf too: which one, only the seal could tell
