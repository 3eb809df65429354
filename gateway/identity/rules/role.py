"""Compares the role (teacher or manager). Learners declare it themselves, so by default it only warns."""

from gateway.identity.pair import Pair, Rule
from gateway.identity.policy import Policy
from gateway.model.verdict import Finding

_SUPPORTS = (Finding.supports("attribute.role"),)


def role(pair: Pair, policy: Policy) -> tuple[Finding, ...]:
    sent, on_file = pair.claim.role, pair.snapshot.role
    if sent is None or on_file is None:
        return ()
    return _SUPPORTS if sent is on_file else (policy.finding("attribute.role_mismatch"),)


RULE: Rule = role
ORDER = 60
