"""Compares the school stated by the LMS with the file's, at the completion date: moved, merged or unknown.

A school that was merged after the completion is the same school, and nobody has anything to do. One that the
LMS still names after it was closed is said (`merged`): its profile is out of date.
Codes are text and compare whole; schools of one name are many, so names are never compared.
"""

from gateway.identity.pair import Pair, Rule
from gateway.identity.policy import Policy
from gateway.model.verdict import Finding

_SUPPORTS = (Finding.supports("attribute.unit"),)
_MERGED = (Finding.neutral("attribute.unit", how="merged"),)
_LOST_ZERO = (Finding.neutral("attribute.unit", how="lost_zero"),)


def unit(pair: Pair, policy: Policy) -> tuple[Finding, ...]:
    facts = pair.case.unit
    sent = _code(pair.claim.unit_code)
    on_file = _code(facts.on_file_then or pair.snapshot.unit_code)
    if not sent or not on_file:
        return ()
    if sent == on_file:
        return _SUPPORTS
    if on_file in facts.same_as:
        return (policy.finding("attribute.unit_mismatch", how="merged"),) if facts.closed else _MERGED
    if sent.isdigit() and len(sent) == 7 and "0" + sent == on_file:  # Hà Nội's 01… in a spreadsheet
        return _LOST_ZERO
    how = "unknown" if facts.known is False else "moved"
    return (policy.finding("attribute.unit_mismatch", how=how),)


def _code(sent: str | None) -> str:
    return sent.strip().upper() if sent else ""


RULE: Rule = unit
ORDER = 50
