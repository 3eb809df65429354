"""The people at the console: units of the made-up population, and one login for each kind of reader.

They are handed over as real ones are: one-time passwords, to be changed at the first sign-in, and the second
factor where the role needs it. Only here its secret is set from outside, and its codes are written to a file.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from gateway.app import Gateway
from gateway.bdtx.sheets import parse_sheet
from gateway.bdtx.unit_store import load_units, save
from gateway.bdtx.units_file import COLUMNS, REQUIRED, plan_import
from gateway.cli.output import Output
from gateway.model.clock import SystemClock, local_date
from gateway.model.roles import ROLES, RoleName, needs_totp
from gateway.sandbox import units_table
from gateway.sandbox.item import Item
from gateway.sandbox.roster import StaffRow
from gateway.security import private_file, totp
from gateway.stages.users import Actor
from gateway.storage.users import NewUser, set_totp

ACTOR = Actor("machine:demo")
FILE = "units.csv"


class Login(NamedTuple):
    """One person's way in. `secret`: of the second factor, where the role needs one."""

    login: str
    role: str
    unit_code: str | None
    password: str
    secret: bytes | None


async def bring_units(gateway: Gateway) -> None:
    """The schools and offices that the made-up people belong to."""
    content = units_table.document().encode()
    sheet = parse_sheet(content, FILE, COLUMNS, REQUIRED)
    plan = plan_import(sheet, await load_units(gateway.db), local_date(gateway.clock.now_ms()))
    assert not plan.faults, plan.faults
    await save(gateway.db, gateway.clock, plan, actor=ACTOR.name, file=FILE, content=content)


def busiest(people: Sequence[StaffRow], items: Sequence[Item]) -> str:
    """The school with the most results that wait for somebody; without any, the largest."""
    units = {person.sector_id: person.unit_code for person in people}
    waiting = Counter(units.get(item.expected.sector_id) for item in items if item.expected.fate == "held")
    waiting.pop(None, None)
    return str((waiting or Counter(person.unit_code for person in people)).most_common(1)[0][0])


async def hand_out(gateway: Gateway, school: str) -> list[Login]:
    """A school's admin, those of its commune and department, an approver, an operator, a vendor, an auditor."""
    units = await load_units(gateway.db)
    path = units.path_at(school, local_date(gateway.clock.now_ms()))
    offices = {unit.level.value: unit.code for unit in path}
    vendor = await gateway.vendors.find("viettel")
    wanted = [
        NewUser("truong", "Trần Thị Hoà", "unit_admin", school),
        *([NewUser("ubnd", "Vũ Minh Đức", "unit_admin", offices["commune"])] if "commune" in offices else []),
        NewUser("sogddt", "Nguyễn Thu Hằng", "unit_admin", offices["department"]),
        NewUser("pheduyet", "Phạm Quốc Khánh", "approver", offices["department"]),
        NewUser("vanhanh", "Lê Ngọc Ánh", "operator"),
        NewUser("viettel", "Đỗ Hải Yến", "vendor", vendor_id=vendor.id if vendor else None),
        NewUser("kiemtra", "Bùi Thanh Sơn", "auditor"),
    ]
    levels = {unit.code: unit.level.value for unit in path}
    logins = []
    for handed in await gateway.users.make(ACTOR, wanted):
        new = handed.user
        is_needed = needs_totp(RoleName(new.role), levels.get(new.unit_code or ""))
        secret = totp.new_secret() if is_needed else None
        if secret is not None:
            write = partial(set_totp, vault=gateway.vault, login=new.login, secret=secret)
            await gateway.db.write(write)
        logins.append(Login(new.login, new.role, new.unit_code, handed.password, secret))
    return logins


def code_now(secret: bytes, now_ms: int) -> str:
    """The code that an authenticator app would show."""
    return totp.code_at(secret, now_ms // (totp.STEP_S * 1000))


def show(out: Output, logins: Sequence[Login], address: str, file: Path) -> None:
    """Where to look, and as whom."""
    out.say("demo.console", address=f"{address}/console", file=file)
    for line in _lines(out.run.lang, logins):
        out.say("demo.command", line=line)


async def keep_codes(file: Path, lang: str, logins: Sequence[Login]) -> None:
    """Writes logins and the codes of the moment into `file`, for its owner only, until cancelled."""
    while True:
        private_file.replace(file, ("\n".join(_lines(lang, logins)) + "\n").encode())
        await asyncio.sleep(totp.STEP_S / 2)


def as_dict(logins: Sequence[Login]) -> dict[str, object]:
    """What `--json` says of them; nothing when nobody was let in."""
    told = [
        {
            "login": one.login,
            "role": one.role,
            "unit": one.unit_code,
            "one_time_password": one.password,
            "totp_secret": totp.written(one.secret) if one.secret else None,
        }
        for one in logins
    ]
    return {"logins": told} if told else {}


def _lines(lang: str, logins: Sequence[Login]) -> list[str]:
    now = SystemClock().now_ms()
    lines = []
    for one in logins:
        role = ROLES[RoleName(one.role)]
        code = f"{code_now(one.secret, now)}  {totp.written(one.secret)}" if one.secret else "–"
        lines.append(f"{one.login:<12} {one.password}  {code:<41} {role.vi if lang == 'vi' else role.en}")
    return lines
