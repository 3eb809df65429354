"""Vendors and their signing secrets: rows, so that one is added or rotated without a restart."""

import asyncio
from dataclasses import dataclass

from sqlalchemy import insert

from gateway.model.clock import DAY_MS, HOUR_MS, Clock
from gateway.model.errors import NotFound, Refused
from gateway.queue.lanes import vendor_lane
from gateway.queue.terms import COLUMNS, Terms
from gateway.security.signatures import new_secret
from gateway.security.vault import LASTING, Vault, aad
from gateway.storage import audit, tables
from gateway.storage.engine import Database, Tx

OVERLAP_MS = DAY_MS  # both secrets are live for a day after a rotation (Standard Webhooks)
_REREAD_MS = 2_000
NOTHING_STATED = Terms()
_TERMS = ", ".join(COLUMNS)


@dataclass(frozen=True, slots=True)
class Vendor:
    """One source of completions. `live` and `expired` are its signing secrets, newest first."""

    id: int
    name: str
    connector: str
    lane: int
    paused: bool
    live: tuple[str, ...]
    expired: tuple[str, ...]
    live_ids: tuple[int, ...] = ()  # of `live`, in the same order
    terms: Terms = NOTHING_STATED


async def add_vendor(db: Database, vault: Vault, clock: Clock, name: str, connector: str) -> str:
    """Adds a vendor. Returns: its first secret, which is shown once. Raises: Refused when it exists."""

    async def in_tx(tx: Tx) -> str:
        if await tx.rows("SELECT 1 FROM vendors WHERE name = :name", name=name):
            raise Refused(f"the vendor {name} exists; `vendors rotate` makes a new secret", "vendor.exists")
        await tx.run(
            "INSERT INTO vendors (name, connector, lane, created_at_ms) VALUES (:name, :connector, 0, :now)",
            name=name,
            connector=connector,
            now=clock.now_ms(),
        )
        [row] = await tx.rows("SELECT id FROM vendors WHERE name = :name", name=name)
        await tx.run("UPDATE vendors SET lane = :lane WHERE id = :id", lane=vendor_lane(row.id), id=row.id)
        now = clock.now_ms()
        await audit.append(tx, now, audit.machine(), "vendor.add", f"vendor:{name}", connector=connector)
        return await _add_secret(tx, vault, row.id, now)

    return await db.write(in_tx)


async def rotate_secret(
    db: Database, vault: Vault, clock: Clock, name: str, *, overlap_ms: int = OVERLAP_MS
) -> str:
    """Makes a new secret; the others stay live for `overlap_ms`. Raises: NotFound."""

    async def in_tx(tx: Tx) -> str:
        now = clock.now_ms()
        found = await tx.rows("SELECT id FROM vendors WHERE name = :name", name=name)
        if not found:
            raise NotFound(f"there is no vendor {name}")
        await tx.run(
            "UPDATE vendor_secrets SET expires_at_ms = :until "
            "WHERE vendor_id = :id AND (expires_at_ms IS NULL OR expires_at_ms > :until)",
            until=now + overlap_ms,
            id=found[0].id,
        )
        hours = round(overlap_ms / HOUR_MS, 2)
        await audit.append(tx, now, audit.machine(), "vendor.rotate", f"vendor:{name}", overlap_h=hours)
        return await _add_secret(tx, vault, found[0].id, now)

    return await db.write(in_tx)


async def _add_secret(tx: Tx, vault: Vault, vendor_id: int, now: int) -> str:
    secret = new_secret()
    sealed = vault.seal(secret.encode(), aad("vendor_secrets", "secret", vendor_id), vault.key_of(LASTING))
    await tx.insert_many(
        insert(tables.vendor_secrets),
        [{"vendor_id": vendor_id, "secret_sealed": sealed, "created_at_ms": now}],
    )
    return secret


async def read_vendors(db: Database, vault: Vault, clock: Clock) -> list[Vendor]:
    """All vendors by id, with their secrets opened."""
    now = clock.now_ms()
    async with db.read() as tx:
        rows = await tx.rows(
            f"SELECT id, name, connector, lane, paused_at_ms, {_TERMS} FROM vendors ORDER BY id"
        )
        secrets = await tx.rows(
            "SELECT id, vendor_id, secret_sealed, expires_at_ms FROM vendor_secrets ORDER BY id DESC"
        )
    live: dict[int, list[str]] = {row.id: [] for row in rows}
    expired: dict[int, list[str]] = {row.id: [] for row in rows}
    live_ids: dict[int, list[int]] = {row.id: [] for row in rows}
    for row in secrets:
        secret = vault.open(bytes(row.secret_sealed), aad("vendor_secrets", "secret", row.vendor_id)).decode()
        is_live = row.expires_at_ms is None or row.expires_at_ms > now
        (live if is_live else expired)[row.vendor_id].append(secret)
        if is_live:
            live_ids[row.vendor_id].append(row.id)
    return [
        Vendor(
            row.id,
            row.name,
            row.connector,
            row.lane,
            row.paused_at_ms is not None,
            tuple(live[row.id]),
            tuple(expired[row.id]),
            tuple(live_ids[row.id]),
            Terms(*(getattr(row, name) for name in COLUMNS)),
        )
        for row in rows
    ]


async def names_in(tx: Tx) -> dict[int, str]:
    """Vendor id -> name, for lists: joined, the planner may walk deliveries by vendor and sort them all."""
    return {row.id: row.name for row in await tx.rows("SELECT id, name FROM vendors")}


async def secrets_of(db: Database, vendor_id: int) -> list[dict[str, int | None]]:
    """When each secret was made, expires and was last used (to the minute), newest first."""
    async with db.read() as tx:
        rows = await tx.rows(
            "SELECT created_at_ms, expires_at_ms, last_used_at_ms FROM vendor_secrets WHERE vendor_id = :id "
            "ORDER BY id DESC",
            id=vendor_id,
        )
    return [
        {"created_at": r.created_at_ms, "expires_at": r.expires_at_ms, "last_used_at": r.last_used_at_ms}
        for r in rows
    ]


class Vendors:
    """The vendors as this process knows them, read again every two seconds while asked for."""

    def __init__(self, db: Database, vault: Vault, clock: Clock) -> None:
        self._db = db
        self._vault = vault
        self._clock = clock
        self._read_at_ms = 0
        self._known: dict[str, Vendor] = {}
        self._reading = asyncio.Lock()

    async def all(self) -> list[Vendor]:
        await self._refresh()
        return list(self._known.values())

    async def find(self, name: str) -> Vendor | None:
        """The vendor with this name, or None."""
        await self._refresh()
        return self._known.get(name)

    async def _refresh(self) -> None:
        if self._is_fresh():
            return
        async with self._reading:  # of all requests that find them old, one reads
            if not self._is_fresh():
                self._known = {v.name: v for v in await read_vendors(self._db, self._vault, self._clock)}
                self._read_at_ms = self._clock.now_ms()

    def _is_fresh(self) -> bool:
        return self._clock.now_ms() - self._read_at_ms < _REREAD_MS
