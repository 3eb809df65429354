"""Cases as admins read them: grouped by cause, one beside its file, within one's units and never beyond."""

import pytest

from gateway.bdtx.places import Within
from gateway.bdtx.scope import OnFile
from gateway.model.clock import local_date
from gateway.model.errors import Refused
from gateway.model.roles import RoleName
from gateway.stages.cases import failures, ruling
from gateway.stages.cases.reading import read_case
from gateway.stages.cases.rechecking import recheck, recheck_cause
from gateway.stages.cases.revealing import reveal
from gateway.stages.cases.sight import Desk, Sight
from gateway.stages.cases.timeline import timeline
from gateway.stages.cases.whereabouts import Kind, search
from gateway.storage.audit import read_audit
from tests.integration.by_hand import ROSTER, completion
from tests.integration.casework import ELSEWHERE, FAR, A, B, casework, viewer

STRANGER = {"full_name": "Phạm Thị Người Lạ", "birth_date": "1970-12-31"}


@pytest.fixture
async def lab(database_url, tmp_path, clock):
    async with casework(database_url, tmp_path, clock) as lab:
        yield lab


@pytest.fixture
def desk(lab):
    g = lab.gateway
    return Desk(g.db, g.clock, g.vault, g.blind, g.snapshots, g.accounts)


async def sight(lab, unit, role=RoleName.UNIT_ADMIN) -> Sight:
    return Sight(await lab.register.current(), viewer(unit, role), local_date(lab.clock.now_ms()))


async def causes_of(lab, unit, role=RoleName.UNIT_ADMIN):
    found = await failures.causes(lab.db, (await sight(lab, unit, role)).limit)
    return {cause.code: (cause.failures, cause.people, cause.units) for cause in found}


async def test_failures_are_causes_with_numbers(lab):
    """Four failures of three people at two schools are two causes, each counted once."""
    await lab.fails(1)
    await lab.fails(1, event="again")
    await lab.fails(2, school=B)
    await lab.fails(3, sectorCode="31 00")
    await lab.passes(4)
    await lab.follow()
    expected = {"attribute.name_mismatch": (3, 2, 2), "format.length": (1, 1, 1)}
    for unit in ("31001", "31", "BGDDT"):
        assert await causes_of(lab, unit) == expected
    assert await causes_of(lab, None, RoleName.OPERATOR) == expected
    assert await causes_of(lab, A) == {"attribute.name_mismatch": (2, 1, 1), "format.length": (1, 1, 1)}
    assert await causes_of(lab, FAR) == {} and await causes_of(lab, "33") == {}
    [one] = await failures.causes(lab.db, Within("school_code", B))
    assert one.one_unit == B and one.first_ms == one.last_ms


async def test_a_list_pages_by_id_and_shows_ones_own_staff(lab, desk):
    """Names and birth dates in clear, numbers masked, newest first, nothing twice and nothing left out."""
    ids = [await lab.fails(n) for n in range(5)]
    await lab.fails(6, school=B)
    await lab.follow()
    mine = await sight(lab, A)
    seen, before = [], None
    while page := await failures.lines(
        desk, mine, mine.limit, "attribute.name_mismatch", before=before, size=2
    ):
        seen += page
        before = page[-1].id
    assert [line.id for line in seen] == sorted(ids, reverse=True)
    assert seen[0].learner.full_name == "Lê Văn Khác" and seen[0].learner.birth_date.year == 1985
    assert seen[0].learner.identifier == "31••••••04"
    operators = await sight(lab, None, RoleName.OPERATOR)
    told = await failures.lines(desk, operators, operators.limit, "attribute.name_mismatch")
    assert len(told) == 6 and all(line.learner is None for line in told)


async def test_only_units_of_ones_own_narrow_a_list(lab):
    """A filter is no way around scope."""
    commune = await sight(lab, "31001")
    assert commune.narrowed(A) == Within("school_code", A)
    assert commune.narrowed(FAR) is None and commune.narrowed("31") is None and commune.narrowed("none") is None
    assert (await sight(lab, A)).narrowed("31001") is None
    assert (await sight(lab, None, RoleName.OPERATOR)).narrowed(ELSEWHERE) == Within("school_code", ELSEWHERE)
    for role in (RoleName.VENDOR, RoleName.ORGANISER, RoleName.AUDITOR):
        assert (await sight(lab, None, role)).limit is None


