"""The pages and twins of cases over real HTTP: nobody reaches a person of another unit by any way there is."""

import itertools
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pytest
from python_calamine import CalamineWorkbook

from gateway.api.app import make_app
from gateway.api.context import Drain
from gateway.api.server import listening
from gateway.cli.serving.process import context_of, parts_of
from gateway.console.mount import TWIN, mount
from gateway.console.navigation import pages
from gateway.console.page import HOME, Act, Page
from gateway.model.reasons import REASONS
from gateway.stages.cases.whereabouts import Kind
from gateway.storage.audit import read_audit
from gateway.storage.users import set_totp
from tests.integration.by_hand import ROSTER, completion
from tests.integration.casework import ELSEWHERE, FAR, A, B, Casework, casework
from tests.visiting import an_account, visiting

VARIABLE = re.compile(r"\{(\w+)(?::[^/]*)?\}")
# Values that belong to people of other units, and must never be seen by the school A.
SECRETS = ("Mai Bí Mật", "Phạm Thị Người Lạ", "1970-12-31", "31/12/1970", "QĐ 99/XY", "evt-foreign", "5566")


@dataclass
class Site:
    """Cases of several schools, and the console in front of them."""

    lab: Casework
    address: str
    mine: list[int]
    theirs: list[int]
    stranger: int  # mine by the claim, but the code is a stranger's

    @property
    def gateway(self):
        return self.lab.gateway

    @property
    def clock(self):
        return self.lab.clock


@pytest.fixture
async def site(database_url: str, tmp_path: Path, clock) -> AsyncIterator[Site]:
    async with casework(database_url, tmp_path, clock) as lab:
        await lab.moves(21, B, full_name="Mai Bí Mật Một", sector_id="3100005566")
        await lab.moves(22, FAR)
        stranger = {"full_name": "Phạm Thị Người Lạ", "birth_date": "1970-12-31"}
        await lab.moves(5, ELSEWHERE, **stranger, status="Đã nghỉ hưu")
        mine = [await lab.fails(1), await lab.fails(2, sectorCode="31"), await lab.passes(3)]
        foreign = completion(21, event="evt-foreign-1")
        foreign["user"] |= {"schoolCode": B, "fullName": "Mai Bí Mật Một", "sectorCode": "3100005566"}
        foreign["result"]["certificateNo"] = "QĐ 99/XY"
        theirs = await lab.send(foreign)
        await lab.verify()
        theirs.append(await lab.fails(22, school=FAR, fullName="Mai Bí Mật Hai", event="evt-foreign-2"))
        theirs.append(await lab.fails(23, school=ELSEWHERE, fullName="Mai Bí Mật Ba", event="evt-foreign-3"))
        strange = await lab.fails(5, fullName="Phạm Thị Người Lo")
        await lab.follow()
        app = make_app(context_of(lab.gateway, lab.pipeline, Drain()))
        mount(app, parts_of(lab.gateway, lab.pipeline))
        async with listening(app, "127.0.0.1", 0) as address:
            made = Site(lab, address, mine, theirs, strange)
            await an_account(made, "truong.a", "unit_admin", A)
            await an_account(made, "duyet.a", "approver", A)
            await an_account(made, "phuong", "unit_admin", "31001")
            await an_account(made, "sogd", "unit_admin", "31")
            await an_account(made, "vanhanh", "operator")
            g = lab.gateway
            for login in ("phuong", "sogd", "vanhanh"):  # from the commune up nobody is let in without
                await g.db.write(lambda tx, who=login: set_totp(tx, g.vault, who, b"2" * 20))
            yield made


def addresses(site: Site, method: type) -> list[str]:
    """Every page (or act) of the console with everything that may stand in its place: ids, codes, words."""
    ids = [*site.mine, *site.theirs, site.stranger, 999_999]
    fits = {"id": ids, "code": sorted(REASONS), "verification": range(1, 30)}
    found = []
    for page in pages():
        if not isinstance(page, method) or "sign" in page.path or page.path.endswith(("language", "password")):
            continue
        names = VARIABLE.findall(page.path)
        for values in itertools.product(*(fits.get(name, ["7", "x"]) for name in names)):
            filling = iter(values)
            found.append(VARIABLE.sub(lambda _, f=filling: str(next(f)), page.path))
    return found


