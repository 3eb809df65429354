"""The rule of units."""

import pytest

from gateway.identity.case import UnitFacts
from gateway.identity.rules.unit import RULE
from gateway.model.verdict import Effect
from tests.unit.identity.cases import POLICY, a_claim, a_file, a_pair


def _said(sent, facts=None, on_file="31000717", policy=POLICY):
    pair = a_pair(a_claim(unit_code=sent), a_file(unit_code=on_file), unit=facts or UnitFacts())
    return [(finding.code, finding.effect, finding.detail) for finding in RULE(pair, policy)]


@pytest.mark.parametrize(("sent", "on_file"), [(None, "31000717"), ("", "31000717"), ("31000717", None)])
def test_a_unit_that_is_not_stated_says_nothing(sent, on_file):
    """Silence on either side is no finding."""
    assert _said(sent, on_file=on_file) == []


@pytest.mark.parametrize(
    ("sent", "on_file"), [("31000717", "31000717"), (" 31000717 ", "31000717"), ("th00001", "TH00001")]
)
def test_codes_are_text(sent, on_file):
    """Codes compare whole, as text; other spellings than eight digits exist."""
    assert _said(sent, on_file=on_file) == [("attribute.unit", Effect.SUPPORTS, {})]


def test_another_school_warns():
    """A moved teacher keeps the result; the school is asked to request the transfer."""
    assert _said("31000701") == [("attribute.unit_mismatch", Effect.WARNS, {"how": "moved"})]


def test_an_unknown_school_says_so():
    """A code that is in no unit table is told apart from a move."""
    facts = UnitFacts(known=False)
    assert _said("99999999", facts) == [("attribute.unit_mismatch", Effect.WARNS, {"how": "unknown"})]


def test_a_merged_school_is_the_same_school():
    """Through a merger two codes mean one school."""
    facts = UnitFacts(known=True, same_as=frozenset({"31000717"}))
    assert _said("31000701", facts) == [("attribute.unit", Effect.NEUTRAL, {"how": "merged"})]


def test_a_school_that_had_been_closed_warns():
    """Whose LMS still names a school after it was merged is told that the profile is out of date."""
    facts = UnitFacts(known=True, closed=True, same_as=frozenset({"31000717"}))
    assert _said("31000701", facts) == [("attribute.unit_mismatch", Effect.WARNS, {"how": "merged"})]


def test_the_filed_school_of_that_day_counts():
    """Where history is kept, the school at the completion date is compared, not today's."""
    facts = UnitFacts(known=True, on_file_then="31000701")
    assert _said("31000701", facts) == [("attribute.unit", Effect.SUPPORTS, {})]


def test_a_school_code_without_its_zero_is_recognised():
    """Codes of Hà Nội begin with the zero that spreadsheets drop; it is said, and is no other school."""
    assert _said("1000701", on_file="01000701") == [("attribute.unit", Effect.NEUTRAL, {"how": "lost_zero"})]


def test_the_policy_decides_what_another_school_does(strict_policy):
    """Whether it warns or holds is data."""
    assert _said("31000701", policy=strict_policy)[0][1] is Effect.HOLDS
