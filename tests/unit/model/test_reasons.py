"""Reasons as data: complete, in both languages, and never half-filled."""

import re
import string

import pytest

from gateway.model.reasons import FILLERS, OWNERS, REASONS, STATES, Owner, explain, owner_of, profile
from gateway.model.states import State
from gateway.model.texts import LANGS

CODES = {
    "format": [
        "missing",
        "length",
        "chars",
        "damaged_by_spreadsheet",
        "looks_like_phone",
        "looks_like_school_code",
    ],
    "identifier": ["leading_zero", "lost_zero", "old_card", "personal_number"],
    "registry": ["not_found", "near_miss", "ambiguous", "inactive", "status_unclear"],
    "attribute": [
        "name_mismatch",
        "name_variant",
        "name_damaged",
        "birth_date_mismatch",
        "birth_date_swapped",
        "birth_date_year_slip",
        "birth_date_placeholder",
        "birth_date_missing",
        "unit_mismatch",
        "role_mismatch",
    ],
    "account": ["shared_identifier", "identifier_changed"],
    "temis": [
        "account_missing",
        "account_stopped",
        "unit_missing",
        "self_reported",
        "module_unknown",
        "malformed",
        "poison",
        "schedule_exhausted",
    ],
    "internal": ["crash_loop"],
    "course": ["unmapped", "school_year_unclear"],
    "result": ["unstated", "contradictory", "not_passed"],
    "upstream": ["waiting"],
}

PAIRS = [("vi", "en"), ("vi_action", "en_action")]
WORDINGS = [
    (reason.code, side, reason.words(side)) for reason in REASONS.values() for side in (None, *reason.sides)
]


def _placeholders(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_codes_are_stable():
    """Codes are public: one may be added here on purpose, none renamed or dropped."""
    assert set(REASONS) == {f"{family}.{name}" for family, names in CODES.items() for name in names}


@pytest.mark.parametrize(("code", "side", "words"), WORDINGS)
def test_both_languages_say_the_same_things(code, side, words):
    """Every wording has text and next step in both languages, as sentences with the same placeholders."""
    for vi, en in PAIRS:
        texts = getattr(words, vi), getattr(words, en)
        assert all(text and text[0].isupper() and text.endswith(".") for text in texts), texts
        assert texts[0] != texts[1]
        assert _placeholders(texts[0]) == _placeholders(texts[1])
        assert _placeholders(texts[0]) <= FILLERS.keys()


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize(("code", "side", "words"), WORDINGS)
def test_a_missing_value_gets_a_neutral_filler(code, side, words, lang):
    """No text ever shows a brace or raises because a value is not known."""
    for text in explain(code, lang, side=side):
        assert not re.search(r"[{}]|None", text)


def test_values_are_filled_in():
    """Numbers, places and dates stand where they belong; a Vietnamese reader sees dd/mm/yyyy."""
    assert explain("format.length", "en", n=9)[0].endswith("10 digits; 9 were sent.")
    assert "(05/03/2026)" in explain("registry.inactive", "vi", date="2026-03-05")[0]
    assert "(2026-03-05)" in explain("registry.inactive", "en", date="2026-03-05")[0]
    assert "LƯU THÔNG TIN" in explain("format.missing", "vi", profile=profile("vnpt", "vi"))[1]
    assert explain("course.unmapped", "vi", course="{x}")[0].startswith("Khóa học {x} ")


def test_a_side_has_its_own_words_and_owner():
    """What was not sent is the learner's to add, what is not on file the school's."""
    code = "attribute.birth_date_missing"
    assert owner_of(code, side="sent") is Owner.LEARNER
    assert owner_of(code, side="on_file") is Owner.SCHOOL
    assert "CSDL ngành" in explain(code, "vi", side="on_file")[0]
    assert explain(code, "en", side="sent") != explain(code, "en", side="on_file") != explain(code, "en")
    assert explain(code, "en", side="elsewhere") == explain(code, "en")


def test_a_fault_of_many_is_the_vendors():
    """A whole class with school codes, or a file with swapped dates, is one fault of the sender."""
    assert owner_of("format.looks_like_school_code") is Owner.LEARNER
    assert owner_of("format.looks_like_school_code", many=True) is Owner.VENDOR
    assert owner_of("attribute.birth_date_swapped", many=True) is Owner.VENDOR
    assert owner_of("registry.not_found", many=True) is Owner.SCHOOL


def test_owners_states_and_fillers_are_complete():
    """Every owner and every state has its words in both languages."""
    assert OWNERS.keys() == {owner.value for owner in Owner}
    assert STATES.keys() == {state.value for state in State}
    for texts in (OWNERS, STATES, FILLERS):
        assert all(text[lang] for text in texts.values() for lang in LANGS)


def test_profiles_are_data_per_vendor():
    """A vendor without a known profile page gets the neutral words."""
    assert profile("viettel", "vi").startswith("TEMIS › Thông tin Cơ bản")
    assert profile("another", "en") == FILLERS["profile"]["en"]


def test_an_unknown_code_is_an_error():
    """A code without a text is a fault of ours and must not pass silently."""
    with pytest.raises(KeyError):
        explain("no.such_code", "vi")


@pytest.mark.parametrize("code", sorted(REASONS))
def test_the_two_numbers_are_told_apart(code):
    """People read `mã định danh` alone as the 12-digit number, so it never stands alone."""
    reason = REASONS[code]
    for text in (reason.vi, reason.vi_action):
        for found in re.finditer(r"[Mm]ã định danh( ngành)?", text):
            assert found[1], text
