"""Making, resetting and ending accounts: an actor's wish -> scope and role -> storage and audit together.

Without a signed-in actor (the first accounts, an operator at the machine) everything is allowed and audited as
the machine's; with one, gateway/bdtx/scope.py decides, and a refusal is audited as well.
"""

import asyncio
import os
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from gateway.bdtx.scope import Viewer, may_manage_user, may_see
from gateway.bdtx.unit_store import UnitRegister
from gateway.bdtx.units import Units
from gateway.model.clock import Clock, local_date
from gateway.model.errors import NotFound, Refused
from gateway.model.roles import ROLES, Reach, RoleName
from gateway.security.passwords import hash_password, one_time_password
from gateway.security.vault import Vault
from gateway.storage import users
from gateway.storage.audit import append, machine
from gateway.storage.engine import Database, Tx
from gateway.storage.sessions import end_sessions
from gateway.storage.users import NewUser, User, find_user, fold_login, read_users

LOGIN = re.compile(r"[a-z0-9][a-z0-9._-]{2,63}")
MAX_NAME = 100
_PART = 200  # accounts of one transaction


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts. `viewer` is None for whoever may run commands on the machine."""

    name: str
    viewer: Viewer | None = None


class Handed(NamedTuple):
    """A one-time password to be handed over; shown once and kept nowhere."""

    user: NewUser
    password: str


class UserActs:
    """The acts on accounts. One instance per process."""

    def __init__(self, db: Database, clock: Clock, vault: Vault, register: UnitRegister) -> None:
        self._db = db
        self._clock = clock
        self._vault = vault
        self._register = register

    async def actor(self, login: str | None) -> Actor:
        """The user to act as, or the machine. Raises: NotFound when there is no such valid user."""
        if login is None:
            return Actor(machine())
        user = await find_user(self._db, self._vault, login)
        if user is None or user.ended_at_ms is not None:
            raise NotFound(f"there is no valid user {fold_login(login)}")
        return Actor(user.login, viewer_of(user))

    async def fault(self, actor: Actor, new: NewUser) -> tuple[str, str] | None:
        """Why this account cannot be made: field and code of a text `users.CODE`; None when it can."""
        units = await self._register.current()
        wrong = fault_of(new, units, self._today())
        if wrong is None and not self._may_manage(actor, units, new.role, new.unit_code):
            return "unit", "out_of_scope"
        return wrong

    async def make(
        self, actor: Actor, wanted: Sequence[NewUser], keep: Callable[[Sequence[Handed]], None] | None = None
    ) -> list[Handed]:
        """Makes accounts with one-time passwords, so many in a transaction.

        `keep` gets nothing before anything is written, so that it may refuse, and after each commit all that
        are made by then: never a password of an account that there is not.
        Returns: one Handed each, in the order given. Raises: Refused when one may not be made or is taken; what
        earlier transactions made stays.
        """
        for new in wanted:
            wrong = await self.fault(actor, new)
            if wrong and wrong[1] == "out_of_scope":
                await self._refuse(actor, "user.add", new.login, wrong[1])
            elif wrong:  # not an attempt at anything, and what was typed may be anything
                raise Refused(f"{wrong[0]}: {wrong[1]}", wrong[1])
        made = [Handed(new, one_time_password()) for new in wanted]
        hashes = await _hashed([handed.password for handed in made])
        if keep is not None:
            keep([])
        now = self._clock.now_ms()
        for start in range(0, len(made), _PART):
            part = list(zip(made[start : start + _PART], hashes[start : start + _PART], strict=True))

            async def add(tx: Tx, part: list[tuple[Handed, str]] = part) -> None:
                for (new, _), hashed in part:
                    await users.add_user(tx, self._vault, new, hashed, now)
                    detail = {"role": new.role, "unit": new.unit_code}
                    await append(tx, now, actor.name, "user.add", new.login, **detail)

            await self._db.write(add)
            if keep is not None:
                keep(made[: start + len(part)])
        return made

    async def reset(self, actor: Actor, login: str, *, totp: bool = False) -> Handed:
        """A new one-time password; with `totp` the second factor is set up anew too."""
        user = await self._managed(actor, login, "user.reset")
        handed = Handed(
            NewUser(user.login, user.name, user.role, user.unit_code, user.vendor_id), one_time_password()
        )
        [hashed] = await _hashed([handed.password])

        async def reset(tx: Tx) -> None:
            await users.set_password(tx, user.login, hashed, must_change=True, now=self._clock.now_ms())
            if totp:
                await users.set_totp(tx, self._vault, user.login, None)
            await end_sessions(tx, user.login)

        await self._act(actor, "user.reset", user.login, reset, totp=totp)
        return handed

    async def end(self, actor: Actor, login: str) -> User:
        """Nobody signs in with this login any more."""
        user = await self._managed(actor, login, "user.end")

        async def end(tx: Tx) -> None:
            await users.end_user(tx, user.login, self._clock.now_ms())
            await end_sessions(tx, user.login)

        await self._act(actor, "user.end", user.login, end)
        return user

    async def seen_by(self, actor: Actor, unit_code: str | None = None) -> list[User]:
        """Accounts in the actor's scope, of a unit and what is under it where one is named; by login."""
        units, today = await self._register.current(), self._today()
        under = {unit_code, *units.descendants_at(unit_code, today)} if unit_code else None
        found = await read_users(self._db, self._vault)
        return [
            user
            for user in found
            if (under is None or user.unit_code in under) and _may_list(actor, units, user, today)
        ]

    async def _managed(self, actor: Actor, login: str, act: str) -> User:
        user = await find_user(self._db, self._vault, login)
        if user is None or user.ended_at_ms is not None:
            raise NotFound(f"there is no valid user {fold_login(login)}")
        units = await self._register.current()
        if not self._may_manage(actor, units, user.role, user.unit_code):
            await self._refuse(actor, act, user.login, "out_of_scope")
        return user

    def _may_manage(self, actor: Actor, units: Units, role: str, unit_code: str | None) -> bool:
        if actor.viewer is None:
            return True
        return may_manage_user(units, actor.viewer, RoleName(role), unit_code, self._today())

    async def _refuse(self, actor: Actor, act: str, login: str, code: str) -> None:
        """Raises: Refused, once the refusal stands in the audit."""

        async def note(tx: Tx) -> None:
            await append(tx, self._clock.now_ms(), actor.name, "refused", login, act=act, code=code)

        await self._db.write(note)
        raise Refused(f"{act} {login}: {code}", code)

    async def _act(
        self, actor: Actor, act: str, login: str, work: Callable[[Tx], Awaitable[None]], **detail: object
    ) -> None:
        async def in_tx(tx: Tx) -> None:
            await work(tx)
            await append(tx, self._clock.now_ms(), actor.name, act, login, **detail)

        await self._db.write(in_tx)

    def _today(self) -> date:
        return local_date(self._clock.now_ms())


