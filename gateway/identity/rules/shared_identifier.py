"""Notices one identifier stated by two different people on one LMS.

One person with two accounts is fine. Where this claim agrees with the file in name and birth date, the file has
said whose it is, and the other account's mistake must not stop the owner: then it only warns.
"""

from gateway.identity.case import OtherAccount
from gateway.identity.names import compare
from gateway.identity.pair import Birth, Pair, Rule, birth_of
from gateway.identity.policy import Policy
from gateway.model.verdict import Effect, Finding


def shared_identifier(pair: Pair, policy: Policy) -> tuple[Finding, ...]:
    if not any(_is_someone_else(pair, other) for other in pair.case.account.others):
        return ()
    owner = pair.birth is Birth.EQUAL and pair.name.rung in policy.alone
    return (policy.finding("account.shared_identifier", Effect.WARNS if owner else None),)


def _is_someone_else(pair: Pair, other: OtherAccount) -> bool:
    if other.lms_user_id == pair.claim.lms_user_id:
        return False
    if birth_of(pair.claim.birth_date, other.birth_date) in (Birth.DIFFERENT, Birth.SWAPPED):
        return True
    return compare(pair.claim.full_name, other.full_name or "").rung == 5


RULE: Rule = shared_identifier
ORDER = 70
