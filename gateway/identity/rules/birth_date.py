"""Compares birth dates: day and month swapped, a slip in the year and a 01/01 placeholder are told apart."""

from datetime import date

from rapidfuzz.distance import OSA

from gateway.identity.pair import Birth, Pair, Rule
from gateway.identity.policy import Policy, Proof
from gateway.model.verdict import Effect, Finding

_SUPPORTS = (Finding.supports("attribute.birth_date"),)


def birth_date(pair: Pair, policy: Policy) -> tuple[Finding, ...]:
    """A missing date is silence; it holds only where the form of the identifier asks for an equal one."""
    if pair.birth is Birth.EQUAL:
        return _SUPPORTS
    proof = policy.proofs.get(pair.form)
    if pair.birth in (Birth.MISSING_SENT, Birth.MISSING_ON_FILE):
        effect = Effect.HOLDS if proof is Proof.EQUAL else None
        side = "sent" if pair.birth is Birth.MISSING_SENT else "on_file"
        return (policy.finding("attribute.birth_date_missing", effect, side=side),)
    effect = Effect.HOLDS if proof else None
    if pair.birth is Birth.SWAPPED:
        return (policy.finding("attribute.birth_date_swapped", effect),)
    return policy.finding("attribute.birth_date_mismatch", effect), *_clues(pair, policy)


def _clues(pair: Pair, policy: Policy) -> tuple[Finding, ...]:
    sent, on_file = pair.claim.birth_date, pair.snapshot.birth_date
    assert sent is not None  # else MISSING_SENT
    assert on_file is not None
    if (sent.day, sent.month) == (on_file.day, on_file.month):
        slip = OSA.distance(f"{sent.year:04}", f"{on_file.year:04}", score_cutoff=1) == 1
        return (policy.finding("attribute.birth_date_year_slip"),) if slip else ()
    if sent.year == on_file.year and (_is_placeholder(sent) or _is_placeholder(on_file)):
        return (policy.finding("attribute.birth_date_placeholder"),)
    return ()


def _is_placeholder(day: date) -> bool:
    return (day.day, day.month) == (1, 1)


RULE: Rule = birth_date
ORDER = 30