def viewer_of(user: User) -> Viewer:
    """A user as scope sees it."""
    return Viewer(user.login, RoleName(user.role), user.unit_code, user.vendor_id)


def fault_of(new: NewUser, units: Units, today: date) -> tuple[str, str] | None:
    """What is wrong with an account as wanted, whoever wants it: (field, code), or None."""
    if not LOGIN.fullmatch(new.login):
        return "login", "login_form"
    if not new.name.strip() or len(new.name) > MAX_NAME:
        return "name", "name_missing" if not new.name.strip() else "name_long"
    if new.role not in list(RoleName):
        return "role", "role_unknown"
    role = ROLES[RoleName(new.role)]
    if not role.unit:
        return ("unit", "unit_not_for_role") if new.unit_code else _vendor_fault(new, role.scope)
    if not new.unit_code:
        return "unit", "unit_missing"
    unit = units.unit_at(new.unit_code, today)
    if unit is None:
        return "unit", "unit_unknown"
    return None if unit.level in role.unit else ("unit", "unit_not_for_role")


def _vendor_fault(new: NewUser, scope: Reach) -> tuple[str, str] | None:
    return ("vendor", "vendor_missing") if scope is Reach.VENDOR and new.vendor_id is None else None


def _may_list(actor: Actor, units: Units, user: User, today: date) -> bool:
    if actor.viewer is None or ROLES[actor.viewer.role].scope is Reach.ALL:
        return True
    return may_see(units, actor.viewer, user.unit_code, today) if user.unit_code else False


async def _hashed(passwords: Sequence[str]) -> list[str]:
    """Hashes off the event loop, as many at once as there are cores."""
    free = asyncio.Semaphore(os.cpu_count() or 1)

    async def one(password: str) -> str:
        async with free:
            return await asyncio.to_thread(hash_password, password)

    return await asyncio.gather(*(one(password) for password in passwords))
