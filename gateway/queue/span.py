"""A stretch of time -> the ids that were made in it, by a binary search on the primary key.

Ids rise with time, up to transactions that commit late and clocks that differ: the search goes SLACK_MS beyond
both ends, and what it finds is filtered by the time itself. So no index by time is needed where millions of
rows are written.
"""

from gateway.model.clock import MINUTE_MS
from gateway.storage.engine import Tx

SLACK_MS = 10 * MINUTE_MS  # no transaction lives for a minute, no clock is off by more than seconds

_TIMES = {"deliveries": "received_at_ms", "intake": "at_ms"}


async def ids_between(tx: Tx, table: str, first_ms: int, end_ms: int) -> tuple[int, int]:
    """The first id and the end: every row of [first_ms, end_ms) has an id in that half-open range.

    `table` is deliveries or intake. Costs some forty probes of the primary key, whatever the table holds.
    """
    [row] = await tx.rows(f"SELECT COALESCE(MAX(id), 0) + 1 AS beyond FROM {table}")
    first = await _first_from(tx, table, first_ms - SLACK_MS, 0, row.beyond)
    return first, await _first_from(tx, table, end_ms + SLACK_MS, first, row.beyond)


async def _first_from(tx: Tx, table: str, at_ms: int, low: int, high: int) -> int:
    column = _TIMES[table]
    probe = f"SELECT id, {column} AS at_ms FROM {table} WHERE id >= :mid ORDER BY id LIMIT 1"
    while low < high:
        mid = (low + high) // 2
        found = await tx.rows(probe, mid=mid)
        if not found or found[0].at_ms >= at_ms:
            high = mid
        else:
            low = found[0].id + 1
    return low
