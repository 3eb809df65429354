"""Nothing was found: does one person of this name and birth date have an identifier one slip away?

Only a hint for an admin whose scope covers that person; never a match, and vendors are never told.
"""

from collections.abc import Iterable
from enum import StrEnum

from rapidfuzz.distance import OSA

from gateway.identity.identifier import Form, Reading, read
from gateway.identity.masking import mask
from gateway.identity.names import compare
from gateway.model.completion import Claim
from gateway.model.person import Snapshot
from gateway.model.verdict import Finding, Verdict


class Slip(StrEnum):
    """The one thing that went wrong while typing."""

    WRONG_DIGIT = "wrong_digit"
    SWAPPED = "swapped"  # two neighbours
    MISSING_DIGIT = "missing_digit"
    EXTRA_DIGIT = "extra_digit"


# Nobody was found: said as what the identifier looks like, where it looks like something.
_NOTHING_FOUND = frozenset({"registry.not_found", "format.looks_like_phone", "format.length"})
_WITHIN_A_SLIP = range(9, 12)  # digits; a sector identifier has 10

# Names of one person may differ in how they are written, since the birth date is equal here.
_RUNGS = frozenset({1, 2, 3, 4})


def is_sought(reason: str | None, claim: Claim) -> bool:
    """Whether a search can bring a hint: nobody was found, and what was typed may be one slip from a code."""
    return reason in _NOTHING_FOUND and any(
        len(typed) in _WITHIN_A_SLIP for typed in _typed(read(claim.identifier))
    )


def near_miss(claim: Claim, hits: Iterable[Snapshot]) -> Finding | None:
    """A finding `registry.near_miss` with the masked identifier, the slip and that person's unit, or None.

    `hits`: what the search by name and birth date brought. If more than one person answers, nothing is said.
    """
    reading = read(claim.identifier)
    people = {hit.sector_id: hit.unit_code for hit in hits if _is_alike(claim, hit)}
    if len(people) != 1:
        return None
    sector_id, unit = people.popitem()
    slips = [slip for typed in _typed(reading) if (slip := slip_between(typed, sector_id))]
    if not slips:
        return None
    where = {"unit": unit} if unit else {}  # it decides who may be told
    return Finding.neutral("registry.near_miss", masked=mask(sector_id), slip=slips[0].value, **where)


def with_near_miss(verdict: Verdict, finding: Finding) -> Verdict:
    """The same verdict with the hint beside it: what holds, and why, stays as it was."""
    return verdict.replace(findings=(*verdict.findings, finding))


def slip_between(typed: str, meant: str) -> Slip | None:
    """The one slip that turns `meant` into `typed`; None when they are equal or further apart."""
    if OSA.distance(typed, meant, score_cutoff=1) != 1:
        return None
    if len(typed) != len(meant):
        return Slip.MISSING_DIGIT if len(typed) < len(meant) else Slip.EXTRA_DIGIT
    return Slip.SWAPPED if sorted(typed) == sorted(meant) else Slip.WRONG_DIGIT


def _is_alike(claim: Claim, hit: Snapshot) -> bool:
    same_birth_date = claim.birth_date is not None and claim.birth_date == hit.birth_date
    return same_birth_date and compare(claim.full_name, hit.full_name).rung in _RUNGS


def _typed(reading: Reading) -> tuple[str, ...]:
    """What may have been meant as a sector identifier: as sent, and as it was asked for."""
    if reading.form is Form.TWELVE:
        return ()
    asked = tuple(key.value for key in reading.keys)
    return tuple(dict.fromkeys((*asked, reading.digits))) if reading.digits else ()
