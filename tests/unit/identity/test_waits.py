"""What a hold waits for."""

from gateway.identity.case import AccountFacts, OtherAccount
from gateway.identity.judge import judge
from gateway.identity.waits import account_key, waits_of
from gateway.model.outcomes import Wait
from gateway.model.person import IdentifierType, LookupKey
from tests.unit.identity.cases import POLICY, a_case, a_claim, a_file, an_answer


def _waits(case):
    return waits_of(case, judge(case, POLICY))


def test_a_verified_person_waits_for_nothing():
    """Waits belong to holds."""
    assert _waits(a_case()) == ()


def test_nobody_found_waits_for_each_candidate_and_for_the_account():
    """A new file under either reading of nine digits wakes it, and so does the learner's own correction."""
    claim = a_claim(identifier="112345678")
    nobody = {
        LookupKey(IdentifierType.SECTOR, "0112345678"): an_answer(()),
        LookupKey(IdentifierType.OLD_CARD, "112345678"): an_answer(()),
    }
    assert _waits(a_case(claim, answers=nobody, vendor="vnpt")) == (
        Wait("account", "vnpt/u-1"),
        Wait("person", "0112345678"),
        Wait("person", "112345678"),
        Wait("policy", "registry.not_found"),
    )


def test_a_file_found_by_another_number_is_waited_for_by_its_sector_identifier():
    """The change feed names sector identifiers, and must wake who sent the personal number too."""
    claim = a_claim(identifier="031185012345", full_name="Trần Văn An")
    assert Wait("person", "3101234567") in _waits(a_case(claim))
    assert Wait("person", "031185012345") in _waits(a_case(claim))


def test_nothing_to_look_up_waits_for_the_account():
    """A missing identifier is cured at the learner's profile alone (or by another policy)."""
    waits = _waits(a_case(a_claim(identifier=None), vendor="viettel"))
    assert waits == (Wait("account", "viettel/u-1"), Wait("policy", "format.missing"))


def test_each_code_that_holds_is_waited_for():
    """A policy that stops holding one of two codes leaves the other; a change of either is looked at."""
    case = a_case(a_claim(full_name="Trần Văn An"), a_file(status="Thôi việc"))
    kinds = [wait.key for wait in _waits(case) if wait.kind == "policy"]
    assert kinds == ["attribute.name_mismatch", "registry.inactive"]


def test_a_shared_identifier_waits_for_all_accounts_that_state_it():
    """The hold ends when the other person enters their own code."""
    other = OtherAccount("u-2", "Trần Văn An", None)
    case = a_case(a_claim(birth_date=None), account=AccountFacts(others=(other,)), vendor="vnpt")
    waits = _waits(case)
    assert Wait("account", account_key("vnpt", "u-1")) in waits
    assert Wait("account", account_key("vnpt", "u-2")) in waits


def test_a_unit_that_holds_is_waited_for(strict_policy):
    """Where a policy lets another school hold, a merge of either school wakes it."""
    case = a_case(a_claim(unit_code="31000701"))
    units = [wait.key for wait in waits_of(case, judge(case, strict_policy)) if wait.kind == "unit"]
    assert units == ["31000701", "31000717"]
