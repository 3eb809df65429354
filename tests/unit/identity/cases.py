"""Builders for identity tests: a claim, a file of the sector database, and the case that joins them."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from gateway.identity import policy
from gateway.identity.case import Case, keys_of
from gateway.identity.identifier import read
from gateway.identity.pair import Pair, lay
from gateway.model.completion import Claim, Role
from gateway.model.person import Answer, LookupKey, Snapshot

POLICY = policy.load()
SECTOR_ID = "3101234567"
PERSONAL_NUMBER = "031185012345"
NAME = "Nguyễn Thị Hòa"
BORN = date(1985, 3, 12)
DONE = date(2026, 3, 10)


def a_claim(**changes: Any) -> Claim:
    """What an LMS says of Nguyễn Thị Hòa, all of it right unless changed."""
    stated = {
        "lms_user_id": "u-1",
        "identifier": SECTOR_ID,
        "full_name": NAME,
        "birth_date": BORN,
        "unit_code": "31000717",
        "role": Role.TEACHER,
    }
    return Claim(**(stated | changes))


def a_file(**changes: Any) -> Snapshot:
    """The file of Nguyễn Thị Hòa."""
    kept = {
        "sector_id": SECTOR_ID,
        "full_name": NAME,
        "birth_date": BORN,
        "unit_code": "31000717",
        "role": Role.TEACHER,
        "status_since": date(2010, 9, 1),
    }
    return Snapshot(**(kept | changes))


def answers(claim: Claim, *hits: Snapshot) -> dict[LookupKey, Answer]:
    """The same hits for every key of the claim."""
    return {key: an_answer(hits) for key in keys_of(claim)}


def an_answer(hits: Iterable[Snapshot]) -> Answer:
    return Answer(hits=tuple(hits), fetched_at_ms=0)


def a_case(claim: Claim | None = None, *hits: Snapshot, **facts: Any) -> Case:
    """A case whose keys all found `hits`, by default the one right file."""
    stated = claim or a_claim()
    found = hits or (a_file(),)
    return Case(**({"claim": stated, "completed_on": DONE, "answers": answers(stated, *found)} | facts))


def a_pair(claim: Claim | None = None, file: Snapshot | None = None, **facts: Any) -> Pair:
    """The claim beside the file, found by the claim's first key."""
    stated, kept = claim or a_claim(), file or a_file()
    reading = read(stated.identifier)
    return lay(a_case(stated, kept, **facts), reading, reading.keys[0], kept)
