"""Properties of judging that hold for any claim and any file."""

import unicodedata
from datetime import date

from hypothesis import event, given
from hypothesis import strategies as st
from msgspec import structs

from gateway.identity.case import keys_of
from gateway.identity.judge import judge
from gateway.identity.names import bare
from gateway.model.completion import Role
from gateway.model.verdict import Effect
from tests.unit.identity.cases import POLICY, a_case, a_claim, a_file, an_answer

TEN = st.from_regex(r"[0-9]{10}", fullmatch=True)
NAMES = st.lists(
    st.sampled_from(
        ["Nguyễn", "Nguyen", "Trần", "Thị", "Hòa", "Hoà", "Hoa", "Quý", "Quí", "H'Hen", "Niê", "Đăng", "Nguy?n"]
    ),
    min_size=1,
    max_size=3,
).map(" ".join)
DAYS = st.one_of(
    st.none(), st.sampled_from([date(1985, 3, 12), date(1985, 12, 3), date(1985, 1, 1), date(1990, 7, 7)])
)
STATUSES = st.sampled_from(["Đang làm việc", "Đã nghỉ hưu", "Đã biệt phái", "khác"])
SINCE = st.one_of(st.none(), st.sampled_from([date(2020, 1, 1), date(2026, 6, 1)]))


@st.composite
def claims(draw, identifiers=TEN):
    return a_claim(
        identifier=draw(identifiers),
        full_name=draw(st.one_of(st.none(), NAMES)),
        birth_date=draw(DAYS),
        unit_code=draw(st.sampled_from([None, "31000717", "31000701"])),
        role=draw(st.sampled_from([None, *Role])),
    )


@st.composite
def files(draw, sector_ids=TEN):
    return a_file(
        sector_id=draw(sector_ids),
        full_name=draw(NAMES),
        birth_date=draw(DAYS),
        status=draw(STATUSES),
        status_since=draw(SINCE),
    )


@given(TEN, TEN, claims(), files())
def test_two_different_exact_identifiers_never_verify_each_other(one, other, claim, file):
    """One digit apart is a different person, whatever the registry answers and however well the rest agrees."""
    sent = claim.replace(identifier=one, full_name=file.full_name, birth_date=file.birth_date)
    on_file = file.replace(sector_id=other, status="Đang làm việc")
    verdict = judge(a_case(sent, on_file), POLICY)
    if one != other:
        assert not verdict.verified
        assert verdict.sector_id is None
    twin = judge(a_case(sent, on_file.replace(sector_id=one)), POLICY)
    assert twin.verified is ("?" not in file.full_name)  # the same claim does verify under its own code


FORMS = st.one_of(TEN, TEN.map("0{}".format), st.from_regex(r"[0-9]{9}|0[0-9]{11}", fullmatch=True))


def _asked_for(claim, file):
    """The file, under the code that the claim asks for where it asks for a code."""
    code = {10: claim.identifier, 11: claim.identifier[1:], 9: f"0{claim.identifier}"}.get(
        len(claim.identifier)
    )
    return file.replace(sector_id=code) if code else file


@given(claims(FORMS), files(), files(), st.sampled_from(["name", "bare", "birth date", "both", "nothing"]))
def test_a_verified_person_is_the_only_one_who_agrees(claim, one, other, alike):
    """Verified means a name that passes, no other birth date, and full proof for all but the plain form."""
    one = _asked_for(claim, one).replace(status="Đang làm việc")
    if alike in {"name", "bare", "both"}:
        claim = claim.replace(full_name=bare(one.full_name) if alike == "bare" else one.full_name)
    if alike in {"bare", "birth date", "both"}:
        claim = claim.replace(birth_date=one.birth_date)
    answers = {key: an_answer(hits) for key, hits in zip(keys_of(claim), ([one], [other]), strict=False)}
    verdict = judge(a_case(claim, answers=answers), POLICY)
    event(f"verified: {verdict.verified}")
    if not verdict.verified:
        assert verdict.reason
        return
    person = one if verdict.sector_id == one.sector_id else other
    assert verdict.rung in {1, 2, 3, 4}
    assert claim.birth_date in {None, person.birth_date} or person.birth_date is None
    if verdict.rung > 2 or len(claim.identifier) in {9, 12}:
        assert claim.birth_date == person.birth_date is not None
    if len(claim.identifier) in {10, 11}:
        assert claim.identifier[-10:] == person.sector_id


@given(claims(), files(), st.integers(0, 5))
def test_how_a_name_is_written_never_changes_a_verdict(claim, file, way):
    """NFC or NFD, capitals or not, spaces: the verdict stays the same to the last finding."""
    ways = (
        lambda name: unicodedata.normalize("NFD", name),
        str.upper,
        str.lower,
        lambda name: f" {name} ",
        lambda name: name.replace(" ", "\u00a0\u00a0"),
        lambda name: unicodedata.normalize("NFD", name.upper()) + "\u200b",
    )
    file = file.replace(sector_id=claim.identifier)
    case = a_case(claim, file)
    expected = judge(case, POLICY)
    if claim.full_name is not None:
        rewritten = claim.replace(full_name=ways[way](claim.full_name))
        assert judge(structs.replace(case, claim=rewritten), POLICY) == expected
    refiled = file.replace(full_name=ways[way](file.full_name))
    assert judge(a_case(claim, refiled), POLICY) == expected


@given(claims(FORMS), files(), st.sampled_from([" {}", "{}\u00a0", "'{}", "\ufeff{}", "{}\n"]))
def test_how_an_identifier_is_spaced_never_changes_a_verdict(claim, file, written):
    """Marks around the digits are cleaned away before anything is asked."""
    file = _asked_for(claim, file)
    dirty = claim.replace(identifier=written.format(claim.identifier))
    assert keys_of(dirty) == keys_of(claim)
    assert judge(a_case(dirty, file), POLICY) == judge(a_case(claim, file), POLICY)


@given(claims(FORMS), st.lists(files(), max_size=3))
def test_findings_carry_no_personal_value(claim, hits):
    """Findings may be shown, logged and stored in clear: no name, number, birth date or status is in them."""
    hits = [_asked_for(claim, hit) for hit in hits]
    verdict = judge(a_case(claim, answers={key: an_answer(hits) for key in keys_of(claim)}), POLICY)
    said = " ".join(f"{finding.code} {finding.detail}" for finding in verdict.findings)
    for hit in hits:
        for value in (hit.sector_id, hit.full_name, hit.status, str(hit.birth_date)):
            assert value == "None" or value not in said
    assert claim.identifier not in said
    assert (verdict.reason is None) is all(f.effect is not Effect.HOLDS for f in verdict.findings)
