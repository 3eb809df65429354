"""A file of accounts to be made: rows -> wanted accounts, those that are there already, and faults by line.

One bad row never spoils the file. Source: contracts/users/README.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gateway.bdtx.sheets import Fault, Sheet, fold
from gateway.model.roles import ROLES
from gateway.stages.users import Actor, UserActs
from gateway.storage.users import NewUser, User, fold_login

COLUMNS = {
    "login": ("Tên đăng nhập", "Tài khoản", "user name"),
    "name": ("Họ và tên", "Họ tên", "full name"),
    "unit": ("Mã đơn vị", "Mã trường", "Đơn vị", "unit code"),
    "role": ("Vai trò",),
}
REQUIRED = ("login", "name", "unit", "role")
TEXTS = Path(__file__).parent / "texts"

_ROLES = {fold(word): name for name, role in ROLES.items() for word in (name, role.vi, role.en)}


@dataclass(slots=True)
class Wanted:
    """What a file asks for."""

    new: list[NewUser] = field(default_factory=list)
    same: int = 0
    faults: list[Fault] = field(default_factory=list)


def role_named(text: str) -> str:
    """A role as people write it, in either language; what is unknown stays as it is."""
    return _ROLES.get(fold(text), text)


async def read_wanted(sheet: Sheet, acts: UserActs, actor: Actor, known: Sequence[User]) -> Wanted:
    """Every row against roles, units, scope and the accounts there are."""
    there: Mapping[str, User] = {user.login: user for user in known}
    found = Wanted()
    lines: dict[str, int] = {}
    for row in sheet.rows:
        login = fold_login(row.cells["login"])
        unit = row.cells["unit"].upper() or None
        new = NewUser(login, row.cells["name"], role_named(row.cells["role"]), unit)
        if login and login in lines:
            found.faults.append(Fault(row.line, "login", "login_twice", str(lines[login])))
            continue
        lines[login] = row.line
        if wrong := await acts.fault(actor, new):
            shown = {"role": row.cells["role"], "unit": unit or ""}
            found.faults.append(Fault(row.line, *wrong, shown.get(wrong[0], "")))
        elif (before := there.get(login)) is None:
            found.new.append(new)
        elif (before.name, before.role, before.unit_code, before.ended_at_ms) == (
            new.name,
            new.role,
            unit,
            None,
        ):
            found.same += 1
        else:
            found.faults.append(Fault(row.line, "login", "login_taken"))
    return found
