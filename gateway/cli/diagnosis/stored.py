"""Checks of the database: can be reached and written, is current, its keys, its clock, its balance."""

import asyncio
import time
from contextlib import suppress

from gateway.api.write_path import WritePath
from gateway.cli.diagnosis import Check, fault
from gateway.cli.exits import is_database
from gateway.model.clock import DAY_MS, Clock, day_number
from gateway.model.errors import GatewayError
from gateway.queue.balance import balance
from gateway.queue.vendors import read_vendors
from gateway.security.keys import KeyRing
from gateway.security.vault import Vault
from gateway.storage.data_keys import load_data_keys
from gateway.storage.engine import Database, open_database
from gateway.storage.keys_in_use import blind_keys_in_use, master_keys_in_use
from gateway.storage.schema import check_schema

PATIENCE_S = 10.0
MOST_OFF_MS = 5_000  # decision: a worker whose clock is further off than this must not judge what is due
NAMES = ("database", "schema", "key_ids", "clock", "balance", "sources")


async def stored(address: str, ring: KeyRing | None, clock: Clock) -> list[Check]:
    """All checks of the database; what one that failed makes pointless is skipped."""
    started = time.monotonic()
    try:
        db = open_database(address)
    except GatewayError as error:
        return _after([fault("database", error)])
    try:
        async with asyncio.timeout(PATIENCE_S):
            version = await _version(db)
        checks = [await _writable(db, version, started)]
        try:
            await check_schema(db)
        except GatewayError as error:
            return _after([*checks, fault("schema", error)])
        checks.append(Check("schema", "ok", "doctor.schema.ok"))
        checks.append(await _keys(db, ring, clock))
        checks.append(await _clock(db, clock))
        checks.append(await _balance(db))
        checks.append(await _sources(db, clock))
        return checks
    except TimeoutError:
        return _after([Check("database", "fault", "doctor.database.silent", {"s": f"{PATIENCE_S:g}"})])
    except Exception as error:
        if not is_database(error) and not isinstance(error, OSError):
            raise
        cause = getattr(error, "orig", None) or error
        return _after([fault("database", f"{type(cause).__name__}: {str(cause).partition(chr(10))[0]}")])
    finally:
        with suppress(Exception):  # what could not be opened need not close well
            await db.close()


def _after(checks: list[Check]) -> list[Check]:
    """The checks made, and the rest as skipped."""
    made = {check.name for check in checks}
    return [*checks, *(Check(name, "skipped", "doctor.skipped") for name in NAMES if name not in made)]


async def _version(db: Database) -> str:
    postgres = db.dialect == "postgresql"
    async with db.read() as tx:
        sql = "SHOW server_version" if postgres else "SELECT sqlite_version() AS server_version"
        [row] = await tx.rows(sql)
    return f"{'PostgreSQL' if postgres else 'SQLite'} {row.server_version}"


async def _writable(db: Database, version: str, started: float) -> Check:
    writes = await _writes(db)
    took = round((time.monotonic() - started) * 1000)
    key = "doctor.database.ok" if writes else "doctor.database.read_only"
    return Check("database", "ok" if writes else "fault", key, {"version": version}, took)


async def _writes(db: Database) -> bool:
    try:
        await check_schema(db)
    except GatewayError:
        return True  # without tables there is nothing to write to; that is told as the schema's fault
    return await WritePath(db, patience_s=PATIENCE_S).works()


async def _keys(db: Database, ring: KeyRing | None, clock: Clock) -> Check:
    """Each key that a row names must be in the keys file, and open what it should."""
    if ring is None:
        return Check("key_ids", "skipped", "doctor.skipped")
    masters = {key.id for key in ring.masters}
    blinds = {key.id for key in ring.blinds}
    missing = [f"master {id_}" for id_ in sorted(await master_keys_in_use(db) - masters)]
    missing += [f"blind {id_}" for id_ in sorted(await blind_keys_in_use(db) - blinds)]
    if missing:
        return Check("key_ids", "fault", "doctor.key_ids.missing", {"missing": ", ".join(missing)})
    vault = Vault(ring)
    try:
        await load_data_keys(db, vault)
        await read_vendors(db, vault, clock)  # opens every signing secret
    except GatewayError as error:
        return fault("key_ids", error)
    return Check("key_ids", "ok", "doctor.key_ids.ok")


async def _clock(db: Database, clock: Clock) -> Check:
    """On PostgreSQL: how far this machine is from the server, which all processes share."""
    if db.dialect != "postgresql":
        return Check("clock", "ok", "doctor.clock.own")
    async with db.read() as tx:
        before = clock.now_ms()
        [row] = await tx.rows("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) AS now_ms")
        off_ms = (before + clock.now_ms()) // 2 - int(row.now_ms)
    key = "doctor.clock.ok" if abs(off_ms) <= MOST_OFF_MS else "doctor.clock.off"
    return Check("clock", "ok" if abs(off_ms) <= MOST_OFF_MS else "fault", key, {"ms": off_ms})


async def _sources(db: Database, clock: Clock) -> Check:
    """Whether a source's time for sending ends within thirty days, or is over."""
    now = clock.now_ms()
    async with db.read() as tx:
        rows = await tx.rows(
            "SELECT name, valid_to FROM vendors WHERE valid_to <= :latest ORDER BY valid_to, name",
            latest=day_number(now + 30 * DAY_MS),
        )
    ending = [f"{row.name} ({row.valid_to})" for row in rows if row.valid_to >= day_number(now)]
    if ending:
        return Check("sources", "warning", "doctor.sources.ending", {"sources": ", ".join(ending)})
    return Check("sources", "ok", "doctor.sources.ok", {"ended": len(rows)})


async def _balance(db: Database) -> Check:
    found = await balance(db)
    if found.closes:
        return Check("balance", "ok", "doctor.balance.ok", {"received": found.total.received})
    open_ = {name: sheet.difference for name, sheet in found.by_vendor.items() if not sheet.closes}
    told = ", ".join(f"{name}: {difference:+d}" for name, difference in sorted(open_.items()))
    return Check("balance", "fault", "doctor.balance.open", {"vendors": told})
