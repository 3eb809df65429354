"""Sessions in storage: digest of a cookie's value -> who is signed in there, since when, until when."""

from dataclasses import dataclass

from sqlalchemy import bindparam, insert, update

from gateway.security.vault import LASTING, Vault, aad
from gateway.storage import tables
from gateway.storage.engine import Database, Tx
from gateway.storage.rows import Cell
from gateway.storage.users import COLUMNS, User, user_of

READ = f"""
SELECT is_whole, sessions.created_at_ms AS begun_at_ms, seen_at_ms, ends_at_ms, enrol_sealed, {COLUMNS}
FROM sessions JOIN users ON users.login = sessions.login
WHERE sessions.digest = :digest AND users.ended_at_ms IS NULL"""


@dataclass(frozen=True, slots=True)
class Session:
    """One browser that somebody signed in at."""

    digest: str
    user: User
    is_whole: bool  # False: the password was right, the code of the second factor is still wanted
    created_at_ms: int
    seen_at_ms: int
    ends_at_ms: int
    enrolling: bytes | None = None  # the secret of a second factor that no code has confirmed yet


async def read_session(db: Database, vault: Vault, digest: str) -> Session | None:
    """The session as it is stored, over or not; none for users that have ended. One statement."""
    async with db.read() as tx:
        rows = await tx.rows(READ, digest=digest)
    if not rows:
        return None
    [row] = rows
    secret = row.enrol_sealed and vault.open(bytes(row.enrol_sealed), aad("sessions", "enrol", digest))
    times = (row.begun_at_ms, row.seen_at_ms, row.ends_at_ms)
    return Session(digest, user_of(row, vault), bool(row.is_whole), *times, secret)


async def add_session(tx: Tx, digest: str, login: str, *, is_whole: bool, now: int, ends_at_ms: int) -> None:
    """Begins a session."""
    row: dict[str, Cell] = {
        "digest": digest,
        "login": login,
        "is_whole": int(is_whole),
        "created_at_ms": now,
        "seen_at_ms": now,
        "ends_at_ms": ends_at_ms,
    }
    await tx.insert_many(insert(tables.sessions), [row])


async def touch_session(tx: Tx, digest: str, now: int) -> None:
    """Notes that it was used."""
    await tx.run("UPDATE sessions SET seen_at_ms = :now WHERE digest = :digest", now=now, digest=digest)


async def keep_enrolling(tx: Tx, vault: Vault, digest: str, secret: bytes) -> None:
    """Keeps the secret that the page shows until a code confirms it."""
    sealed = vault.seal(secret, aad("sessions", "enrol", digest), vault.key_of(LASTING))
    statement = update(tables.sessions).where(tables.sessions.c.digest == bindparam("of"))
    await tx.insert_many(statement, [{"of": digest, "enrol_sealed": sealed}])


async def end_session(tx: Tx, digest: str) -> None:
    """Ends one session."""
    await tx.run("DELETE FROM sessions WHERE digest = :digest", digest=digest)


async def end_sessions(tx: Tx, login: str) -> int:
    """Ends all sessions of a user, wherever they are. Returns: how many."""
    return await tx.run("DELETE FROM sessions WHERE login = :login", login=login)


async def forget_sessions(tx: Tx, *, now: int, unseen_since_ms: int) -> None:
    """Removes sessions that are over: past their end, or unused for too long."""
    sql = "DELETE FROM sessions WHERE ends_at_ms <= :now OR seen_at_ms <= :unseen"
    await tx.run(sql, now=now, unseen=unseen_since_ms)
