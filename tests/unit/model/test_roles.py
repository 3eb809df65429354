"""The matrix of roles and acts: what must never be allowed, whatever is added later."""

import pytest

from gateway.model.roles import ACTS, ELSEWHERE, ROLES, Reach, RoleName, may, needs_totp

ON_FILE = {
    "case.values_on_file",
    "case.reveal_number",
    "case.adjudicate",
    "account.allow_change",
    "list.export",
    "bulk.check",
}


def test_every_role_has_an_entry_and_every_act_somebody():
    """A role without a row would be a user who can do nothing, an act without roles dead code."""
    assert set(ROLES) == set(RoleName)
    assert [name for name, act in ACTS.items() if not act.roles] == []
    assert all(text.vi and text.en for text in (*ROLES.values(), *ACTS.values()))


@pytest.mark.parametrize("role", [role for role in RoleName if ROLES[role].scope is not Reach.UNIT])
def test_only_people_of_units_see_what_is_on_file(role):
    """Universities, vendors, operators and auditors get no registry value, by any act."""
    assert {act for act in ON_FILE if may(role, act)} == set()


def test_an_auditor_sees_logs_only():
    """Whoever watches the others needs no person's data for it."""
    assert {act for act in ACTS if may(RoleName.AUDITOR, act)} == {"audit.see"}


def test_a_viewer_changes_nothing():
    """Reading is all a viewer does."""
    allowed = {act for act in ACTS if may(RoleName.VIEWER, act)}
    assert allowed == {"case.see", "case.values_sent", "case.values_on_file", "result.search", "progress.see"}


def test_nobody_grants_more_than_the_own_kind():
    """A unit admin cannot make an operator; only an operator can, and then in the audit."""
    assert set(ROLES[RoleName.UNIT_ADMIN].grants) == {RoleName.VIEWER, RoleName.UNIT_ADMIN, RoleName.APPROVER}
    granting = {role for role in RoleName if ROLES[role].grants}
    assert granting == {role for role in RoleName if may(role, "user.manage")}


def test_an_unknown_act_is_a_mistake_of_ours():
    """A misspelt act must not quietly be refused or allowed."""
    with pytest.raises(KeyError):
        may(RoleName.OPERATOR, "case.se")


@pytest.mark.parametrize(
    ("role", "level", "needed"),
    [
        ("unit_admin", "school", False),
        ("viewer", "school", False),
        ("unit_admin", "commune", True),
        ("viewer", "department", True),
        ("approver", "ministry", True),
        ("operator", None, True),
        ("auditor", None, True),
        ("organiser", "organiser", True),
        ("vendor", None, True),
    ],
)
def test_the_second_factor_is_optional_for_schools_only(role, level, needed):
    """Point 10 of the console's rules: from commune level up, operators and auditors must have it."""
    assert needs_totp(RoleName(role), level) is needed


def test_the_fixed_sentence_is_the_one_agreed():
    """It says nothing of the stranger."""
    assert ELSEWHERE["vi"] == "Mã này thuộc về một người ở đơn vị khác"
