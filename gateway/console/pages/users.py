"""Accounts: unit by unit, made, handed new passwords and ended by those above, with gateway/stages/users.py."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from gateway.bdtx.scope import may_manage_user, may_see, own_unit
from gateway.bdtx.units import Level, Unit, Units
from gateway.console.page import HOME, Act, Go, OutOfScope, Page, Shown, Visit
from gateway.model.errors import NotFound, Refused
from gateway.model.roles import ROLES, Reach, RoleName
from gateway.model.texts import Lang, Texts
from gateway.stages.users import Actor, Handed
from gateway.stages.users_file import TEXTS
from gateway.storage.users import NewUser, User, find_user, fold_login, users_of

PATH = HOME + "/users"
BELOW_KEPT_S = 30.0
_WHY = Texts.load(TEXTS)


@dataclass(frozen=True, slots=True)
class Line:
    """One account."""

    login: str
    name: str
    role: str
    state: str  # active, one_time, paused, ended
    has_second_factor: bool
    may_manage: bool


@dataclass(frozen=True, slots=True)
class Place:
    """A unit to look at."""

    code: str
    name: str


@dataclass(frozen=True, slots=True)
class Given:
    """A one-time password on its way to its owner: shown on this page and nowhere again."""

    login: str
    name: str
    password: str


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed into the form for a new account."""

    login: str = ""
    name: str = ""
    role: str = ""


@dataclass(frozen=True, slots=True)
class Accounts:
    """Accounts of one unit (None: of no unit), and what may be done. `roles`: those that may be made here."""

    unit: Place | None
    path: tuple[Place, ...]  # from the viewer's own unit down
    below: tuple[Place, ...]
    lines: tuple[Line, ...]
    roles: tuple[tuple[str, str], ...]
    vendors: tuple[tuple[str, str], ...] = ()
    given: Given | None = None
    wrong: str | None = None
    typed: Typed = Typed()


async def accounts(visit: Visit) -> Accounts | Go:
    """The unit asked for; by default one's own. A login that is asked for leads to its unit."""
    if login := visit.asked("login"):
        return await _unit_of(visit, login)
    return await _shown(visit, visit.asked("unit") or None)


async def make(visit: Visit) -> Shown | Accounts:
    """A new account with a one-time password."""
    code = await visit.field("unit") or None
    typed = Typed(*[await visit.field(name) for name in ("login", "name", "role")])
    vendor = await visit.parts.vendors.find(await visit.field("vendor")) if typed.role == "vendor" else None
    new = NewUser(fold_login(typed.login), typed.name, typed.role, code, vendor.id if vendor else None)
    try:
        [handed] = await visit.parts.users.make(_actor(visit), [new])
    except Refused as refused:
        if refused.code == "out_of_scope":  # audited where it was refused
            raise NotFound("out of scope") from refused
        return Shown(await _shown(visit, code, wrong=_why(refused.code, visit.lang), typed=typed), status=422)
    return await _shown(visit, code, given=_given(handed))


async def reset(visit: Visit) -> Accounts:
    """A new one-time password; all sessions of the user end."""
    user = await _managed(visit)
    has_lost_phone = await visit.field("second_factor") == "yes"
    handed = await visit.parts.users.reset(_actor(visit), user.login, totp=has_lost_phone)
    return await _shown(visit, user.unit_code, given=_given(handed))


async def end(visit: Visit) -> Go:
    """Nobody signs in with it any more."""
    user = await _managed(visit)
    await visit.parts.users.end(_actor(visit), user.login)
    return Go(_address(user.unit_code)).saying("users.ended", login=user.login)


async def _managed(visit: Visit) -> User:
    """The account that an act is about. Raises: OutOfScope, NotFound."""
    login = fold_login(await visit.field("login"))
    user = await find_user(visit.parts.db, visit.parts.vault, login)
    if user is None or user.ended_at_ms is not None:
        raise NotFound("no such account")
    if not _may_manage(visit, await visit.units(), user):
        raise OutOfScope(f"user {user.login}")
    return user


