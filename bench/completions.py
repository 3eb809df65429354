"""Made-up teachers and their completions in Viettel's form: all of them can be verified and delivered.

Each person completes REPEATS courses, shuffled among those of BLOCK people: a fifth of the completions need a
look-up. The identifiers' forms are those of one province (15 % personal numbers, the others `0` + ten digits).
The same ones come each time, and of two amounts the smaller is the beginning of the larger.
"""

from collections.abc import Iterator
from datetime import date
from functools import cache
from itertools import islice
from random import Random

from gateway.sandbox.courses import Course, courses
from gateway.sandbox.people_pools import usual_learner
from gateway.sandbox.population import WORKING, population
from gateway.sandbox.roster import StaffRow
from gateway.sandbox.wire_forms import FORMS, Moment, Outcome

VENDOR = "viettel"
REPEATS = 5
BLOCK = 500
SEED = 2026
_TODAY = date(2026, 3, 10)
_COMPLETED = Moment.at(1_773_032_400_000)  # 2026-03-09, school year 2025-2026


def people_for(total: int) -> int:
    """How many people `total` completions are about, the last block rounded up."""
    return -(-total // (BLOCK * REPEATS)) * BLOCK


@cache
def roster(count: int) -> tuple[StaffRow, ...]:
    """`count` teachers at work; the same ones each time."""
    drawn = population(count + count // 4 + 100, today=_TODAY, seed=SEED)
    at_work = (person for person in drawn if person.status == WORKING and person.role == "GV")
    return tuple(islice(at_work, count))


def bodies(total: int, *, first: int = 0, run: int = 0) -> Iterator[bytes]:
    """`total` items after the `first`, each with a record of its own. `run` sets event ids of runs apart."""
    form = FORMS[VENDOR]
    people = roster(people_for(first + total))
    learners = [form.learner(usual_learner(who, person)) for who, person in enumerate(people)]
    texts = [form.course(course, _COMPLETED.school_year) for course in modules()]
    result = form.result(Outcome(85, True))
    for number, (who, course) in enumerate(islice(_order(len(people)), first, first + total), first):
        yield form.item(
            form.event_id(run, number),
            1,
            _COMPLETED,
            learners[who],
            texts[course],
            result,
            f'"BDTX-2025-{number:07d}"',
        )


def _order(people: int) -> Iterator[tuple[int, int]]:
    """(place in the roster, course), block by block."""
    random = Random(SEED)
    for start in range(0, people, BLOCK):
        block = [(who, course) for who in range(start, start + BLOCK) for course in range(REPEATS)]
        random.shuffle(block)
        yield from block


@cache
def modules() -> tuple[Course, ...]:
    """REPEATS courses of different modules whose codes map by themselves."""
    plain = (c for c in courses() if c.vendor == VENDOR and c.course_code.replace(" ", "") == c.module)
    found = {course.module: course for course in plain}
    return tuple(islice(found.values(), REPEATS))


def batched(items: Iterator[bytes], size: int) -> Iterator[bytes]:
    """Request bodies: single objects, or arrays of `size`."""
    if size == 1:
        yield from items
        return
    while batch := list(islice(items, size)):
        yield b"[" + b",".join(batch) + b"]"
