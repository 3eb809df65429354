"""The rule of accounts that change their person."""

import pytest

from gateway.identity.case import AccountFacts
from gateway.identity.rules.identifier_changed import RULE
from tests.unit.identity.cases import POLICY, SECTOR_ID, a_pair


@pytest.mark.parametrize(
    ("credited_as", "codes"),
    [(None, []), (SECTOR_ID, []), ("3155500011", ["account.identifier_changed"])],
)
def test_an_account_keeps_its_person_once_results_were_credited(credited_as, codes):
    """After a credited result another person on the same account needs the school's word."""
    pair = a_pair(account=AccountFacts(credited_as=credited_as))
    assert [finding.code for finding in RULE(pair, POLICY)] == codes