async def test_a_case_shows_sent_beside_on_file(lab, desk):
    """Which letters differ, which finding says so, and who it was judged by."""
    held = await lab.fails(1, fullName="Nguyễn Thị Hòe 1")
    case = await read_case(desk, await sight(lab, A), held)
    assert case.on_file is OnFile.SHOWN and case.reason == "attribute.name_mismatch"
    rows = {row.field: row for row in case.rows}
    assert [part.text for part in rows["full_name"].sent if part.differs] == ["e"]
    assert [part.text for part in rows["full_name"].on_file if part.differs] == ["a"]
    assert (rows["full_name"].code, rows["full_name"].effect) == ("attribute.name_mismatch", "holds")
    assert rows["identifier"].sent[0].text == "31••••••01"
    assert rows["birth_date"].sent[0].text == "05/03/1985" and not rows["birth_date"].is_reason
    assert rows["status"].on_file[0].text == "Đang làm việc"
    assert [j.reason for j in case.judgements] == ["attribute.name_mismatch"] and case.attempts


async def test_a_code_that_hits_a_stranger_shows_nothing_of_the_stranger(lab, desk):
    """The claiming school learns that the code is somebody's elsewhere: no value, hint or finding."""
    await lab.moves(5, ELSEWHERE, **STRANGER, status="Đã nghỉ hưu")
    held = await lab.fails(5, fullName="Phạm Thị Người Lo")
    for unit in (A, "31001", "31"):
        case = await read_case(desk, await sight(lab, unit), held)
        assert case.on_file is OnFile.ELSEWHERE and case.file is None and case.rung is None
        assert [f.code for f in case.findings] == ["attribute.name_mismatch"] and case.findings[0].detail == {}
        assert all(not row.on_file for row in case.rows)
        assert not any(word in repr(case.rows) for word in ("1970", "nghỉ hưu", "Mỹ Hào", ELSEWHERE))
        revealed = await reveal(desk, await sight(lab, unit), case, "help_learner")
        assert revealed.identifier_on_file is None
    assert await read_case(desk, await sight(lab, ELSEWHERE), held) is None
    ministry = await read_case(desk, await sight(lab, "BGDDT"), held)
    assert ministry.on_file is OnFile.SHOWN and ministry.file.full_name == STRANGER["full_name"]


async def test_once_verified_a_case_is_the_registrys_units(lab, desk):
    """The school that was claimed wrongly sees it no more; the one where the person works does."""
    id_ = await lab.passes(7, school=B)
    await lab.follow()
    assert await read_case(desk, await sight(lab, B), id_) is None
    case = await read_case(desk, await sight(lab, A), id_)
    assert case.on_file is OnFile.SHOWN and case.unit_code == A and case.record is not None


async def test_roles_without_values_get_none(lab, desk):
    """An operator sees state, reason and owner; vendors, organisers and auditors see no case here."""
    held = await lab.fails(8)
    case = await read_case(desk, await sight(lab, None, RoleName.OPERATOR), held)
    assert case.sent is None and case.file is None and case.on_file is OnFile.WITHHELD and case.hits == ()
    assert not any(row.sent or row.on_file for row in case.rows)
    for role in (RoleName.VENDOR, RoleName.ORGANISER, RoleName.AUDITOR):
        assert await read_case(desk, await sight(lab, None, role), held) is None
    assert await read_case(desk, await sight(lab, A), 999_999) is None


async def test_a_near_miss_is_told_to_whoever_covers_that_person(lab, desk):
    """Masked, to the person's own unit and those above; everybody else reads "not found"."""
    await lab.moves(12, B)
    sent = {"sectorCode": "3100000091", "fullName": ROSTER[12].full_name}
    await lab.http.patch("/_control/registry/staff/3100000012", json={"sector_id": "3100000019"})
    held = await lab.fails(12, **sent | {"sectorCode": "3100000091"})
    assert (await lab.row(held)).reason == "registry.not_found"
    school = await read_case(desk, await sight(lab, A), held)
    assert school.near is None and "near_miss" not in repr(school.findings)
    commune = await read_case(desk, await sight(lab, "31001"), held)
    assert (commune.near.masked, commune.near.slip) == ("31••••••19", "swapped")
    operator = await read_case(desk, await sight(lab, None, RoleName.OPERATOR), held)
    assert operator.near is None


async def test_check_again_asks_live_about_all_of_the_learners(lab, desk):
    """Mended in the sector database, one press: what the account has held goes on, others stay."""
    first, second = await lab.fails(1), await lab.fails(1, event="again", code="GVPT 04")
    other = await lab.fails(2)
    await lab.follow()
    await lab.http.patch(f"/_control/registry/staff/{ROSTER[1].sector_id}", json={"full_name": "Lê Văn Khác"})
    mine = await sight(lab, A)
    assert await recheck(desk, mine, await read_case(desk, mine, first)) == 2
    await lab.verify()
    states = await lab.states()
    assert (states[first], states[second], states[other]) == ("verified", "verified", "held")
    act = (await read_audit(lab.db, after=0, limit=500))[-1]
    assert (act.act, act.object, act.detail) == ("case.recheck", f"delivery:{first}", {"woken": 2})


