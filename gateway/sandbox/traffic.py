"""A roster -> the completions both vendors would send about it, each with what must become of it.

Identifiers come in the proportions measured in one province (84.3 % `0` + ten digits, 15.0 % personal
numbers; what is left are stories). Which oddities occur, and how often, is the table in stories.py. The same
roster, time and seed give the same bytes. Two items meet on one record only when their story is about that.
"""

import heapq
from collections.abc import Iterator, Sequence
from itertools import count
from random import Random
from typing import Literal, TypeVar

from gateway.model.clock import DAY_MS
from gateway.sandbox import stories
from gateway.sandbox.courses import Course, offered
from gateway.sandbox.item import Expected, Fate, Item, Slot
from gateway.sandbox.people_pools import fill_pools, levels_of, usual_learner
from gateway.sandbox.roster import StaffRow
from gateway.sandbox.story import PLAIN, NobodyLeft
from gateway.sandbox.wire_forms import FORMS, Learner, Moment, Outcome

__all__ = ["Expected", "Item", "Traffic"]

T = TypeVar("T")

WINDOW_DAYS = 300  # completions lie in the last 300 days: mostly enough to touch two school years
VIETTEL_SHARE = 0.55
CHUNK = 20_000  # items planned at once: memory stays flat however many are asked for
GAP = 40  # the second half of a pair comes 1..40 items after the first
_MOMENTS = 4_096


class Traffic:
    """A stream of items about the people of one roster."""

    def __init__(self, people: Sequence[StaffRow], *, now_ms: int, seed: int = 2026) -> None:
        self.random = Random(seed)
        self.people = people
        self.now_ms = now_ms
        self.sector_ids = frozenset(person.sector_id for person in people)
        self.told: dict[int, Learner] = {}  # what odd accounts show
        self._run = (now_ms // 1_000) << 32 | seed & 0xFFFF_FFFF
        self._numbers = count(1)
        self._used = [0] * len(people)
        self._vendor = ["viettel" if self.random.random() < VIETTEL_SHARE else "vnpt" for _ in people]
        self._moments = self._draw_moments()
        self._years = sorted(self._moments, key=lambda year: -len(self._moments[year]))
        self._pools, self.strangers = fill_pools(people, now_ms - WINDOW_DAYS * DAY_MS)
        self._learners: dict[tuple[str, int], str] = {}
        self._courses: dict[tuple[Course, str | None], str] = {}
        self._results: dict[tuple[str, Outcome], str] = {}
        self._passes = [Outcome(tenths, True) for tenths in range(55, 101)]

    def items(self, total: int) -> Iterator[Item]:
        """Exactly `total` items. Raises: ValueError when the roster has too few people for so many records."""
        for start in range(0, total, CHUNK):
            yield from self._chunk(min(CHUNK, total - start), first=start == 0)

    def _chunk(self, size: int, *, first: bool) -> Iterator[Item]:
        plan = stories.plan(size, self._pools.keys(), at_least_one=first)
        self.random.shuffle(plan)
        later: list[tuple[int, int, Item]] = []  # place, tie-breaker, second half of a pair
        place = 0
        for story in plan:
            while later and later[0][0] <= place:
                yield heapq.heappop(later)[2]
                place += 1
            now, *rest = self._tell(story)
            yield now
            place += 1
            for item in rest:
                heapq.heappush(later, (place + self.random.randrange(GAP), place, item))
        while later:
            yield heapq.heappop(later)[2]

    def _tell(self, story: str) -> list[Item]:
        if story == PLAIN:
            return [self.write(self.slot(), story)]
        try:
            return stories.STORIES[story].tell(self, story)
        except NobodyLeft:
            return [self.write(self.slot(), PLAIN) for _ in range(stories.STORIES[story].items)]

    def slot(self, pool: str = PLAIN) -> Slot:
        """A free record of the next person of `pool`."""
        people = self._pools.get(pool)
        while people:
            who = people[0]
            person, vendor, turn = self.people[who], self._vendor[who], self._used[who]
            modules = offered(vendor, person.role, levels_of(person))
            if turn >= len(modules) * len(self._years):
                people.popleft()
                continue
            people.rotate(-1)
            self._used[who] += 1
            courses = modules[(turn + 7 * who) % len(modules)]
            # Every third person begins with another year, so that a short run shows both.
            year = self._years[(turn // len(modules) + (who % 3 == 0)) % len(self._years)]
            return Slot(who, vendor, self.pick(courses), self.pick(self._moments[year]))
        if pool == PLAIN:
            raise ValueError("the roster has too few people at work for so many completions")
        raise NobodyLeft(pool)

    def learner(self, slot: Slot) -> Learner:
        """The person of `slot` as their LMS account shows them when nothing is odd."""
        return usual_learner(slot.who, self.people[slot.who])

    def write(
        self,
        slot: Slot,
        story: str,
        fate: Fate = "delivered",
        reason: str | None = None,
        *,
        learner: Learner | None = None,
        outcome: Outcome | None = None,
        states_year: bool = True,
        correcting: Item | None = None,
    ) -> Item:
        """One item about `slot`; what is not given is as usual. `correcting` makes it the next revision."""
        vendor, form = slot.vendor, FORMS[slot.vendor]
        number = next(self._numbers)
        if correcting is None:
            event_id, revision = form.event_id(self._run, number), 1
        else:
            event_id, revision = correcting.expected.event_id, correcting.expected.revision + 1
        year = slot.moment.school_year
        outcome = outcome or self.pick(self._passes)
        body = form.item(
            event_id,
            revision,
            slot.moment,
            self._learner_text(slot) if learner is None else form.learner(learner),
            self._course_text(slot, year if states_year else None),
            self._result_text(vendor, outcome),
            f'"BDTX-{year[:4]}-{number:07d}"' if outcome.passed else "null",
        )
        receipt: Literal["accepted", "corrected"] = "accepted" if correcting is None else "corrected"
        sector_id = self.people[slot.who].sector_id
        expected = Expected(
            vendor, event_id, revision, receipt, fate, reason, story, sector_id, slot.course.module, year
        )
        return Item(vendor, body, expected)

    def pick(self, values: Sequence[T]) -> T:
        """One of them; four times as quick as `random.choice`."""
        return values[int(self.random.random() * len(values))]

    def later(self, moment: Moment) -> Moment:
        """A moment of the same school year that is not before this one."""
        same_year = self._moments[moment.school_year]
        return same_year[self.random.randint(same_year.index(moment), len(same_year) - 1)]

    def _draw_moments(self) -> dict[str, list[Moment]]:
        """Moments of the window by school year, oldest first."""
        found: dict[str, list[Moment]] = {}
        for back_ms in sorted(self.random.sample(range(WINDOW_DAYS * DAY_MS), _MOMENTS), reverse=True):
            moment = Moment.at((self.now_ms - back_ms) // 1_000 * 1_000)
            found.setdefault(moment.school_year, []).append(moment)
        return found

    def _learner_text(self, slot: Slot) -> str:
        key = (slot.vendor, slot.who)
        text = self._learners.get(key)
        if text is None:
            text = self._learners[key] = FORMS[slot.vendor].learner(self.learner(slot))
        return text

    def _course_text(self, slot: Slot, school_year: str | None) -> str:
        key = (slot.course, school_year)
        text = self._courses.get(key)
        if text is None:
            text = self._courses[key] = FORMS[slot.vendor].course(slot.course, school_year)
        return text

    def _result_text(self, vendor: str, outcome: Outcome) -> str:
        key = (vendor, outcome)
        text = self._results.get(key)
        if text is None:
            text = self._results[key] = FORMS[vendor].result(outcome)
        return text