def text_of(answer) -> str:
    """What an answer says, also where it is a workbook."""
    if "spreadsheet" not in answer.headers.get("Content-Type", ""):
        return answer.body.decode()
    book = CalamineWorkbook.from_filelike(BytesIO(answer.body))
    return str([book.get_sheet_by_name(name).to_python() for name in book.sheet_names])


@pytest.mark.parametrize("login", ["truong.a", "duyet.a"])
async def test_no_address_shows_a_school_anothers_people(site, login):
    """Each page and twin, with each case, cause and unit in its address: none says a word of a stranger."""
    shown = 0
    async with visiting(site, login) as visitor:
        for path in addresses(site, Page):
            plain = path in (HOME, f"{HOME}/failures") or "/failures/attribute" in path or "progress" in path
            for unit in ("", f"?unit={B}", f"?unit={ELSEWHERE}", "?unit=31", "?after=1") if plain else ("",):
                for address in (path + unit, path.replace(HOME, TWIN, 1) + unit):
                    answer = await visitor.get(address)
                    assert answer.status in (200, 303, 403, 404), (address, answer.status)
                    said = text_of(answer)
                    assert not [word for word in SECRETS if word in said], address
                    shown += answer.status == 200
        for id_ in site.theirs:
            assert (await visitor.get(f"{HOME}/cases/{id_}")).status == 404
            assert (await visitor.get(f"{TWIN}/cases/{id_}")).status == 404
        for id_ in (*site.mine, site.stranger):
            assert (await visitor.get(f"{HOME}/cases/{id_}")).status == 200
    assert shown > 10
    refused = [act for act in await read_audit(site.gateway.db, limit=500) if act.act == "refused"]
    assert {f"delivery {id_}" for id_ in site.theirs} <= {act.object for act in refused}


@pytest.mark.parametrize("login", ["truong.a", "duyet.a"])
async def test_no_act_touches_anothers_case(site, login):
    """Checked again, revealed, ruled on: other units' rows stay as they were, and nothing of them is told."""
    sql = "SELECT id, state, fence, due_at_ms FROM deliveries WHERE id IN ({}) ORDER BY id"
    sql = sql.format(", ".join(str(id_) for id_ in site.theirs))
    before = await site.lab.rows(sql)
    fields = {"purpose": "help_learner", "note": "x", "act": "reject", "person": "1", "unit": B, "kind": "name"}
    async with visiting(site, login) as visitor:
        for path in addresses(site, Act):
            for address in (path, path.replace(HOME, TWIN, 1)):
                answer = await visitor.post(address, typed="khong ai", **fields)
                assert answer.status < 500, (address, answer.status)
                assert not [word for word in SECRETS if word in text_of(answer)], address
        for unit in ("", B, ELSEWHERE, "31"):
            for address in (f"{HOME}/failures/attribute.name_mismatch/recheck",):
                await visitor.post(address, unit=unit)
    assert await site.lab.rows(sql) == before
    rulings = await site.lab.rows("SELECT delivery_id FROM rulings")
    assert not {row.delivery_id for row in rulings} & set(site.theirs)


async def test_no_search_finds_anothers_result(site):
    """Whatever is typed about them, by every kind: as if it were not there; the unit above finds it."""
    typed = {
        Kind.NAME: ["Mai Bí Mật Một", "mai bi mat hai", "Mai Bí Mật Ba"],
        Kind.IDENTIFIER: ["3100005566", "31 0000 5566", ROSTER[22].sector_id],
        Kind.CERTIFICATE: ["QĐ 99/XY"],
        Kind.EVENT: ["evt-foreign-1", "evt-foreign-2", "evt-foreign-3"],
        Kind.RECEIPT: [str(id_) for id_ in site.theirs],
        Kind.COURSE: ["GVPT 03"],
    }
    async with visiting(site, "truong.a") as school, visiting(site, "sogd") as department:
        for kind, values in typed.items():
            for value in values:
                answer = await school.post(f"{TWIN}/where", kind=kind, typed=value)
                assert answer.status == 200
                hits = {hit["id"] for hit in answer.json()["hits"]}
                assert not hits & set(site.theirs), (kind, value)
                above = (await department.post(f"{TWIN}/where", kind=kind, typed=value)).json()["hits"]
                expected = set(site.theirs) - ({site.theirs[2]} if kind is not Kind.COURSE else set())
                if not value.endswith(("Ba", "-3", str(site.theirs[2]))):
                    assert {hit["id"] for hit in above} & expected, (kind, value)


