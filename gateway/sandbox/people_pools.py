"""Who of a roster tells which story: an account that once shows an odd name or identifier always shows it."""

from collections import deque
from collections.abc import Sequence
from datetime import date
from functools import cache
from math import ceil

from gateway.model.clock import local_date
from gateway.sandbox import stories
from gateway.sandbox.population import WORKING, units
from gateway.sandbox.roster import StaffRow
from gateway.sandbox.story import PLAIN
from gateway.sandbox.wire_forms import Learner

# 15.0 % of identifiers are personal numbers, 84.3 % are `0` + ten digits.
PERSONAL_NUMBER_SHARE = 0.150 / (0.150 + 0.843)
_SPREAD = 0.6180339887498949  # golden ratio: any stretch of a roster comes close to the share

Pools = dict[str, deque[int]]


def fill_pools(people: Sequence[StaffRow], window_start_ms: int) -> tuple[Pools, list[StaffRow]]:
    """story -> places in the roster; `plain` has all people at work who have no story of their own.

    A story that nobody fits has no pool. The second value is who sends nothing: neither at work nor in a story.
    """
    start = local_date(window_start_ms)
    free = [who for who, person in enumerate(people) if person.status == WORKING]
    idle = [who for who, person in enumerate(people) if person.status != WORKING]
    wanted = len(free)
    pools: Pools = {}
    for name, story in stories.STORIES.items():
        if story.fits is None:
            continue
        source = free if story.works else idle
        size = ceil(wanted * story.share)
        chosen: list[int] = []
        for who in source:
            if len(chosen) == size:
                break
            if story.fits(people[who], start):
                chosen.append(who)
        if chosen:
            pools[name] = deque(chosen)
            taken = set(chosen)
            source[:] = [who for who in source if who not in taken]
    if free:
        pools[PLAIN] = deque(free)
    return pools, [people[who] for who in idle]


def usual_learner(who: int, person: StaffRow) -> Learner:
    """A person as their LMS account shows them when nothing is odd, the identifier in its usual form."""
    # A personal number is believed only beside a birth date.
    can_be_personal = len(person.citizen_id) == 12 and person.birth_date != ""
    personal = can_be_personal and (who + 1) * _SPREAD % 1 < PERSONAL_NUMBER_SHARE
    return Learner(
        account=who,
        full_name=person.full_name,
        birth_date=date.fromisoformat(person.birth_date) if person.birth_date else None,
        identifier=person.citizen_id if personal else "0" + person.sector_id,
        unit_code=person.unit_code,
        role=person.role,
    )


def levels_of(person: StaffRow) -> tuple[str, ...]:
    """The levels of the person's school; a school we do not know teaches all of general education."""
    return _levels().get(person.unit_code, ("TH", "THCS", "THPT"))


@cache
def _levels() -> dict[str, tuple[str, ...]]:
    return {unit.code: unit.levels for unit in units()}
