"""Accounts and sign-in on both engines: who may make them, what is handed out, and what the audit says."""

import json
import re
from datetime import date
from pathlib import Path

import pytest

from gateway.bdtx.sheets import parse_sheet
from gateway.bdtx.units import Units
from gateway.model.clock import DAY_MS
from gateway.model.errors import NotFound, Refused
from gateway.model.texts import Texts
from gateway.security import totp
from gateway.stages import users as users_stage
from gateway.stages.sign_in import Outcome
from gateway.stages.users import fault_of
from gateway.stages.users_file import COLUMNS, REQUIRED, TEXTS, read_wanted
from gateway.storage.audit import read_audit
from gateway.storage.audit_seals import BOUND
from gateway.storage.users import NewUser, find_user, read_users
from tests.contract.stages.conftest import MACHINE, UNITS
from tests.generated import ROOT

GOOD = "con mèo ngủ trên mái"


async def made(acts, login="hoa", role="unit_admin", unit="31312401", actor=MACHINE):
    """An account -> its one-time password."""
    [handed] = await acts.make(actor, [NewUser(login, "Trần Thị Hoa", role, unit)])
    return handed.password


async def audited(db):
    return [(act.actor, act.act, act.object) for act in await read_audit(db) if act.act != "units.import"]


async def test_a_department_makes_accounts_for_communes_and_these_for_schools(acts, db):
    """The chain from the first account on the machine down to a school, each by the one above."""
    await made(acts, "so.hp", unit="31")
    await made(acts, "xa.ah", unit="11617", actor=await acts.actor("so.hp"))
    await made(acts, "truong", actor=await acts.actor("xa.ah"))
    assert await audited(db) == [
        ("machine:test", "user.add", "so.hp"),
        ("so.hp", "user.add", "xa.ah"),
        ("xa.ah", "user.add", "truong"),
    ]


@pytest.mark.parametrize(
    ("role", "unit"),
    [
        ("unit_admin", "31312402"),
        ("viewer", "11581"),
        ("viewer", "11617"),
        ("viewer", "31"),
        ("operator", None),
        ("organiser", "DHSP"),
    ],
)
async def test_nobody_makes_accounts_beside_above_or_of_other_kinds(acts, db, role, unit):
    """Refused, nothing written, and the refusal stands in the audit."""
    await made(acts, "xa.ah", unit="11617")
    actor = await acts.actor("xa.ah")
    with pytest.raises(Refused) as refused:
        await acts.make(
            actor, [NewUser("truong", "A B", "viewer", "31312401"), NewUser("x.y", "C D", role, unit)]
        )
    assert refused.value.code == "out_of_scope"
    assert [user.login for user in await read_users(db, acts._vault)] == ["xa.ah"]
    assert (await audited(db))[1:] == [("xa.ah", "refused", "x.y")]


async def test_scope_holds_for_resetting_ending_and_listing(acts):
    """Whom one may not make one may not reset, end or see."""
    await made(acts, "xa.ah", unit="11617")
    await made(acts, "khac", unit="31312402")
    await made(acts, "minh", unit="31312401")
    actor = await acts.actor("xa.ah")
    assert [user.login for user in await acts.seen_by(actor)] == ["minh", "xa.ah"]
    assert [user.login for user in await acts.seen_by(MACHINE, "11581")] == ["khac"]
    with pytest.raises(Refused):
        await acts.reset(actor, "khac")
    with pytest.raises(Refused):
        await acts.end(actor, "xa.ah")
    assert (await acts.reset(actor, "minh")).password
    await acts.end(actor, "minh")
    with pytest.raises(NotFound):
        await acts.actor("minh")
    with pytest.raises(NotFound):
        await acts.end(actor, "minh")


async def test_several_people_of_one_unit_each_have_their_own_login(acts):
    """Named people instead of one account a school; a login is taken only once, whatever its case."""
    await made(acts, "hoa")
    await made(acts, "lan")
    with pytest.raises(Refused) as refused:
        await made(acts, "hoa")
    assert refused.value.code == "login_taken"


