"""Judging: which file is meant, the order of the rules, and what a verdict carries."""

from datetime import date
from pathlib import Path

import pytest

from gateway.identity import rules
from gateway.identity.judge import RULES, in_order, judge
from gateway.model.discovery import discover
from gateway.model.errors import ConfigError
from gateway.model.person import IdentifierType, LookupKey
from gateway.model.verdict import Effect
from tests.unit.identity.cases import DONE, POLICY, a_case, a_claim, a_file, an_answer


def test_the_rules_are_asked_in_their_order():
    """The order decides which of several codes is the reason: whose file it is comes before what it says."""
    assert [rule.__name__ for rule in RULES] == [
        "identifier_form",
        "name",
        "birth_date",
        "status",
        "unit",
        "role",
        "shared_identifier",
        "identifier_changed",
    ]


@pytest.mark.parametrize("name", sorted(discover(rules.__name__, "RULE")))
def test_each_rule_has_its_test(name):
    """A rule is one new file and its test."""
    assert (Path(__file__).parent / "rules" / f"test_{name}.py").is_file()


def test_rules_without_an_order_of_their_own_stop_the_start_up(tmp_path, monkeypatch):
    """Two rules with one place, or none, would make the reason depend on file names."""
    package = tmp_path / "some_rules"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "a.py").write_text("RULE = print\nORDER = 10\n")
    (package / "b.py").write_text("RULE = print\nORDER = 10\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ConfigError, match="ORDER of its own"):
        in_order("some_rules")


def test_a_verified_verdict_names_the_person_and_the_policy():
    """Everything needed to explain it again: person, rung, findings, policy version."""
    verdict = judge(a_case(), POLICY)
    assert verdict.verified
    assert (verdict.sector_id, verdict.reason, verdict.rung) == ("3101234567", None, 1)
    assert verdict.policy_version == POLICY.version
    assert {finding.effect for finding in verdict.findings} == {Effect.SUPPORTS}


def test_a_hold_names_the_person_where_one_was_found():
    """The file found is kept on a hold: scope and waits need it."""
    verdict = judge(a_case(a_claim(full_name="Trần Văn An")), POLICY)
    assert (verdict.verified, verdict.sector_id) == (False, "3101234567")


def test_the_first_code_that_holds_is_the_reason():
    """A stranger's file that is also retired is another name first; both findings are kept."""
    verdict = judge(a_case(a_claim(full_name="Trần Văn An"), a_file(status="Thôi việc")), POLICY)
    assert verdict.reason == "attribute.name_mismatch"
    assert [f.code for f in verdict.findings if f.effect is Effect.HOLDS] == [
        "attribute.name_mismatch",
        "registry.inactive",
    ]


def test_an_answer_that_is_not_there_is_never_a_verdict():
    """An outage leaves a key unanswered: the caller must wait, and the error shows no number."""
    with pytest.raises(ValueError, match="key of type sector_id") as caught:
        judge(a_case(answers={}), POLICY)
    assert "3101234567" not in str(caught.value)


def test_nine_digits_need_both_answers():
    """As long as the old cards were not asked, exactly one hit is not known."""
    claim = a_claim(identifier="112345678")
    half = {LookupKey(IdentifierType.SECTOR, "0112345678"): an_answer([a_file(sector_id="0112345678")])}
    with pytest.raises(ValueError, match="old_identity_card"):
        judge(a_case(claim, answers=half), POLICY)


def test_nine_digits_that_lead_twice_to_one_person_are_one_hit():
    """A person whose code lost its zero and whose old card is the same number is one person."""
    claim = a_claim(identifier="112345678")
    verdict = judge(a_case(claim, a_file(sector_id="0112345678")), POLICY)
    assert (verdict.verified, verdict.sector_id) == (True, "0112345678")


def test_the_file_of_another_code_is_not_taken():
    """A registry that answers a ten-digit code with another code's file has not found this one."""
    verdict = judge(a_case(None, a_file(sector_id="3101234568")), POLICY)
    assert (verdict.reason, verdict.sector_id) == ("registry.ambiguous", None)


def test_a_verdict_depends_on_nothing_but_the_case_and_the_policy():
    """The same case is judged the same any number of times."""
    case = a_case(a_claim(full_name="Nguyen Thi Hoa", birth_date=date(1986, 3, 12)))
    assert judge(case, POLICY) == judge(case, POLICY)
    assert case.completed_on == DONE
