"""What storage knows of the LMS accounts of a batch of claims, as the facts that judging needs."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from gateway.identity.accounts import Account, Accounts
from gateway.identity.accounts import Known as KnownAccount
from gateway.identity.case import AccountFacts, OtherAccount
from gateway.identity.people import People
from gateway.identity.snapshots import Known
from gateway.model.completion import Claim
from gateway.model.person import LookupKey


class Asked(Protocol):
    """One claim of an account, and the keys it is looked up by."""

    @property
    def account(self) -> Account: ...
    @property
    def known(self) -> KnownAccount: ...
    @property
    def claim(self) -> Claim: ...
    @property
    def keys(self) -> tuple[LookupKey, ...]: ...


async def facts_of(
    accounts: Accounts, people: People, asked: Sequence[Asked], answers: Mapping[LookupKey, Known]
) -> list[AccountFacts]:
    """For each of `asked`, in order: who else states the people found, and whom the account was credited as.

    Others of the same batch count too: two accounts that arrive together are known to each other.
    """
    found = [frozenset(p.id for key in one.keys for p in answers[key].people.values()) for one in asked]
    pairs = [(n, person_id) for n, people_ids in enumerate(found) for person_id in sorted(people_ids)]
    stored = await accounts.others([(asked[n].account, person_id) for n, person_id in pairs])
    in_batch: dict[tuple[int, int], dict[str, OtherAccount]] = {}
    for n, person_id in pairs:
        claim = asked[n].claim
        same = in_batch.setdefault((asked[n].account.vendor_id, person_id), {})
        same[claim.lms_user_id] = OtherAccount(claim.lms_user_id, claim.full_name, claim.birth_date)
    others: list[dict[str, OtherAccount]] = [{} for _ in asked]
    for (n, person_id), known in zip(pairs, stored, strict=True):
        others[n] |= {other.lms_user_id: other for other in known}
        others[n] |= in_batch[asked[n].account.vendor_id, person_id]
        others[n].pop(asked[n].claim.lms_user_id, None)
    credited = [_credited_as(one.known, people_ids) for one, people_ids in zip(asked, found, strict=True)]
    names = await people.sector_ids({person_id for person_id in credited if person_id is not None})
    return [
        AccountFacts(tuple(mine.values()), None if person_id is None else names.get(person_id))
        for mine, person_id in zip(others, credited, strict=True)
    ]


def _credited_as(known: KnownAccount, found: frozenset[int]) -> int | None:
    """Whom the account belongs to by what was credited; None while nothing was."""
    credited = known.credited_to
    if not credited:
        return None
    if known.link is not None:
        return known.link.person_id
    return min(credited & found or credited)
