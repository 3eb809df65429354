"""Notices an LMS account that now leads to another person than the one its results were credited to."""

from gateway.identity.pair import Pair, Rule
from gateway.identity.policy import Policy
from gateway.model.verdict import Finding


def identifier_changed(pair: Pair, policy: Policy) -> tuple[Finding, ...]:
    credited_as = pair.case.account.credited_as
    if credited_as is None or credited_as == pair.snapshot.sector_id:
        return ()
    return (policy.finding("account.identifier_changed"),)


RULE: Rule = identifier_changed
ORDER = 80