@pytest.mark.parametrize(
    ("new", "wrong"),
    [
        (NewUser("Hoa", "A", "viewer", "31"), ("login", "login_form")),
        (NewUser("hoa@truong.vn", "A", "viewer", "31"), ("login", "login_form")),
        (NewUser("hoa", " ", "viewer", "31"), ("name", "name_missing")),
        (NewUser("hoa", "A" * 101, "viewer", "31"), ("name", "name_long")),
        (NewUser("hoa", "A", "boss", "31"), ("role", "role_unknown")),
        (NewUser("hoa", "A", "viewer", None), ("unit", "unit_missing")),
        (NewUser("hoa", "A", "viewer", "99"), ("unit", "unit_unknown")),
        (NewUser("hoa", "A", "viewer", "DHSP"), ("unit", "unit_not_for_role")),
        (NewUser("hoa", "A", "operator", "31"), ("unit", "unit_not_for_role")),
        (NewUser("hoa", "A", "organiser", "31"), ("unit", "unit_not_for_role")),
        (NewUser("hoa", "A", "vendor"), ("vendor", "vendor_missing")),
        (NewUser("hoa", "A", "vendor", None, 1), None),
        (NewUser("hoa", "A", "organiser", "DHSP"), None),
        (NewUser("hoa", "A", "viewer", "31"), None),
    ],
)
def test_what_an_account_must_be(new, wrong):
    """Each fault has a text in both languages."""
    assert fault_of(new, Units(UNITS), date(2026, 3, 9)) == wrong
    texts = Texts.load(TEXTS)
    assert texts.keys("vi") == texts.keys("en")
    assert wrong is None or f"users.{wrong[1]}" in texts.keys("vi")


async def test_neither_name_nor_password_stands_in_the_database(acts, db):
    """Names are sealed, passwords hashed; the audit names logins and units only."""
    password = await made(acts)
    async with db.read() as tx:
        rows = [*await tx.rows("SELECT * FROM users"), *await tx.rows("SELECT * FROM audit")]
    stored = repr(rows)
    assert password not in stored
    assert "Hoa" not in stored
    assert "$argon2id$" in stored
    [act] = [one for one in await read_audit(db) if one.act == "user.add"]
    assert json.dumps(dict(act.detail)) == '{"role": "unit_admin", "unit": "31312401"}'
    assert "Hoa" not in repr(await find_user(db, acts._vault, "hoa"))


async def test_the_first_password_must_be_changed_and_expires(acts, sign_in, clock):
    """Handed out on paper, it is good for two weeks."""
    password = await made(acts)
    entry = await sign_in.check(" HOA ", password)
    assert (entry.outcome, entry.must_change, entry.must_enrol_totp) == (Outcome.IN, True, False)
    clock.advance(ms=14 * DAY_MS + 1)
    assert (await sign_in.check("hoa", password)).outcome is Outcome.EXPIRED
    again = (await acts.reset(MACHINE, "hoa")).password
    assert (await sign_in.check("hoa", again)).outcome is Outcome.IN


async def test_a_new_password_ends_the_duty_and_bad_ones_are_refused(acts, sign_in, db, vault):
    """The policy and the old password are asked; afterwards only the new one opens."""
    password = await made(acts)
    user = (await sign_in.check("hoa", password)).user
    assert await sign_in.change_password(user, password, "Viettel@2023") == "common"
    assert await sign_in.change_password(user, password, password) == "same"
    assert await sign_in.change_password(user, "not it at all", GOOD) == "wrong"
    assert await sign_in.change_password(user, password, GOOD) is None
    entry = await sign_in.check("hoa", GOOD)
    assert (entry.outcome, entry.must_change) == (Outcome.IN, False)
    assert (await sign_in.check("hoa", password)).outcome is Outcome.WRONG
    assert ("hoa", "user.change_password", "hoa") in await audited(db)


async def test_five_wrong_passwords_pause_sign_in_even_for_the_right_one(acts, sign_in, clock, db):
    """A guesser waits; the pause ends by itself, doubles with the next failure, and a success forgets it."""
    password = await made(acts)
    outcomes = [(await sign_in.check("hoa", "wrong one")).outcome for _ in range(5)]
    assert outcomes == [Outcome.WRONG] * 5
    assert (await sign_in.check("hoa", password)).outcome is Outcome.PAUSED
    assert ("hoa", "user.paused", "hoa") in await audited(db)
    clock.advance(s=60)
    assert (await sign_in.check("hoa", "wrong one")).paused_until_ms == clock.now_ms() + 120_000
    clock.advance(s=120)
    assert (await sign_in.check("hoa", password)).outcome is Outcome.IN
    assert (await sign_in.check("hoa", "wrong one")).paused_until_ms is None


async def test_unknown_and_ended_users_look_like_a_wrong_password(acts, sign_in):
    """Nobody learns which logins exist."""
    password = await made(acts)
    await acts.end(MACHINE, "hoa")
    assert await sign_in.check("hoa", password) == await sign_in.check("nobody", password)
    assert (await sign_in.check("hoa", password)).outcome is Outcome.WRONG


