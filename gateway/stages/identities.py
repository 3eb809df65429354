"""Claims a vendor asked about while the sector database was silent: kept sealed for a day, asked on query."""

import secrets
from collections.abc import Sequence

import msgspec
from sqlalchemy import insert

from gateway.model.clock import DAY_MS, Clock
from gateway.model.completion import Claim
from gateway.model.errors import NotFound
from gateway.security.vault import Vault, aad
from gateway.storage import tables
from gateway.storage.engine import Database, Tx
from gateway.storage.rows import Cell

_CLAIMS = msgspec.json.Decoder(tuple[Claim, ...])
FORGET = """
DELETE FROM identity_checks WHERE id IN (
    SELECT id FROM identity_checks WHERE at_ms < :before ORDER BY at_ms LIMIT 1000)"""


class Identities:
    """The table `identity_checks`. One instance per process."""

    def __init__(self, db: Database, clock: Clock, vault: Vault) -> None:
        self._db = db
        self._clock = clock
        self._vault = vault

    async def keep(self, vendor_id: int, claims: Sequence[Claim]) -> str:
        """Keeps the claims for a day. Returns: the id to ask by."""
        check_id = secrets.token_urlsafe(18)
        now = self._clock.now_ms()
        sealed = self._vault.seal(msgspec.json.encode(tuple(claims)), _place(vendor_id, check_id))

        async def in_tx(tx: Tx) -> None:
            await tx.run(FORGET, before=now - DAY_MS)
            row: dict[str, Cell] = {
                "id": check_id,
                "vendor_id": vendor_id,
                "at_ms": now,
                "claims_sealed": sealed,
            }
            await tx.insert_many(insert(tables.identity_checks), [row])

        await self._db.write(in_tx)
        return check_id

    async def claims(self, vendor_id: int, check_id: str) -> tuple[Claim, ...]:
        """Raises: NotFound for an id that this vendor was not given, or more than a day ago."""
        async with self._db.read() as tx:
            found = await tx.rows(
                "SELECT claims_sealed FROM identity_checks "
                "WHERE id = :id AND vendor_id = :vendor_id AND at_ms >= :since",
                id=check_id,
                vendor_id=vendor_id,
                since=self._clock.now_ms() - DAY_MS,
            )
        if not found:
            raise NotFound("there is no check with this id")
        return _CLAIMS.decode(self._vault.open(bytes(found[0].claims_sealed), _place(vendor_id, check_id)))


def _place(vendor_id: int, check_id: str) -> bytes:
    return aad("identity_checks", "claims", vendor_id, check_id)
