"""What a vendor is told: no oracle over the registry."""

from datetime import date

import pytest

from gateway.identity.judge import judge
from gateway.identity.near_miss import near_miss, with_near_miss
from gateway.identity.policy import CODES
from gateway.identity.vendor_view import fold, vendor_view
from gateway.model.reasons import REASONS
from gateway.model.verdict import Effect, Finding, Verdict
from tests.unit.identity.cases import NAME, POLICY, a_case, a_claim, a_file, an_answer, keys_of

# Everything a vendor may ever be told of identity. A new reason code must be put here, or folded, on purpose.
TOLD = {
    "format.missing",
    "format.length",
    "format.chars",
    "format.damaged_by_spreadsheet",
    "format.looks_like_phone",
    "format.looks_like_school_code",
    "identifier.leading_zero",
    "identifier.lost_zero",
    "identifier.old_card",
    "identifier.personal_number",
    "registry.not_found",
    "registry.ambiguous",
    "registry.inactive",
    "registry.status_unclear",
    "attribute.name_mismatch",
    "attribute.birth_date_mismatch",
    "attribute.unit_mismatch",
    "attribute.role_mismatch",
    "account.shared_identifier",
    "account.identifier_changed",
}
OF_WHAT_WAS_SENT = {"attribute.name_damaged", "attribute.birth_date_missing"}


@pytest.mark.parametrize("code", sorted(REASONS))
def test_every_code_folds_into_one_a_vendor_may_know(code):
    """Each code is told as it is, or as a less telling one that has a text of its own."""
    told = fold(code)
    assert told in REASONS
    assert fold(told) == told
    assert told in TOLD or code not in CODES


@pytest.mark.parametrize("effect", [Effect.HOLDS, Effect.WARNS, Effect.NEUTRAL])
@pytest.mark.parametrize("side", [None, "sent", "on_file"])
@pytest.mark.parametrize("code", sorted(CODES))
def test_every_answer_to_a_vendor_is_enumerated(code, side, effect):
    """Whatever a verdict holds, only told codes leave, with fillers that restate what was sent."""
    if side == "sent" and code not in OF_WHAT_WAS_SENT | {"attribute.name_mismatch"}:
        side = None  # only these are ever about what was sent
    detail = {"masked": "31••••••67", "slip": "swapped", "hint": "word_order", "how": "moved", "n": 9, "k": 1}
    finding = Finding(code=code, effect=effect, detail=detail | ({"side": side} if side else {}))
    verdict = Verdict(
        verified=effect is not Effect.HOLDS,
        sector_id="3101234567",
        reason=code if effect is Effect.HOLDS else None,
        findings=(finding,),
        policy_version="1",
    )
    view = vendor_view(verdict)
    assert {f.code for f in view.findings} <= TOLD | (OF_WHAT_WAS_SENT if side == "sent" else set())
    assert all(f.detail.keys() <= {"n", "k", "date", "side"} for f in view.findings)
    assert all(f.detail.get("side") in {None, "sent"} for f in view.findings)
    assert (view.reason is None) is (verdict.reason is None)
    assert b"3101234567" not in view.to_json()


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("registry.near_miss", "registry.not_found"),
        ("attribute.birth_date_swapped", "attribute.birth_date_mismatch"),
        ("attribute.birth_date_missing", "attribute.birth_date_mismatch"),
        ("attribute.birth_date_year_slip", "attribute.birth_date_mismatch"),
        ("attribute.birth_date_placeholder", "attribute.birth_date_mismatch"),
        ("attribute.name_variant", "attribute.name_mismatch"),
        ("attribute.name_damaged", "attribute.name_mismatch"),
    ],
)
def test_telling_codes_are_folded(code, told):
    """How a birth date or a name differs, and that a code is nearly right, would answer guesses."""
    assert fold(code) == told


def _view(case):
    return vendor_view(judge(case, POLICY))


def test_a_near_miss_looks_like_any_other_not_found():
    """A vendor that varies a digit learns nothing when it comes close."""
    claim = a_claim(identifier="3101234568")
    missed = judge(a_case(claim, answers=_nobody(claim)), POLICY)
    hinted = with_near_miss(missed, near_miss(claim, [a_file()]))
    assert hinted.findings != missed.findings
    assert vendor_view(hinted) == vendor_view(missed)


def test_a_swapped_and_a_different_birth_date_look_the_same():
    """Otherwise a vendor could find a birth date by trying."""
    swapped, different = (a_claim(birth_date=day) for day in (date(1985, 12, 3), date(1999, 9, 9)))
    assert _view(a_case(swapped)) == _view(a_case(different))


def test_a_near_name_and_a_far_one_look_the_same():
    """Hints and rungs stay inside."""
    near, far = a_claim(full_name="Hòa Nguyễn Thị"), a_claim(full_name="Trần Văn An")
    assert _view(a_case(near)) == _view(a_case(far))


def test_a_strangers_file_tells_nothing_more():
    """While it is in doubt whose file it is, its status, school and role are not told."""
    stranger = a_file(full_name="Trần Văn An", status="Đã nghỉ hưu", unit_code="33000717", role=None)
    assert [f.code for f in _view(a_case(None, stranger)).findings] == ["attribute.name_mismatch"]


def test_the_vendors_own_damage_is_told():
    """That a name is damaged or a birth date absent is the vendor's own data, and it must know to resend."""
    assert _view(a_case(a_claim(full_name="Nguy?n"))).reason == "attribute.name_damaged"
    twelve = a_claim(identifier="031185012345", birth_date=None, full_name=NAME)
    assert _view(a_case(twelve)).reason == "attribute.birth_date_missing"
    on_file = a_case(a_claim(identifier="031185012345"), a_file(birth_date=None))
    assert _view(on_file).reason == "attribute.birth_date_mismatch"


def test_a_verified_person_shows_what_is_worth_correcting():
    """Extra zeros and other schools are told, a variant of the name is not."""
    claim = a_claim(identifier="03101234567", full_name="Nguyen Thi Hoa", unit_code="31000701")
    view = _view(a_case(claim))
    assert view.verified
    assert [f.code for f in view.findings] == ["identifier.leading_zero", "attribute.unit_mismatch"]


def _nobody(claim):
    return {key: an_answer(()) for key in keys_of(claim)}