async def test_the_stranger_behind_a_code_is_one_sentence(site):
    """Page and twin: the code is somebody's of another unit, and that is all."""
    async with visiting(site, "truong.a") as school:
        page = (await school.get(f"{HOME}/cases/{site.stranger}")).body.decode()
        assert "Mã này thuộc về một người ở đơn vị khác" in page
        told = await school.told(f"{HOME}/cases/{site.stranger}")
        assert told["elsewhere"] and all(row["on_file"] == [] for row in told["fields"])
        revealed = await school.post(f"{TWIN}/cases/{site.stranger}/reveal", purpose="help_learner")
        assert revealed.json()["revealed"]["identifier_on_file"] is None
        for word in ("Người Lạ", "1970", "nghỉ hưu", "Mỹ Hào", ELSEWHERE):
            assert word not in page and word not in str(told) and word not in revealed.body.decode()


async def test_then_and_now_stands_beside_a_case_of_ones_own(site):
    """What was judged, by which rules, and what differs today; of a stranger only the verdicts."""
    [then] = await site.lab.rows("SELECT id FROM verifications WHERE delivery_id = :id", id=site.mine[0])
    [strange] = await site.lab.rows("SELECT id FROM verifications WHERE delivery_id = :id", id=site.stranger)
    [theirs] = await site.lab.rows("SELECT id FROM verifications WHERE delivery_id = :id", id=site.theirs[1])
    await site.lab.http.patch("/_control/registry/staff/3100000001", json={"full_name": "Lê Văn Khác"})
    site.clock.advance(s=1)
    async with visiting(site, "truong.a") as school:
        told = await school.told(f"{HOME}/cases/{site.mine[0]}/then/{then.id}")
        assert not told["then"]["verified"] and told["now"]["verified"]
        assert [row["key"] for row in told["fields"] if row["changed"]] == ["full_name"]
        assert told["gone"] == ["Mã có trong CSDL ngành nhưng họ tên không trùng khớp."] and told["new"] == []
        assert (await school.get(f"{HOME}/cases/{site.mine[0]}/then/{then.id}")).status == 200
        stranger = await school.told(f"{HOME}/cases/{site.stranger}/then/{strange.id}")
        assert stranger["elsewhere"] and stranger["fields"] == [] and stranger["gone"] == []
        for case, verification in ((site.theirs[1], theirs.id), (site.mine[0], theirs.id), (site.mine[0], 999)):
            assert (await school.get(f"{HOME}/cases/{case}/then/{verification}")).status == 404
    async with visiting(site, "vanhanh") as operator:
        assert (await operator.get(f"{HOME}/cases/{site.mine[0]}/then/{then.id}")).status == 403


async def test_numbers_are_masked_until_they_are_revealed_for_a_purpose(site):
    """No page, twin or file has a number in full; a reveal has it once, and the audit who asked and why."""
    number, id_ = ROSTER[1].sector_id, site.mine[0]
    async with visiting(site, "truong.a") as school:
        for path in (
            f"cases/{id_}",
            "failures/attribute.name_mismatch",
            "failures/attribute.name_mismatch/export",
        ):
            for base in (HOME, TWIN):
                assert number not in text_of(await school.get(f"{base}/{path}"))
        assert (await school.post(f"{HOME}/cases/{id_}/reveal", purpose="other")).status == 422
        shown = await school.post(f"{HOME}/cases/{id_}/reveal", purpose="correct_registry")
        assert number in shown.body.decode() and shown.headers["Cache-Control"] == "no-store"
        assert number not in text_of(await school.get(f"{HOME}/cases/{id_}"))
    acts = [act for act in await read_audit(site.gateway.db, limit=500) if act.act == "case.reveal"]
    assert [(act.actor, act.object) for act in acts] == [("truong.a", f"delivery:{id_}")]
    async with visiting(site, "vanhanh") as operator:
        assert (await operator.post(f"{HOME}/cases/{id_}/reveal", purpose="help_learner")).status == 403


