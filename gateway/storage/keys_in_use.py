"""Which keys the stored rows name: each of them must be in the keys file, or those rows stay closed."""

from gateway.storage.engine import Database, Tx


async def master_keys_in_use(db: Database) -> set[str]:
    """Ids of the master keys that wrap a data key."""
    async with db.read() as tx:
        return {row.master_id for row in await tx.rows("SELECT DISTINCT master_id FROM data_keys")}


async def blind_keys_in_use(db: Database) -> set[int]:
    """Ids of the blind keys under which people are found (security/blind.py: the first byte of an index)."""
    async with db.read() as tx:
        found: set[int] = set()
        while (number := await _next(tx, max(found, default=0) + 1)) is not None:
            found.add(number)
    return found


async def _next(tx: Tx, number: int) -> int | None:
    """The smallest id from `number` on that is in use: one step in the index for each key, not a scan."""
    if number > 255:
        return None
    sql = "SELECT MIN(sector_key) AS first FROM people WHERE sector_key >= :start"
    [row] = await tx.rows(sql, start=bytes([number]))
    return None if row.first is None else int(bytes(row.first)[0])