async def _shown(
    visit: Visit,
    code: str | None,
    *,
    given: Given | None = None,
    wrong: str | None = None,
    typed: Typed | None = None,
) -> Accounts:
    units, day = await visit.units(), visit.today()
    own = own_unit(units, visit.viewer, day)
    sees_all = ROLES[visit.viewer.role].scope is Reach.ALL
    if code is None and own is not None:
        code = own.code
    if not sees_all and (code is None or not may_see(units, visit.viewer, code, day)):
        raise OutOfScope(f"users of unit {code}" if code and units.versions(code) else "users of a unit")
    unit = _last(units, visit, code)
    if code is not None and unit is None:
        raise NotFound("no such unit")
    found = await users_of(visit.parts.db, visit.parts.vault, code)
    path = list(reversed(units.path_at(code, day))) if code else []
    if own is not None:
        path = path[next((n for n, one in enumerate(path) if one.code == own.code), 0) :]
    below = await visit.kept(f"users.below.{code}", BELOW_KEPT_S, lambda: _below(units, visit, code))
    roles = _roles(visit, units, unit)
    known = await visit.parts.vendors.all() if "vendor" in dict(roles) else []
    return Accounts(
        unit=_place(unit) if unit else None,
        path=tuple(_place(one) for one in path),
        below=tuple(below),
        lines=tuple(_line(visit, units, user) for user in found),
        roles=roles,
        vendors=tuple((vendor.name, vendor.name) for vendor in known),
        given=given,
        wrong=wrong,
        typed=typed or Typed(),
    )


async def _unit_of(visit: Visit, login: str) -> Go:
    user = await find_user(visit.parts.db, visit.parts.vault, login)
    units, day = await visit.units(), visit.today()
    sees_all = ROLES[visit.viewer.role].scope is Reach.ALL
    if user is None or not (sees_all or may_see(units, visit.viewer, user.unit_code, day)):
        return Go(PATH).saying("users.none", kind="info")  # the same for both: logins are not to be tried out
    return Go(_address(user.unit_code))


async def _below(units: Units, visit: Visit, code: str | None) -> Sequence[Place]:
    """Units directly under this one today; above all stand the ministry, and organisers."""
    day = visit.today()
    if code is None:
        tops = (units.unit_at(one, day) for one in units.codes())
        found = [one for one in tops if one and one.level in (Level.MINISTRY, Level.ORGANISER)]
    else:
        under = (units.unit_at(one, day) for one in units.descendants_at(code, day))
        found = [
            one
            for one in under
            if one and len(path := units.path_at(one.code, day)) > 1 and path[1].code == code
        ]
    return [_place(one) for one in sorted(found, key=lambda one: (one.level.value, one.name))]


def _roles(visit: Visit, units: Units, unit: Unit | None) -> tuple[tuple[str, str], ...]:
    """Roles whose accounts the viewer may make in this unit."""
    code, level = (unit.code, unit.level.value) if unit else (None, None)
    return tuple(
        (role.value, _role(role, visit.lang))
        for role in ROLES[visit.viewer.role].grants
        if (level in ROLES[role].unit if level else not ROLES[role].unit)
        and may_manage_user(units, visit.viewer, role, code, visit.today())
    )


def _line(visit: Visit, units: Units, user: User) -> Line:
    state = "active"
    if user.ended_at_ms is not None:
        state = "ended"
    elif user.locked_until_ms is not None and user.locked_until_ms > visit.now_ms:
        state = "paused"
    elif user.must_change:
        state = "one_time"
    may = state != "ended" and _may_manage(visit, units, user)
    return Line(
        user.login, user.name, _role(RoleName(user.role), visit.lang), state, user.totp_secret is not None, may
    )


def _may_manage(visit: Visit, units: Units, user: User) -> bool:
    return may_manage_user(units, visit.viewer, RoleName(user.role), user.unit_code, visit.today())


def _last(units: Units, visit: Visit, code: str | None) -> Unit | None:
    """The unit today, or as it was last: accounts of a closed one must still be ended."""
    if code is None:
        return None
    versions = units.versions(code)
    return units.unit_at(code, visit.today()) or (versions[-1] if versions else None)


def _actor(visit: Visit) -> Actor:
    return Actor(visit.viewer.login, visit.viewer)


def _role(role: RoleName, lang: Lang) -> str:
    return ROLES[role].vi if lang == "vi" else ROLES[role].en


def _why(code: str, lang: Lang) -> str:
    return _WHY.get(f"users.{code}", lang, value="")


def _given(handed: Handed) -> Given:
    return Given(handed.user.login, handed.user.name, handed.password)


def _place(unit: Unit) -> Place:
    return Place(unit.code, unit.name)


def _address(code: str | None) -> str:
    return f"{PATH}?{urlencode({'unit': code})}" if code else PATH


PAGES = (
    Page(PATH, accounts, name="users", may="user.manage", nav=80),
    Act(PATH, make, name="users", may="user.manage"),
    Act(PATH + "/reset", reset, name="users", may="user.manage"),
    Act(PATH + "/end", end, name="users", may="user.manage"),
)
