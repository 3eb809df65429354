"""One claim beside the one file it was found to mean: what every rule looks at."""

from collections.abc import Callable
from datetime import date
from enum import StrEnum

import msgspec

from gateway.identity.case import Case
from gateway.identity.identifier import Form, Reading
from gateway.identity.names import Comparison, compare
from gateway.identity.policy import Policy
from gateway.model.completion import Claim
from gateway.model.person import IdentifierType, LookupKey, Snapshot
from gateway.model.verdict import Finding


class Birth(StrEnum):
    """How two birth dates relate."""

    EQUAL = "equal"
    MISSING_SENT = "missing_sent"
    MISSING_ON_FILE = "missing_on_file"
    SWAPPED = "swapped"  # day and month
    DIFFERENT = "different"


class Pair(msgspec.Struct, frozen=True):
    """The claim, the file, and the two comparisons that several rules need."""

    case: Case
    snapshot: Snapshot
    form: Form
    asked_by: IdentifierType  # the kind of key that found the file
    name: Comparison
    birth: Birth

    @property
    def claim(self) -> Claim:
        return self.case.claim


Rule = Callable[[Pair, Policy], tuple[Finding, ...]]


def lay(case: Case, reading: Reading, key: LookupKey, snapshot: Snapshot) -> Pair:
    """Lays the claim beside the file that `key` found."""
    return Pair(
        case=case,
        snapshot=snapshot,
        form=reading.form,
        asked_by=key.type,
        name=compare(case.claim.full_name, snapshot.full_name),
        birth=birth_of(case.claim.birth_date, snapshot.birth_date),
    )


def birth_of(sent: date | None, on_file: date | None) -> Birth:
    """Compares calendar dates. A missing date is silence, not a contradiction."""
    if sent is None:
        return Birth.MISSING_SENT
    if on_file is None:
        return Birth.MISSING_ON_FILE
    if sent == on_file:
        return Birth.EQUAL
    if (sent.year, sent.month, sent.day) == (on_file.year, on_file.day, on_file.month):
        return Birth.SWAPPED
    return Birth.DIFFERENT


def agrees(pair: Pair, policy: Policy) -> bool:
    """Whether name and birth date say this is the person: the proof asked for when a form is not plain."""
    passing = policy.alone | policy.with_birth_date
    return pair.birth is Birth.EQUAL and pair.name.rung in passing
