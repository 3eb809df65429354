"""The monthly data keys: wrapped by the master key in the database, opened into the vault."""

from collections.abc import Iterable

import structlog

from gateway.model.clock import Clock, day_number
from gateway.model.errors import KeyMissing
from gateway.security.vault import LASTING, Vault, WrappedKey
from gateway.storage.engine import Database, Tx

log = structlog.get_logger(__name__)


async def load_data_keys(db: Database, vault: Vault) -> None:
    """Opens every stored data key into `vault`. Raises: KeyMissing when its master key is gone."""
    async with db.read() as tx:
        found = await tx.rows("SELECT id, month, master_id, wrapped FROM data_keys ORDER BY month")
    for row in found:
        if vault.has(row.id):  # wrapped anew perhaps, by a master key that came after this process
            continue
        vault.add(WrappedKey(row.id, row.month, row.master_id, bytes(row.wrapped)))


async def load_keys_of(db: Database, vault: Vault, blobs: Iterable[bytes]) -> None:
    """Loads the data keys once more when one of `blobs` names a key that another process has made meanwhile.

    A key that is not found even so was destroyed, or its master key is gone: `vault.open` says which blob.
    """
    if all(vault.knows(blob) for blob in blobs):
        return
    try:
        await load_data_keys(db, vault)
    except KeyMissing as error:
        log.error("data_keys.closed", error=error.code)


async def ensure_data_keys(db: Database, vault: Vault, clock: Clock) -> None:
    """Makes this month's key and the lasting one (secrets) where they are missing, and loads all.

    Two processes that start together make one: the second insert meets the first's row and does nothing.
    """
    month = day_number(clock.now_ms()) // 100

    async def make(tx: Tx) -> None:
        known = {row.month for row in await tx.rows("SELECT month FROM data_keys")}
        for missing in sorted({month, LASTING} - known):
            key = vault.new_data_key(missing)
            await tx.run(
                "INSERT INTO data_keys (id, month, master_id, wrapped) "
                "VALUES (:id, :month, :master_id, :wrapped) ON CONFLICT DO NOTHING",
                id=key.key_id,
                month=key.month,
                master_id=key.master_id,
                wrapped=key.wrapped,
            )

    await db.write(make)
    await load_data_keys(db, vault)


async def rewrap_data_keys(db: Database, vault: Vault) -> int:
    """Wraps every data key by the active master key, in one transaction; sealed rows stay as they are.

    `vault` has the new ring, which is on disk already: a crash before the commit leaves rows that its older
    master keys open.

    Returns: how many were wrapped anew. Raises: KeyMissing when an old master key is gone (nothing changes).
    """

    async def rewrap(tx: Tx) -> int:
        found = await tx.rows("SELECT id, month, master_id, wrapped FROM data_keys ORDER BY id")
        changed = 0
        for row in found:
            old = WrappedKey(row.id, row.month, row.master_id, bytes(row.wrapped))
            new = vault.rewrap(old)
            changed += await tx.run(
                "UPDATE data_keys SET master_id = :master_id, wrapped = :wrapped WHERE id = :id",
                master_id=new.master_id,
                wrapped=new.wrapped,
                id=new.key_id,
            )
        return changed

    return await db.write(rewrap)