async def test_a_cause_is_checked_again_within_ones_units(lab, desk):
    """One press for a whole cause never reaches into another unit."""
    mine, theirs = [await lab.fails(n) for n in (1, 2)], await lab.fails(3, school=B)
    await lab.follow()
    seen = await sight(lab, A)
    assert await recheck_cause(desk, seen, seen.limit, "attribute.name_mismatch") == 2
    due = {
        row.id
        for row in await lab.rows("SELECT id FROM deliveries WHERE due_at_ms <= :n", n=lab.clock.now_ms())
    }
    assert due == set(mine) and theirs not in due


async def test_numbers_are_revealed_for_a_purpose_and_the_audit_has_it(lab, desk):
    """Who, which numbers of which case, what for; never the number. No purpose, no number."""
    held = await lab.fails(4, fullName="Nguyễn Thị Hòe 4")
    mine = await sight(lab, A)
    case = await read_case(desk, mine, held)
    shown = await reveal(desk, mine, case, "help_learner")
    assert shown.identifier == shown.identifier_on_file == ROSTER[4].sector_id
    with pytest.raises(ValueError, match="purpose"):
        await reveal(desk, mine, case, "curiosity")
    [act] = [a for a in await read_audit(lab.db, limit=500) if a.act == "case.reveal"]
    assert act.actor == mine.viewer.login and act.object == f"delivery:{held}"
    assert act.detail == {"purpose": "help_learner", "numbers": ["identifier", "identifier_on_file"]}
    assert ROSTER[4].sector_id not in str(act)


async def ambiguous(lab, n=20, *, other_unit=A):
    """Two people under one old identity card: which is meant is not for a machine to guess."""
    card = "012345678"
    name, born = ROSTER[n].full_name, ROSTER[n].birth_date
    one, two = f"31000000{n}", "3177777777"
    await lab.http.patch(f"/_control/registry/staff/{one}", json={"citizen_id": card})
    twin = {"full_name": name, "birth_date": born, "unit_code": other_unit, "citizen_id": card, "role": "GV"}
    await lab.http.put(f"/_control/registry/staff/{two}", json=twin)
    held = await lab.fails(n, sectorCode=card, fullName=name)
    assert (await lab.row(held)).reason == "registry.ambiguous"
    return held, one, two


async def test_an_approver_chooses_and_the_same_rules_judge(lab, desk):
    """A choice narrows which file is meant; name and birth date must still agree, and it can be taken back."""
    held, one, _ = await ambiguous(lab)
    approver = await sight(lab, A, RoleName.APPROVER)
    case = await read_case(desk, approver, held)
    assert len(case.hits) == 2 and ruling.may_choose(case)
    chosen = next(hit for hit in case.hits if hit.file.sector_id == one)
    with pytest.raises(Refused):
        await ruling.choose(desk, approver, lab.gateway.links, case, chosen.person_id, "")
    woken = await ruling.choose(desk, approver, lab.gateway.links, case, chosen.person_id, "Đã xem hồ sơ giấy")
    assert woken == 1
    await lab.verify()
    assert (await lab.states())[held] == "verified"
    after = await read_case(desk, approver, held)
    assert after.ruling.act == "choose" and ruling.note_of(desk, after.ruling, held) == "Đã xem hồ sơ giấy"
    assert not ruling.may_reopen(after)
    acts = [a for a in await read_audit(lab.db, limit=500) if a.act == "case.choose"]
    assert [a.object for a in acts] == [f"delivery:{held}"] and "giấy" not in str(acts)


async def test_a_choice_cannot_make_a_wrong_person_right(lab, desk):
    """The chosen file has another birth date: held again, by the same rules as everybody; then taken back."""
    held, _, two = await ambiguous(lab)
    await lab.http.patch(f"/_control/registry/staff/{two}", json={"birth_date": "1999-09-09"})
    approver = await sight(lab, A, RoleName.APPROVER)
    case = await read_case(desk, approver, held)
    wrong = next(hit for hit in case.hits if hit.file.sector_id == two)
    await ruling.choose(desk, approver, lab.gateway.links, case, wrong.person_id, "nhầm")
    await lab.verify()
    assert (await lab.row(held)).reason == "attribute.birth_date_mismatch"
    case = await read_case(desk, approver, held)
    assert ruling.may_reopen(case)
    assert await ruling.reopen(desk, approver, lab.gateway.links, case, "chọn nhầm") == 1
    await lab.verify()
    row = await lab.row(held)
    assert (row.state, row.reason) == ("held", "registry.ambiguous")


