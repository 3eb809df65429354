"""Everything one judgement looks at, as plain data: the claim, the registry's answers, links and unit facts.

The caller gathers it (stages); judging reads nothing else, so any verdict can be made again later.
"""

from collections.abc import Mapping
from datetime import date

import msgspec

from gateway.identity.identifier import read
from gateway.model.completion import Claim
from gateway.model.person import Answer, LookupKey


class OtherAccount(msgspec.Struct, frozen=True):
    """Another account of the same LMS that states the same identifier."""

    lms_user_id: str
    full_name: str | None = None
    birth_date: date | None = None


class AccountFacts(msgspec.Struct, frozen=True):
    """What is known of the LMS account. `credited_as`: the sector identifier its credited results went to."""

    others: tuple[OtherAccount, ...] = ()
    credited_as: str | None = None


class UnitFacts(msgspec.Struct, frozen=True):
    """What the unit table says of the claimed and the filed school at the completion date.

    `known`: whether the claimed code is in the table (None: no table). `closed`: the claimed school had ended
    by then. `same_as`: codes that mean the claimed school too, through mergers and renumbering.
    `on_file_then`: the filed school at that date, where history is kept.
    """

    known: bool | None = None
    closed: bool = False
    same_as: frozenset[str] = frozenset()
    on_file_then: str | None = None


class Case(msgspec.Struct, frozen=True):
    """One claim to judge. `answers` holds an Answer for each of `keys_of(claim)`."""

    claim: Claim
    completed_on: date  # the day in Việt Nam
    answers: Mapping[LookupKey, Answer]
    vendor: str = ""
    account: AccountFacts = AccountFacts()
    unit: UnitFacts = UnitFacts()


def keys_of(claim: Claim) -> tuple[LookupKey, ...]:
    """The questions to ask before judging, 0..2 of them; none when nothing sent can be looked up."""
    return read(claim.identifier).keys
