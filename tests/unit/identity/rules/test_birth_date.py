"""The rule of birth dates."""

from datetime import date

import pytest

from gateway.identity import policy
from gateway.identity.policy import DEFAULT
from gateway.identity.rules.birth_date import RULE
from gateway.model.verdict import Effect
from tests.unit.identity.cases import PERSONAL_NUMBER, POLICY, a_claim, a_file, a_pair

TEXT = DEFAULT.read_text("utf-8")
LENIENT = policy.parse(TEXT.replace('birth_date_mismatch" = "holds"', 'birth_date_mismatch" = "warns"'))


def _said(sent, on_file, identifier="3101234567", policy=POLICY):
    pair = a_pair(a_claim(birth_date=sent, identifier=identifier), a_file(birth_date=on_file))
    return [(finding.code.removeprefix("attribute."), finding.effect) for finding in RULE(pair, policy)]


def test_equal_dates_support():
    """One calendar day is one calendar day."""
    assert _said(date(1985, 3, 12), date(1985, 3, 12)) == [("birth_date", Effect.SUPPORTS)]


def test_a_missing_date_is_silence():
    """With the plain identifier an absent date decides nothing, on either side."""
    assert _said(None, date(1985, 3, 12)) == [("birth_date_missing", Effect.NEUTRAL)]
    assert _said(date(1985, 3, 12), None) == [("birth_date_missing", Effect.NEUTRAL)]
    assert _said(None, None) == [("birth_date_missing", Effect.NEUTRAL)]


@pytest.mark.parametrize(
    ("identifier", "effect"),
    [("03101234567", Effect.NEUTRAL), ("112345678", Effect.HOLDS), (PERSONAL_NUMBER, Effect.HOLDS)],
)
def test_other_forms_need_the_date(identifier, effect):
    """Nine and twelve digits need an equal date, eleven an equal or absent one."""
    assert _said(None, date(1985, 3, 12), identifier) == [("birth_date_missing", effect)]


def test_the_side_that_lacks_the_date_is_named():
    """The learner adds what was not sent, the school what is not on file."""
    [sent] = RULE(a_pair(a_claim(birth_date=None)), POLICY)
    [on_file] = RULE(a_pair(None, a_file(birth_date=None)), POLICY)
    assert (sent.detail, on_file.detail) == ({"side": "sent"}, {"side": "on_file"})


@pytest.mark.parametrize(
    ("sent", "on_file", "codes"),
    [
        (date(1985, 12, 3), date(1985, 3, 12), ["birth_date_swapped"]),
        (date(1985, 3, 13), date(1985, 3, 12), ["birth_date_mismatch"]),
        (date(1986, 12, 3), date(1985, 3, 12), ["birth_date_mismatch"]),
        (date(1986, 3, 12), date(1985, 3, 12), ["birth_date_mismatch", "birth_date_year_slip"]),
        (date(1958, 3, 12), date(1985, 3, 12), ["birth_date_mismatch", "birth_date_year_slip"]),
        (date(1996, 3, 12), date(1985, 3, 12), ["birth_date_mismatch"]),
        (date(1985, 1, 1), date(1985, 3, 12), ["birth_date_mismatch", "birth_date_placeholder"]),
        (date(1985, 3, 12), date(1985, 1, 1), ["birth_date_mismatch", "birth_date_placeholder"]),
        (date(1986, 1, 1), date(1985, 3, 12), ["birth_date_mismatch"]),
    ],
)
def test_how_two_dates_differ_is_told(sent, on_file, codes):
    """A swap, a slip in the year and a 01/01 placeholder are findings; each contradiction holds."""
    findings = _said(sent, on_file)
    assert [code for code, _ in findings] == codes
    assert [effect for _, effect in findings] == [Effect.HOLDS] + [Effect.NEUTRAL] * (len(codes) - 1)


@pytest.mark.parametrize("identifier", ["03101234567", "112345678", PERSONAL_NUMBER])
def test_no_policy_lets_another_date_pass_with_another_form(identifier):
    """A policy may be lenient about dates only where the plain identifier was sent."""
    other = (date(1985, 3, 13), date(1985, 3, 12))
    assert _said(*other, policy=LENIENT) == [("birth_date_mismatch", Effect.WARNS)]
    assert _said(*other, identifier, LENIENT) == [("birth_date_mismatch", Effect.HOLDS)]
