"""Users in storage: who may sign in, as what, with which password hash. Names and second factors are sealed.

A user is never deleted, only ended: the audit names people by login for years.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, bindparam, insert, update

from gateway.model.errors import NotFound, Refused
from gateway.security.lockout import pause_ms
from gateway.security.vault import LASTING, Vault, aad
from gateway.storage import tables
from gateway.storage.engine import Database, Tx

COLUMNS = """
       users.login, name_sealed, role, unit_code, vendor_id, password_hash, password_set_at_ms, must_change,
       totp_sealed, totp_step, failures, locked_until_ms, users.created_at_ms, ended_at_ms"""
READ = f"SELECT {COLUMNS} FROM users"
RESET = """
UPDATE users SET password_hash = :hash, password_set_at_ms = :now, must_change = :must_change, failures = 0,
       locked_until_ms = NULL
WHERE login = :login AND ended_at_ms IS NULL"""


@dataclass(frozen=True, slots=True)
class User:
    """One person who works with the gateway."""

    login: str
    name: str
    role: str
    unit_code: str | None
    vendor_id: int | None
    password_hash: str
    password_set_at_ms: int
    must_change: bool
    totp_secret: bytes | None
    totp_step: int
    failures: int
    locked_until_ms: int | None
    created_at_ms: int
    ended_at_ms: int | None

    def __repr__(self) -> str:
        return f"User({self.login})"  # neither name nor secret, wherever it is printed


@dataclass(frozen=True, slots=True)
class NewUser:
    """An account to be made."""

    login: str
    name: str
    role: str
    unit_code: str | None = None
    vendor_id: int | None = None


async def find_user(db: Database, vault: Vault, login: str) -> User | None:
    """The user of this login, ended or not."""
    async with db.read() as tx:
        rows = await tx.rows(READ + " WHERE login = :login", login=fold_login(login))
    return user_of(rows[0], vault) if rows else None


async def read_users(db: Database, vault: Vault) -> list[User]:
    """All users by login, the ended ones too."""
    async with db.read() as tx:
        rows = await tx.rows(READ + " ORDER BY login")
    return [user_of(row, vault) for row in rows]


async def users_of(db: Database, vault: Vault, unit_code: str | None) -> list[User]:
    """Users of exactly this unit (None: of none) by login, the ended ones too. By index."""
    wanted = "unit_code = :unit" if unit_code is not None else "unit_code IS NULL"
    fill = {"unit": unit_code} if unit_code is not None else {}
    async with db.read() as tx:
        rows = await tx.rows(f"{READ} WHERE {wanted} ORDER BY login", **fill)
    return [user_of(row, vault) for row in rows]


async def add_user(tx: Tx, vault: Vault, new: NewUser, password_hash: str, now: int) -> None:
    """Adds a user whose password is a one-time one. Raises: Refused when the login is taken."""
    if await tx.rows("SELECT 1 FROM users WHERE login = :login", login=new.login):
        raise Refused(f"the login {new.login} is taken", "login_taken")
    row = {
        "login": new.login,
        "name_sealed": vault.seal(new.name.encode(), aad("users", "name", new.login), vault.key_of(LASTING)),
        "role": new.role,
        "unit_code": new.unit_code,
        "vendor_id": new.vendor_id,
        "password_hash": password_hash,
        "password_set_at_ms": now,
        "must_change": 1,
        "created_at_ms": now,
    }
    await tx.insert_many(insert(tables.users), [row])


async def set_password(tx: Tx, login: str, password_hash: str, *, must_change: bool, now: int) -> None:
    """Replaces the password and ends a lock. Raises: NotFound when there is no such valid user."""
    changed = await tx.run(RESET, hash=password_hash, now=now, must_change=int(must_change), login=login)
    if not changed:
        raise NotFound(f"there is no valid user {login}")


async def set_totp(tx: Tx, vault: Vault, login: str, secret: bytes | None, step: int = 0) -> None:
    """Keeps the secret of the second factor, or forgets it; `step` is that of the code that confirmed it."""
    sealed = secret and vault.seal(secret, aad("users", "totp", login), vault.key_of(LASTING))
    statement = update(tables.users).where(tables.users.c.login == bindparam("of"))
    await tx.insert_many(statement, [{"of": login, "totp_sealed": sealed, "totp_step": step}])


async def end_user(tx: Tx, login: str, now: int) -> None:
    """From now on nobody signs in with this login. Raises: NotFound when there is no such valid user."""
    sql = "UPDATE users SET ended_at_ms = :now WHERE login = :login AND ended_at_ms IS NULL"
    if not await tx.run(sql, now=now, login=login):
        raise NotFound(f"there is no valid user {login}")


async def note_failure(tx: Tx, login: str, now: int) -> int | None:
    """Counts a wrong password or code. Returns: until when sign-in pauses, None when it does not yet."""
    sql = "UPDATE users SET failures = failures + 1 WHERE login = :login RETURNING failures"
    [row] = await tx.rows(sql, login=login)
    pause = pause_ms(row.failures)
    if not pause:
        return None
    await tx.run(
        "UPDATE users SET locked_until_ms = :until WHERE login = :login", until=now + pause, login=login
    )
    return now + pause


async def note_success(tx: Tx, login: str, totp_step: int | None) -> bool:
    """Forgets failures and uses up the code. Returns: False when the code was used meanwhile."""
    sql = (
        "UPDATE users SET failures = 0, locked_until_ms = NULL, totp_step = CAST(:step AS bigint) "
        "WHERE login = :login AND totp_step < CAST(:step AS bigint)"
    )
    if totp_step is None:
        await tx.run("UPDATE users SET failures = 0, locked_until_ms = NULL WHERE login = :login", login=login)
        return True
    return await tx.run(sql, step=totp_step, login=login) == 1


def fold_login(login: str) -> str:
    """Logins are compared without case and surrounding space."""
    return login.strip().casefold()


def user_of(row: Row[Any], vault: Vault) -> User:
    """A row of COLUMNS as a user."""
    return User(
        login=row.login,
        name=vault.open(bytes(row.name_sealed), aad("users", "name", row.login)).decode(),
        role=row.role,
        unit_code=row.unit_code,
        vendor_id=row.vendor_id,
        password_hash=row.password_hash,
        password_set_at_ms=row.password_set_at_ms,
        must_change=bool(row.must_change),
        totp_secret=row.totp_sealed and vault.open(bytes(row.totp_sealed), aad("users", "totp", row.login)),
        totp_step=row.totp_step,
        failures=row.failures,
        locked_until_ms=row.locked_until_ms,
        created_at_ms=row.created_at_ms,
        ended_at_ms=row.ended_at_ms,
    )
