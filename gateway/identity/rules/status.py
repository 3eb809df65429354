"""Asks whether the person was in service when the course was completed, by the policy's table of statuses.

A file keeps only the present status and since when. One that began after the completion says nothing of that
day, so the person is taken as working then: people are not deprived of a result by a later retirement. A status
without a date is taken as it stands, and one that began that very day counts.
"""

from gateway.identity.pair import Pair, Rule
from gateway.identity.policy import Policy, Standing
from gateway.model.verdict import Finding

_SUPPORTS = (Finding.supports("attribute.status"),)
_LATER = (Finding.neutral("attribute.status", since="later"),)
_CODES = {Standing.GONE: "registry.inactive", Standing.UNCLEAR: "registry.status_unclear"}


def status(pair: Pair, policy: Policy) -> tuple[Finding, ...]:
    standing = policy.standing(pair.snapshot.status)
    if standing is Standing.WORKING:
        return _SUPPORTS
    since, completed_on = pair.snapshot.status_since, pair.case.completed_on
    if since is not None and since > completed_on:
        return _LATER
    return (policy.finding(_CODES[standing], date=completed_on.isoformat()),)


RULE: Rule = status
ORDER = 40
