"""The rule of one identifier on two accounts."""

from datetime import date

import pytest

from gateway.identity.case import AccountFacts, OtherAccount
from gateway.identity.rules.shared_identifier import RULE
from gateway.model.verdict import Effect
from tests.unit.identity.cases import BORN, NAME, POLICY, a_claim, a_pair

STRANGER = OtherAccount("u-2", "Trần Văn An", date(1970, 1, 1))


def _said(other, **claim):
    pair = a_pair(a_claim(**claim), account=AccountFacts(others=(other,)))
    return [(finding.code, finding.effect) for finding in RULE(pair, POLICY)]


@pytest.mark.parametrize(
    "other",
    [
        OtherAccount("u-2", NAME, BORN),
        OtherAccount("u-2", "Nguyen Thi Hoa", None),
        OtherAccount("u-2", None, None),
        OtherAccount("u-1", "Trần Văn An", date(1970, 1, 1)),  # its own earlier profile
    ],
)
def test_one_person_with_two_accounts_is_fine(other):
    """The same name and no other birth date is one person; so is the account itself."""
    assert _said(other) == []


@pytest.mark.parametrize(
    "other", [STRANGER, OtherAccount("u-2", "Trần Văn An"), OtherAccount("u-2", NAME, date(1970, 1, 1))]
)
def test_two_people_on_one_identifier_hold(other):
    """Another name or another birth date is another person: the school says whose code it is."""
    assert _said(other, full_name="Nguyen Thi Hoa") == [("account.shared_identifier", Effect.HOLDS)]


def test_the_owner_is_not_stopped_by_another_persons_mistake():
    """Where name and birth date agree with the file, it is told and does not hold."""
    assert _said(STRANGER) == [("account.shared_identifier", Effect.WARNS)]


def test_without_facts_nothing_is_said():
    """A case that knows of no other account has nothing to compare."""
    assert RULE(a_pair(), POLICY) == ()
