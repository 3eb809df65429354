"""The rule that says in which form an identifier came."""

import pytest

from gateway.identity.rules.identifier_form import RULE
from gateway.model.verdict import Effect
from tests.unit.identity.cases import POLICY, a_claim, a_pair


@pytest.mark.parametrize(
    ("identifier", "codes"),
    [
        ("3101234567", []),
        ("310.123.4567", []),
        ("03101234567", ["identifier.leading_zero"]),
        ("112345678", ["identifier.lost_zero"]),
        ("031185012345", ["identifier.personal_number"]),
    ],
)
def test_a_form_other_than_the_plain_one_is_said_and_never_holds(identifier, codes):
    """Nothing is stripped or padded silently: the finding stands beside the verdict."""
    findings = RULE(a_pair(a_claim(identifier=identifier)), POLICY)
    assert [finding.code for finding in findings] == codes
    assert all(finding.effect is Effect.NEUTRAL for finding in findings)