async def test_an_export_is_ones_own_list_and_runs_no_formula(site):
    """The file has the rows of the list, each with its owner by name; what looks like a formula is text."""
    evil = await site.lab.fails(30, fullName='=HYPERLINK("http://x","y")')
    await site.lab.follow()
    async with visiting(site, "phuong") as commune:
        answer = await commune.get(f"{HOME}/failures/attribute.name_mismatch/export")
        assert "filename*=UTF-8''" in answer.headers["Content-Disposition"]
        rows = CalamineWorkbook.from_filelike(BytesIO(answer.body)).get_sheet_by_index(0).to_python()
    flat = [[str(cell) for cell in row] for row in rows]
    receipts = {row[-1] for row in flat if row[-1].isdigit()}
    assert receipts == {str(id_) for id_ in (site.mine[0], site.stranger, evil)}
    [guarded] = [row for row in flat if row[-1] == str(evil)]
    assert guarded[0] == '\'=HYPERLINK("http://x","y")' and "THCS Chu Văn An" in guarded[3]
    assert any("THCS Chu Văn An (31000717) – thcs.cva@example" in row[8] for row in flat if len(row) > 8)
    [act] = [act for act in await read_audit(site.gateway.db, limit=500) if act.act == "list.export"]
    assert act.detail == {"unit": "31001", "rows": 3}


async def test_a_cause_names_who_acts_with_contact(site):
    """One school's cause names the school; several schools' names the role."""
    async with visiting(site, "truong.a") as school, visiting(site, "sogd") as department:
        mine = {group["code"]: group for group in (await school.told(f"{HOME}/failures"))["groups"]}
        owner = mine["attribute.name_mismatch"]["told"]
        assert owner["owner"] == "Quản trị trường: THCS Chu Văn An (31000717)"
        assert owner["contact"] == "thcs.cva@example"
        all_ = {group["code"]: group for group in (await department.told(f"{HOME}/failures"))["groups"]}
        assert all_["attribute.name_mismatch"]["told"]["owner"] == "Quản trị trường"
        for vendor, lines in (("viettel", 2), ("vnpt", 0)):
            told = await school.told(f"{HOME}/failures/attribute.name_mismatch?vendor={vendor}")
            assert len(told["lines"]) == lines and told["vendors"] == ["viettel", "vnpt"]
        assert (await school.get(f"{HOME}/failures/attribute.name_mismatch?vendor=nobody")).status == 404
        narrowed = await department.told(f"{HOME}/failures?unit={A}")
        assert narrowed["unit_name"] == "THCS Chu Văn An" and narrowed["as_of_ms"] is not None


async def test_an_approver_rules_by_the_page(site):
    """A note is needed; the ruling and who made it stand on the page, and it can be taken back."""
    id_ = site.mine[0]
    async with visiting(site, "duyet.a") as approver, visiting(site, "truong.a") as school:
        path = f"{HOME}/cases/{id_}/rule"
        assert (await school.post(path, act="reject", note="x")).status == 403
        assert (await approver.post(path, act="reject", note="")).status == 422
        assert (await approver.post(path, act="confirm", note="x")).status == 409
        assert (await approver.post(path, act="choose", person="1", note="x")).status == 409
        assert (await approver.post(path, act="reject", note="Người này không thuộc trường")).status == 303
        told = await school.told(f"{HOME}/cases/{id_}")
        assert told["ruled"]["act"] == "reject" and told["ruled"]["by"] == "duyet.a"
        assert (await approver.post(path, act="reopen", note="Xem lại")).status == 303
        assert (await school.told(f"{HOME}/cases/{id_}"))["ruled"]["act"] == "reopen"


async def test_pages_that_are_gone_and_pages_of_others_look_alike(site):
    """The same status and the same words: nobody learns from a number whether there is such a case."""
    async with visiting(site, "truong.a") as school:
        gone = await school.get(f"{TWIN}/cases/999999")
        theirs = await school.get(f"{TWIN}/cases/{site.theirs[0]}")
        assert (gone.status, gone.body) == (theirs.status, theirs.body)


async def test_the_three_ways_on_come_with_a_letter(site):
    """Nothing was received: the letter has what is known, and no more than was typed."""
    async with visiting(site, "truong.a") as school:
        answer = (await school.post(f"{TWIN}/where", kind="certificate", typed="QĐ 1/2026")).json()
        assert (
            answer["hits"] == [] and "QĐ 1/2026" in answer["inquiry"] and "THCS Chu Văn An" in answer["inquiry"]
        )
        assert (await school.post(f"{HOME}/where", kind="nothing", typed="x")).status == 422
        assert (await school.post(f"{HOME}/where", kind="name", typed=" ")).status == 422


def test_nothing_here_reads_a_person_from_an_address():
    """Searches and purposes come by POST: no page of cases has a variable but ids and codes."""
    mine = [page for page in pages() if page.name in ("failures", "case", "where")]
    assert {name for page in mine for name in VARIABLE.findall(page.path)} <= {"id", "code", "verification"}
