"""Signing in: login, password and code -> who it is, or why not. Sessions and pages stand on this.

Wrong, ended and unknown look alike from outside, pause alike and take as long. While sign-in pauses nothing is
checked; one-time passwords expire.
"""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from enum import StrEnum

from gateway.bdtx.unit_store import UnitRegister
from gateway.model.clock import DAY_MS, Clock, local_date
from gateway.model.errors import Overloaded, Refused
from gateway.model.roles import RoleName, needs_totp
from gateway.security import totp
from gateway.security.lockout import pause_ms
from gateway.security.passwords import hash_password, is_outdated, is_password, weakness
from gateway.security.vault import Vault
from gateway.storage import users
from gateway.storage.audit import append
from gateway.storage.engine import Database, Tx
from gateway.storage.sessions import end_sessions
from gateway.storage.users import User, find_user, fold_login

ONE_TIME_DAYS = 14
_AT_ONCE = 2  # passwords checked at the same time: each takes 46 MiB and a core for some 40 ms
_WAITING = 50  # more are told to come back, so that a flood of sign-ins does not fill memory
MAX_LOGIN = 200  # longer ones are no login of ours; only so much of what was typed is kept in memory
_STRANGERS = 10_000  # logins without a user whose failures are remembered, the oldest forgotten first


class Outcome(StrEnum):
    """What an attempt to sign in came to."""

    IN = "in"
    WRONG = "wrong"  # login, password or code; which one is not told
    PAUSED = "paused"  # too many wrong ones: nothing was checked
    EXPIRED = "expired"  # a one-time password older than two weeks: a new one must be handed out
    CODE_WANTED = "code_wanted"  # the password is right; the code of the second factor is missing


@dataclass(frozen=True, slots=True)
class Entry:
    """The answer. `user` only with IN and CODE_WANTED; the duties come before anything else the user may do."""

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
        self._hashing = asyncio.Semaphore(_AT_ONCE)
        self._waiting = 0
        self._strangers: OrderedDict[str, tuple[int, int]] = OrderedDict()  # failures, paused until

    async def check(self, login: str, password: str, code: str | None = None) -> Entry:
        """One attempt. Failures are counted, and sign-in pauses after five in a row.

        Raises: Overloaded when too many are being checked already.
        """
        now = self._clock.now_ms()
        user = await find_user(self._db, self._vault, login)
        if user is not None and user.ended_at_ms is not None:
            user = None
        paused_until = user.locked_until_ms if user else self._stranger(login)[1]
        if paused_until is not None and paused_until > now:
            return Entry(Outcome.PAUSED, paused_until_ms=paused_until)
        is_right = await self._is_password(user.password_hash if user else None, password)
        if user is None:
            return self._failed_stranger(login, now)
        if not is_right:
            return await self._failed(user)
        if user.must_change and now - user.password_set_at_ms > ONE_TIME_DAYS * DAY_MS:
            return Entry(Outcome.EXPIRED)
        step = None
        if user.totp_secret is not None:
            if not code:
                return Entry(Outcome.CODE_WANTED, user)
            step = totp.matching_step(user.totp_secret, code, now, last_step=user.totp_step)
            if step is None:
                return await self._failed(user)
        return await self._entered(user, password, step)

    async def check_code(self, user: User, code: str) -> Entry:
        """The second half, for a user whose password was right a moment ago: failures count as above."""
        now = self._clock.now_ms()
        if user.locked_until_ms is not None and user.locked_until_ms > now:
            return Entry(Outcome.PAUSED, paused_until_ms=user.locked_until_ms)
        step = user.totp_secret and totp.matching_step(user.totp_secret, code, now, last_step=user.totp_step)
        return await self._entered(user, None, step) if step else await self._failed(user)

    async def change_password(self, user: User, old: str, new: str) -> str | None:
        """Replaces the password. Returns: why the new one is refused (security.passwords.weakness, or `same`,
        or `wrong` for the old one), None when it is done; then every session of the user has ended.
        """
        if not await self._is_password(user.password_hash, old):
            await self._failed(user)
            return "wrong"
        why = "same" if old == new else weakness(new, login=user.login, name=user.name)
        if why is not None:
            return why
        hashed = await asyncio.to_thread(hash_password, new)

        async def change(tx: Tx) -> None:
            now = self._clock.now_ms()
            await users.set_password(tx, user.login, hashed, must_change=False, now=now)
            await end_sessions(tx, user.login)
            await append(tx, now, user.login, "user.change_password", user.login)

        await self._db.write(change)
        return None

    async def confirm_totp(self, user: User, secret: bytes, code: str) -> bool:
        """Takes a new second factor into use once a code proves that the app has it.

        Every session of the user ends with it: those that began without a second factor are worth less.
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
            await end_sessions(tx, user.login)
            await append(tx, now, user.login, "user.enrol_totp", user.login)

        await self._db.write(enrol)
        return True

    async def _is_password(self, hashed: str | None, password: str) -> bool:
        if self._waiting >= _WAITING:
            raise Overloaded("too many people are signing in at once")
        self._waiting += 1
        try:
            async with self._hashing:
                return await asyncio.to_thread(is_password, hashed, password)
        finally:
            self._waiting -= 1

    def _stranger(self, login: str) -> tuple[int, int | None]:
        return self._strangers.get(fold_login(login)[:MAX_LOGIN], (0, None))

    def _failed_stranger(self, login: str, now: int) -> Entry:
        """As `_failed`, for a login without a user: a pause that only real logins had would tell them apart."""
        failures = self._stranger(login)[0] + 1
        pause = pause_ms(failures)
        key = fold_login(login)[:MAX_LOGIN]
        self._strangers[key] = (failures, now + pause)
        self._strangers.move_to_end(key)
        if len(self._strangers) > _STRANGERS:
            self._strangers.popitem(last=False)
        return Entry(Outcome.WRONG, paused_until_ms=now + pause if pause else None)

    async def _failed(self, user: User) -> Entry:
        now = self._clock.now_ms()

        async def note(tx: Tx) -> int | None:
            until = await users.note_failure(tx, user.login, now)
            await append(tx, now, user.login, "user.sign_in_refused", user.login)
            if until is not None:
                await append(tx, now, user.login, "user.paused", user.login, seconds=(until - now) // 1000)
            return until

        until = await self._db.write(note)
        return Entry(Outcome.WRONG, paused_until_ms=until)

    async def _entered(self, user: User, password: str | None, step: int | None) -> Entry:
        units = await self._register.current()
        now = self._clock.now_ms()
        unit = units.unit_at(user.unit_code, local_date(now)) if user.unit_code else None
        is_stale = password is not None and is_outdated(user.password_hash)
        anew = await asyncio.to_thread(hash_password, password or "") if is_stale else None

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
