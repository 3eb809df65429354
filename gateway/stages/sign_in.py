"""Signing in: login, password and code -> who it is, or why not. Sessions and pages stand on this.

Wrong, ended and unknown look alike from outside and take as long. While sign-in pauses nothing is checked;
one-time passwords expire.
"""

import asyncio
from dataclasses import dataclass
from enum import StrEnum

from gateway.bdtx.unit_store import UnitRegister
from gateway.model.clock import DAY_MS, Clock, local_date
from gateway.model.errors import Refused
from gateway.model.roles import RoleName, needs_totp
from gateway.security import totp
from gateway.security.passwords import hash_password, is_outdated, is_password, weakness
from gateway.security.vault import Vault
from gateway.storage import users
from gateway.storage.audit import append
from gateway.storage.engine import Database, Tx
from gateway.storage.users import User, find_user

ONE_TIME_DAYS = 14


class Outcome(StrEnum):
    """What an attempt to sign in came to."""

    IN = "in"
    WRONG = "wrong"  # login, password or code; which one is not told
    PAUSED = "paused"  # too many wrong ones: nothing was checked
    EXPIRED = "expired"  # a one-time password older than two weeks: a new one must be handed out
    CODE_WANTED = "code_wanted"  # the password is right; the code of the second factor is missing


@dataclass(frozen=True, slots=True)
class Entry:
    """The answer. `user` only with IN; the two duties come before anything else the user may do."""

    outcome: Outcome
    user: User | None = None
    must_change: bool = False
    must_enrol_totp: bool = False
    paused_until_ms: int | None = None


class SignIn:
    """Checks people. One instance per process."""

    def __init__(self, db: Database, clock: Clock, vault: Vault, register: UnitRegister) -> None:
        self._db = db
        self._clock = clock
        self._vault = vault
        self._register = register

    async def check(self, login: str, password: str, code: str | None = None) -> Entry:
        """One attempt. Failures are counted, and sign-in pauses after five in a row."""
        now = self._clock.now_ms()
        user = await find_user(self._db, self._vault, login)
        if user is not None and user.locked_until_ms is not None and user.locked_until_ms > now:
            return Entry(Outcome.PAUSED, paused_until_ms=user.locked_until_ms)
        is_valid = user is not None and user.ended_at_ms is None
        hashed = user.password_hash if user is not None and is_valid else None
        is_right = await asyncio.to_thread(is_password, hashed, password)
        if user is None or not is_valid:
            return Entry(Outcome.WRONG)
        if not is_right:
            return await self._failed(user)
        if user.must_change and now - user.password_set_at_ms > ONE_TIME_DAYS * DAY_MS:
            return Entry(Outcome.EXPIRED)
        step = None
        if user.totp_secret is not None:
            if not code:
                return Entry(Outcome.CODE_WANTED)
            step = totp.matching_step(user.totp_secret, code, now, last_step=user.totp_step)
            if step is None:
                return await self._failed(user)
        return await self._entered(user, password, step)

    async def change_password(self, user: User, old: str, new: str) -> str | None:
        """Replaces the password. Returns: why the new one is refused (security.passwords.weakness, or `same`,
        or `wrong` for the old one), None when it is done.
        """
        if not await asyncio.to_thread(is_password, user.password_hash, old):
            await self._failed(user)
            return "wrong"
        why = "same" if old == new else weakness(new, login=user.login, name=user.name)
        if why is not None:
            return why
        hashed = await asyncio.to_thread(hash_password, new)

        async def change(tx: Tx) -> None:
            now = self._clock.now_ms()
            await users.set_password(tx, user.login, hashed, must_change=False, now=now)
            await append(tx, now, user.login, "user.change_password", user.login)

        await self._db.write(change)
        return None

    async def confirm_totp(self, user: User, secret: bytes, code: str) -> bool:
        """Takes a new second factor into use once a code proves that the app has it.

        Raises: Refused when the user has one already: only a reset takes that away.
        """
        if user.totp_secret is not None:
            raise Refused("this user has a second factor already", "totp_present")
        now = self._clock.now_ms()
        step = totp.matching_step(secret, code, now)
        if step is None:
            return False

        async def enrol(tx: Tx) -> None:
            await users.set_totp(tx, self._vault, user.login, secret, step)
            await append(tx, now, user.login, "user.enrol_totp", user.login)

        await self._db.write(enrol)
        return True

    async def _failed(self, user: User) -> Entry:
        now = self._clock.now_ms()

        async def note(tx: Tx) -> int | None:
            until = await users.note_failure(tx, user.login, now)
            if until is not None:
                await append(tx, now, user.login, "user.paused", user.login, seconds=(until - now) // 1000)
            return until

        until = await self._db.write(note)
        return Entry(Outcome.WRONG, paused_until_ms=until)

    async def _entered(self, user: User, password: str, step: int | None) -> Entry:
        units = await self._register.current()
        now = self._clock.now_ms()
        unit = units.unit_at(user.unit_code, local_date(now)) if user.unit_code else None
        anew = await asyncio.to_thread(hash_password, password) if is_outdated(user.password_hash) else None

        async def note(tx: Tx) -> bool:
            if not await users.note_success(tx, user.login, step):
                return False  # the same code came in twice at once
            if anew is not None:
                await users.set_password(tx, user.login, anew, must_change=user.must_change, now=now)
            await append(tx, now, user.login, "user.sign_in", user.login, totp=step is not None)
            return True

        if not await self._db.write(note):
            return Entry(Outcome.WRONG)
        is_needed = needs_totp(RoleName(user.role), unit.level.value if unit else None)
        must_enrol = is_needed and user.totp_secret is None
        return Entry(Outcome.IN, user, must_change=user.must_change, must_enrol_totp=must_enrol)