async def test_a_file_of_another_unit_is_no_choice(lab, desk):
    """Among several hits a stranger's shows that it is there, and nothing else."""
    held, _, _ = await ambiguous(lab, other_unit=ELSEWHERE)
    approver = await sight(lab, A, RoleName.APPROVER)
    case = await read_case(desk, approver, held)
    assert sorted(hit.file is None for hit in case.hits) == [False, True]
    stranger = next(hit for hit in case.hits if hit.file is None)
    with pytest.raises(Refused):
        await ruling.choose(desk, approver, lab.gateway.links, case, stranger.person_id, "thử")


async def test_a_rejected_case_leaves_the_list_until_it_is_reopened(lab, desk):
    """It stays held, so the learner's own correction still frees it; another reason opens it again."""
    held = await lab.fails(9)
    await lab.follow()
    approver = await sight(lab, A, RoleName.APPROVER)
    await ruling.reject(desk, approver, await read_case(desk, approver, held), "Không phải người của trường")
    await lab.follow()
    assert await causes_of(lab, A) == {} and (await lab.states())[held] == "held"
    await ruling.reopen(desk, approver, lab.gateway.links, await read_case(desk, approver, held), "Xem lại")
    assert await causes_of(lab, A) == {"attribute.name_mismatch": (1, 1, 1)}
    await ruling.reject(desk, approver, await read_case(desk, approver, held), "Đóng")
    await lab.http.patch(f"/_control/registry/staff/{ROSTER[9].sector_id}", json={"sector_id": "3166666666"})
    await recheck(desk, approver, await read_case(desk, approver, held))
    await lab.verify()
    await lab.follow()
    assert await causes_of(lab, A) == {"registry.not_found": (1, 1, 1)}


async def test_a_timeline_spans_vendors_and_stays_in_scope(lab, desk):
    """The same learner's other results, also from the other LMS; a namesake's elsewhere never."""
    first = await lab.passes(10)
    second = await lab.passes(10, event="later")
    theirs = await lab.fails(11, school=ELSEWHERE, sectorCode=ROSTER[10].sector_id)
    await lab.follow()
    mine = await sight(lab, A)
    found = await timeline(desk, mine, await read_case(desk, mine, first))
    assert [other.id for other in found] == [second] and theirs not in [other.id for other in found]
    everybody = await sight(lab, "BGDDT")
    found = await timeline(desk, everybody, await read_case(desk, everybody, first))
    assert [other.id for other in found] == [theirs, second]


@pytest.mark.parametrize(
    ("kind", "typed"),
    [
        (Kind.IDENTIFIER, "31.0000.0003"),
        (Kind.IDENTIFIER, "03100000003"),
        (Kind.NAME, "  nguyen   THI hoa 3 "),
        (Kind.CERTIFICATE, "qđ 12/ab"),
        (Kind.COURSE, "GVPT 03"),
        (Kind.COURSE, "gvpt-03"),
        (Kind.RECEIPT, "#1"),
        (Kind.EVENT, "evt-3"),
    ],
)
async def test_whatever_a_learner_has_in_hand_finds_the_result(lab, desk, kind, typed):
    """Identifier, name, certificate, course, receipt, event; in one's unit and above, nowhere else."""
    item = completion(3)
    item["result"]["certificateNo"] = "QĐ 12/AB"
    [id_] = await lab.send(item)
    await lab.verify()
    await lab.follow()
    for unit in (A, "31001", "31", "BGDDT"):
        seen = await sight(lab, unit)
        [found] = await search(desk, seen, seen.limit, kind, typed)
        assert found.id == id_ and found.state == "verified" and found.full_name == ROSTER[3].full_name
        assert found.identifier == "31••••••03"
    for unit in (B, FAR, "31002", "33", ELSEWHERE):
        seen = await sight(lab, unit)
        assert await search(desk, seen, seen.limit, kind, typed) == ()
    said = str(await read_audit(lab.db, limit=500))
    assert "result.search" in said and "0003" not in said and "evt-3" not in said


async def test_a_search_finds_the_person_by_the_number_on_file(lab, desk):
    """Sent as another number, verified, and found by the plain one all the same."""
    await lab.http.patch(f"/_control/registry/staff/{ROSTER[5].sector_id}", json={"citizen_id": "031185000005"})
    item = completion(5)
    item["user"]["sectorCode"] = "031185000005"
    [id_] = await lab.send(item)
    await lab.verify()
    await lab.follow()
    seen = await sight(lab, A)
    assert (await lab.states())[id_] == "verified"
    for typed in (ROSTER[5].sector_id, "031185000005"):
        assert [one.id for one in await search(desk, seen, seen.limit, Kind.IDENTIFIER, typed)] == [id_]
    for typed in ("", "   ", "abc", "0"):
        assert await search(desk, seen, seen.limit, Kind.IDENTIFIER, typed) == ()
