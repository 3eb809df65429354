"""The rule of roles."""

import pytest

from gateway.identity.rules.role import RULE
from gateway.model.completion import Role
from gateway.model.verdict import Effect
from tests.unit.identity.cases import POLICY, a_claim, a_file, a_pair


@pytest.mark.parametrize(
    ("sent", "on_file", "said"),
    [
        (Role.TEACHER, Role.TEACHER, [("attribute.role", Effect.SUPPORTS)]),
        (Role.TEACHER, Role.MANAGER, [("attribute.role_mismatch", Effect.WARNS)]),
        (None, Role.MANAGER, []),
        (Role.TEACHER, None, []),
    ],
)
def test_another_role_warns_and_an_unknown_one_says_nothing(sent, on_file, said):
    """Learners declare the role themselves, so a difference is worth telling and no ground to hold."""
    findings = RULE(a_pair(a_claim(role=sent), a_file(role=on_file)), POLICY)
    assert [(finding.code, finding.effect) for finding in findings] == said
