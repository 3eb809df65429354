"""Seals of the audit in storage: what is not sealed yet becomes one more link of the chain.

A row carries the number of its seal and its leaf; neither is part of what is sealed. Ids are no order of
commits, so a row that commits late simply comes into a later seal.
"""

from collections.abc import Sequence
from typing import Any

from gateway.security.seals import FIRST, Seal, leaf, root_of
from gateway.storage.engine import Database, Tx

ROWS = 1_000  # of one seal: a write transaction stays short

UNSEALED = """
SELECT id, at_ms, actor, act, object, detail FROM audit WHERE seal IS NULL ORDER BY id LIMIT :limit"""
NEWEST = """
SELECT seq, at_ms, rows_sealed, first_id, last_id, root, previous, link, mark FROM audit_seals
ORDER BY seq DESC LIMIT 1"""
BOUND = "UPDATE audit SET seal = :seq, leaf = x.leaf FROM {x} WHERE audit.id = x.id AND audit.seal IS NULL"
ADD = """
INSERT INTO audit_seals (seq, at_ms, rows_sealed, first_id, last_id, root, previous, link, mark)
SELECT :seq, :at_ms, :rows_sealed, :first_id, :last_id, x.root, x.previous, x.link, x.mark FROM {x}"""


async def newest_seal(db: Database) -> Seal | None:
    """The head of the chain; None before the first seal."""
    async with db.read() as tx:
        return await newest_in(tx)


async def is_anything_unsealed(db: Database) -> bool:
    """One probe of an index."""
    async with db.read() as tx:
        return bool(await tx.rows(UNSEALED, limit=1))


async def seal_in(tx: Tx, key: bytes, now_ms: int) -> Seal | None:
    """Seals up to ROWS rows, in a transaction of the caller's, who alone may seal.

    Returns: the new head, or None when nothing was unsealed.
    """
    rows = await tx.rows(UNSEALED, limit=ROWS)
    if not rows:
        return None
    before = await newest_in(tx)
    leaves = [leaf_of(row) for row in rows]
    seal = Seal(
        seq=before.seq + 1 if before else 1,
        at_ms=now_ms,
        rows=len(rows),
        first_id=rows[0].id,
        last_id=rows[-1].id,
        root=root_of(leaves),
        previous=before.link if before else FIRST,
    ).closed(key)
    x = tx.json_rows(("root", "blob"), ("previous", "blob"), ("link", "blob"), ("mark", "blob"))
    await tx.run(
        ADD.format(x=x),
        rows=tx.pack([(seal.root, seal.previous, seal.link, seal.mark)]),
        seq=seal.seq,
        at_ms=seal.at_ms,
        rows_sealed=seal.rows,
        first_id=seal.first_id,
        last_id=seal.last_id,
    )
    x = tx.json_rows(("id", "int"), ("leaf", "blob"))
    bound = [(row.id, told) for row, told in zip(rows, leaves, strict=True)]
    await tx.run(BOUND.format(x=x), rows=tx.pack(bound), seq=seal.seq)
    return seal


def leaf_of(row: Any) -> bytes:
    """The leaf of a row of the audit: every field of the act, and its id."""
    return leaf(row.id, row.at_ms, row.actor, row.act, row.object, row.detail)


async def newest_in(tx: Tx) -> Seal | None:
    found = seals_of(await tx.rows(NEWEST))
    return found[0] if found else None


def seals_of(rows: Sequence[Any]) -> list[Seal]:
    return [
        Seal(
            row.seq,
            row.at_ms,
            row.rows_sealed,
            row.first_id,
            row.last_id,
            bytes(row.root),
            bytes(row.previous),
            bytes(row.link),
            bytes(row.mark),
        )
        for row in rows
    ]
