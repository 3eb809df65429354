"""Counts that all processes keep together: budgets of an hour or a day, how many different things were tried.

A row is one thing counted in one period. What is written is added, never read first; the answer is the sum of
all processes.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from gateway.storage.engine import Tx
from gateway.storage.rows import Kind

ADD = """
INSERT INTO tallies (kind, period, key, item, n) SELECT x.kind, x.period, x.key, x.item, x.n FROM {x} WHERE true
ON CONFLICT (kind, period, key, item) DO UPDATE SET n = tallies.n + excluded.n
RETURNING kind, period, key, item, n"""
COUNT = """
SELECT t.key AS key, COUNT(*) AS n FROM {x} JOIN tallies t
ON t.kind = :kind AND t.period = :period AND t.key = x.key GROUP BY t.key"""
PRUNE = "DELETE FROM tallies WHERE kind = :kind AND period < :period"
_COLUMNS: tuple[tuple[str, Kind], ...] = (
    ("kind", "text"), ("period", "int"), ("key", "text"), ("item", "text"), ("n", "int"),
)  # fmt: skip


class Tally(NamedTuple):
    """What is counted. `item` is empty for a plain count; otherwise different items are what counts."""

    kind: str
    period: int
    key: str
    item: str = ""


async def add_in(tx: Tx, counted: Sequence[tuple[Tally, int]]) -> dict[Tally, int]:
    """Adds, at most some thousand at once. Returns: what each stands at now, over all processes."""
    if not counted:
        return {}
    rows = tx.pack(sorted((*tally, n) for tally, n in counted))
    found = await tx.rows(ADD.format(x=tx.json_rows(*_COLUMNS)), rows=rows)
    return {Tally(row.kind, row.period, row.key, row.item): int(row.n) for row in found}


async def count_in(tx: Tx, kind: str, period: int, keys: Collection[str]) -> dict[str, int]:
    """How many different items each key has."""
    x = tx.json_rows(("key", "text"))
    rows = tx.pack([(key,) for key in sorted(keys)])
    found = await tx.rows(COUNT.format(x=x), rows=rows, kind=kind, period=period)
    return {row.key: int(row.n) for row in found}


async def prune_in(tx: Tx, kind: str, before: int) -> int:
    """Deletes what is of earlier periods."""
    return await tx.run(PRUNE, kind=kind, period=before)
