"""Compares the names by the ladder: some rungs pass alone, some with an equal birth date, 5 holds."""

from gateway.identity.names import Comparison, Fault
from gateway.identity.pair import Birth, Pair, Rule
from gateway.identity.policy import Policy
from gateway.model.verdict import Effect, Finding

_SUPPORTS = (Finding.supports("attribute.name"),)
_CONTRADICTED = {
    Birth.DIFFERENT: "attribute.birth_date_mismatch",
    Birth.SWAPPED: "attribute.birth_date_swapped",
}


def name(pair: Pair, policy: Policy) -> tuple[Finding, ...]:
    """A variant without an equal birth date holds; where the date contradicts, that is the reason given."""
    rung = pair.name.rung
    if rung in policy.alone:
        return _SUPPORTS
    if rung not in policy.with_birth_date:
        return (_apart(pair.name, policy),)
    contradicted = _CONTRADICTED.get(pair.birth)
    settled = pair.birth is Birth.EQUAL or (contradicted and policy.effects[contradicted] is Effect.HOLDS)
    return (policy.finding("attribute.name_variant", None if settled else Effect.HOLDS),)


def _apart(comparison: Comparison, policy: Policy) -> Finding:
    if comparison.fault is Fault.DAMAGED_SENT:
        return policy.finding("attribute.name_damaged", side="sent")
    if comparison.fault is Fault.MISSING_SENT:
        return policy.finding("attribute.name_mismatch", side="sent")
    if comparison.fault is Fault.MISSING_ON_FILE:
        return policy.finding("attribute.name_mismatch", side="on_file")
    if comparison.hint:
        return policy.finding("attribute.name_mismatch", hint=comparison.hint.value)
    return policy.finding("attribute.name_mismatch")


RULE: Rule = name
ORDER = 20