async def test_the_second_factor_is_a_duty_above_schools_and_a_code_opens_once(acts, sign_in, clock):
    """Enrolled by a code that proves it, asked for at each sign-in, and no code works twice."""
    password = await made(acts, "xa.ah", unit="11617")
    entry = await sign_in.check("xa.ah", password)
    assert entry.must_enrol_totp
    secret = totp.new_secret()
    assert not await sign_in.confirm_totp(entry.user, secret, "000000x")
    assert await sign_in.confirm_totp(entry.user, secret, totp.code_at(secret, clock.now_ms() // 30_000))
    assert (await sign_in.check("xa.ah", password)).outcome is Outcome.CODE_WANTED
    used = totp.code_at(secret, clock.now_ms() // 30_000)
    assert (await sign_in.check("xa.ah", password, used)).outcome is Outcome.WRONG
    clock.advance(s=30)
    code = totp.code_at(secret, clock.now_ms() // 30_000)
    entry = await sign_in.check("xa.ah", password, code)
    assert (entry.outcome, entry.must_enrol_totp) == (Outcome.IN, False)
    assert (await sign_in.check("xa.ah", password, code)).outcome is Outcome.WRONG
    with pytest.raises(Refused):
        await sign_in.confirm_totp(entry.user, secret, code)


async def test_a_reset_can_take_the_second_factor_away(acts, sign_in, clock):
    """A lost telephone is a matter for the level above, and is set up anew."""
    password = await made(acts, "xa.ah", unit="11617")
    user = (await sign_in.check("xa.ah", password)).user
    secret = totp.new_secret()
    assert await sign_in.confirm_totp(user, secret, totp.code_at(secret, clock.now_ms() // 30_000))
    kept = (await acts.reset(MACHINE, "xa.ah")).password
    assert (await sign_in.check("xa.ah", kept)).outcome is Outcome.CODE_WANTED
    anew = (await acts.reset(MACHINE, "xa.ah", totp=True)).password
    assert (await sign_in.check("xa.ah", anew)).must_enrol_totp


async def test_a_file_of_accounts_leaves_bad_rows_out_and_may_come_twice(acts, db, vault):
    """Line by line: a foreign unit, a login twice, an unknown role; the others are made, and later the same."""
    await made(acts, "xa.ah", unit="11617")
    actor = await acts.actor("xa.ah")
    text = (
        "Tên đăng nhập,Họ và tên,Mã đơn vị,Vai trò\n"
        "adong.1,Nguyễn Thị Mẫu,31312401,Quản trị đơn vị\n"
        "ADONG.1,Trần Văn Mẫu,31312401,viewer\n"
        "hphong.1,Lê Thị Mẫu,31312402,Người xem\n"
        "adong.2,Vũ Văn Mẫu,31312401,Trưởng\n"
        "adong.3,Đỗ Văn Mẫu,31312401,Approver\n"
    )
    sheet = parse_sheet(text.encode(), "users.csv", COLUMNS, REQUIRED)
    wanted = await read_wanted(sheet, acts, actor, await read_users(db, vault))
    assert [(f.line, f.field, f.code) for f in wanted.faults] == [
        (3, "login", "login_twice"),
        (4, "unit", "out_of_scope"),
        (5, "role", "role_unknown"),
    ]
    assert [(new.login, new.role) for new in wanted.new] == [("adong.1", "unit_admin"), ("adong.3", "approver")]
    await acts.make(actor, wanted.new)
    again = await read_wanted(sheet, acts, actor, await read_users(db, vault))
    assert (again.new, again.same) == ([], 2)


async def test_passwords_can_be_kept_before_anything_is_written(acts, db, vault):
    """When the result file cannot be written there is no account that nobody can use."""

    def no_disk(made):
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        await acts.make(MACHINE, [NewUser("hoa", "A B", "viewer", "31312401")], no_disk)
    assert await read_users(db, vault) == []


async def test_a_part_that_fails_leaves_no_password_behind(acts, db, vault, monkeypatch):
    """Each part stands or falls whole; what is handed out names just the accounts that there are."""
    monkeypatch.setattr(users_stage, "_PART", 2)
    names = ["an.1", "an.2", "an.3", "an.4", "an.5"]
    wanted = [NewUser(login, "A B", "viewer", "31312401") for login in names]
    kept = []

    def keep(handed):
        kept.append([one.user.login for one in handed])

    await made(acts, login="an.4")  # somebody else was quicker
    with pytest.raises(Refused):
        await acts.make(MACHINE, wanted, keep)
    assert kept == [[], ["an.1", "an.2"]]
    assert [user.login for user in await read_users(db, vault)] == ["an.1", "an.2", "an.4"]


def test_nothing_changes_or_deletes_an_act():
    """Append-only: the one statement of ours that touches a row gives it its seal, once."""
    assert "SET seal = :seq, leaf = x.leaf FROM" in BOUND
    assert BOUND.endswith("audit.seal IS NULL")
    sources = [path.read_text("utf-8") for path in Path(ROOT / "gateway").rglob("*.py")]
    assert any("INSERT INTO audit " in text for text in sources)
    changes = [one for text in sources for one in re.findall(r'UPDATE audit [^"]*', text)]
    assert changes == [BOUND]
    assert not [text for text in sources if re.search(r"DELETE FROM audit\b", text)]
