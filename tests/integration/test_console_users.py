"""Accounts in the console: made, handed new passwords and ended by those above, and by nobody else."""

import re
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import pytest

from gateway.bdtx.unit_store import save
from gateway.bdtx.units import Level, Unit
from gateway.bdtx.units_file import Plan
from gateway.security import totp
from gateway.storage.audit import read_audit
from gateway.storage.users import find_user, set_totp
from tests.listening import Answer, Desk, open_desk
from tests.visiting import PASSWORD, an_account, visiting

UNITS = [
    Unit("31", "Sở Hải Phòng", Level.DEPARTMENT),
    Unit("11581", "UBND phường An Dương", Level.COMMUNE, "31", date(2025, 7, 1)),
    Unit("11617", "UBND phường An Hải", Level.COMMUNE, "31", date(2025, 7, 1)),
    Unit("31312401", "TH An Đồng", Level.SCHOOL, "11617", teaches=("TH",)),
    Unit("31312402", "TH Hồng Phong", Level.SCHOOL, "11581", teaches=("TH",)),
]
PATH = "/console/users"


@pytest.fixture
async def desk(database_url: str, tmp_path: Path) -> AsyncIterator[Desk]:
    """Two communes with a school each, and the admins of the first commune and of both schools."""
    async with open_desk(database_url, tmp_path) as made:
        gateway = made.gateway
        await save(gateway.db, made.clock, Plan(new=UNITS), actor="machine:test", file="u.csv", content=b"")
        for login, unit in (("anhai", "11617"), ("andong", "31312401"), ("hongphong", "31312402")):
            await an_account(made, login, unit=unit)
        await gateway.db.write(lambda tx: set_totp(tx, gateway.vault, "anhai", totp.new_secret()))
        yield made


def given(answer: Answer) -> str:
    """The one-time password on the page."""
    found = re.search(r"<code>(\w{4}(?:-\w{4}){3})</code>", answer.body.decode())
    assert found, answer.body.decode()
    return found[1]


async def test_a_commune_makes_an_account_that_signs_in(desk: Desk) -> None:
    """The password is shown once, works once, and must be changed."""
    async with visiting(desk, "anhai") as admin:
        made = await admin.post(PATH, unit="31312401", login="Hoa.TT", name="Trần Thị Hoà", role="viewer")
        assert made.status == 200
        password = given(made)
        assert password.encode() not in (await admin.get(f"{PATH}?unit=31312401")).body
        told = await admin.told(f"{PATH}?unit=31312401")
        assert {line["login"]: line["state"] for line in told["lines"]} == {
            "andong": "active",
            "hoa.tt": "one_time",
        }
    async with visiting(desk) as hoa:
        await hoa.get("/console/sign-in")
        assert (await hoa.post("/console/sign-in", login="hoa.tt", password=password)).status == 303
        assert (await hoa.get("/console")).headers["Location"] == "/console/password"


async def test_what_is_wrong_is_said_and_what_was_typed_stays(desk: Desk) -> None:
    """A taken login, a login with marks: one sentence, and nothing has to be typed again."""
    async with visiting(desk, "anhai") as admin:
        for login, why in (("andong", "đã có người dùng khác"), ("hoà", "chữ thường không dấu")):
            answer = await admin.post(PATH, unit="31312401", login=login, name="Lê Ánh", role="viewer")
            text = answer.body.decode()
            assert answer.status == 422
            assert why in text
            assert 'value="Lê Ánh"' in text
            assert f'value="{login}"' in text


@pytest.mark.parametrize("unit", ["31312402", "11581", "31", "", "99999999"])
async def test_nothing_is_shown_or_made_outside_ones_units(desk: Desk, unit: str) -> None:
    """Another commune, its school, the department above, no unit and an unknown one look all the same."""
    async with visiting(desk, "anhai") as admin:
        if unit:
            assert (await admin.get(f"{PATH}?unit={unit}")).status == 404
            made = await admin.post(PATH, unit=unit, login="la.mat", name="Người Lạ", role="viewer")
            assert made.status in (404, 422)
        assert (await admin.post(PATH, unit=unit, login="la.mat", name="Người Lạ", role="operator")).status in (
            404,
            422,
        )
    assert await find_user(desk.gateway.db, desk.gateway.vault, "la.mat") is None


async def test_nobody_touches_accounts_beside_or_above(desk: Desk) -> None:
    """A school's admin neither resets nor ends the commune's, another school's or the own account."""
    async with visiting(desk, "andong") as admin:
        for login in ("anhai", "hongphong", "andong"):
            assert (await admin.post(f"{PATH}/reset", login=login)).status == 404
            assert (await admin.post(f"{PATH}/end", login=login)).status == 404
        found = (await admin.get(f"{PATH}?login=hongphong")).headers["Location"]
        unknown = (await admin.get(f"{PATH}?login=nobody.here")).headers["Location"]
        assert found == unknown == PATH
    refused = [act.object for act in await read_audit(desk.gateway.db) if act.act == "refused"]
    assert refused == [f"user {login}" for login in ("anhai", "hongphong", "andong") for _ in range(2)]
    user = await find_user(desk.gateway.db, desk.gateway.vault, "hongphong")
    assert user is not None
    assert user.ended_at_ms is None


async def test_reset_and_end_sign_the_user_out_at_once(desk: Desk) -> None:
    """Whoever sits at the old session is asked to sign in again, with the new password, or never again."""
    async with visiting(desk, "anhai") as admin, visiting(desk, "andong") as school:
        assert (await school.get("/console")).status == 200
        password = given(await admin.post(f"{PATH}/reset", login="andong"))
        assert (await school.get("/console")).status == 303
        await school.get("/console/sign-in")
        assert (await school.post("/console/sign-in", login="andong", password=PASSWORD)).status == 422
        assert (await school.post("/console/sign-in", login="andong", password=password)).status == 303
        ended = await admin.post(f"{PATH}/end", login="andong")
        assert ended.headers["Location"] == f"{PATH}?unit=31312401"
        assert (await school.get("/console/password")).headers["Location"] == "/console/sign-in"
        states = {line["login"]: line["state"] for line in (await admin.told(f"{PATH}?unit=31312401"))["lines"]}
        assert states == {"andong": "ended"}


async def test_the_audit_is_read_newest_first_and_page_by_page(desk: Desk) -> None:
    """An auditor follows one actor back to the beginning; nobody else sees the page."""
    await an_account(desk, "kiemtra", "auditor")
    await desk.gateway.db.write(lambda tx: set_totp(tx, desk.gateway.vault, "kiemtra", totp.new_secret()))
    async with visiting(desk, "anhai") as admin:
        for _ in range(52):
            await admin.get(f"{PATH}?unit=31312402")
        assert (await admin.get("/console/audit")).status == 403
    async with visiting(desk, "kiemtra") as auditor:
        first = await auditor.told("/console/audit?actor=anhai")
        second = await auditor.told(f"/console/audit?actor=anhai&after={first['older']}")
        assert [len(page["rows"]) for page in (first, second)] == [50, 3]
        assert second["older"] is None
        ids = [row["id"] for page in (first, second) for row in page["rows"]]
        assert ids == sorted(ids, reverse=True)
        assert first["rows"][0]["text"] == "Bị từ chối"
        assert (await auditor.told("/console/audit?actor=anhai&until=2026-03-08"))["rows"] == []
        assert b"B\xe1\xbb\x8b t\xe1\xbb\xab ch\xe1\xbb\x91i" in (await auditor.get("/console/audit")).body
