"""How each story is told: a record that is free -> the one or two items that tell it."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from gateway.model.clock import ICT
from gateway.sandbox import spelling
from gateway.sandbox.courses import courses
from gateway.sandbox.courses import unmapped as unmapped_course
from gateway.sandbox.item import Item, Slot
from gateway.sandbox.roster import StaffRow
from gateway.sandbox.story import NobodyLeft, Tell
from gateway.sandbox.wire_forms import Learner, Moment, Outcome

if TYPE_CHECKING:  # it tells the stories: only the types meet here
    from gateway.sandbox.traffic import Traffic


def held(reason: str) -> Tell:
    """Nothing odd in the item itself; the person's file holds it."""
    return lambda traffic, story: [traffic.write(traffic.slot(story), story, "held", reason)]


def shown(change: Callable[["Traffic", Learner, StaffRow], Learner], reason: str | None = None) -> Tell:
    """The account shows the person otherwise than they are, and always in the same way."""

    def tell(traffic: "Traffic", story: str) -> list[Item]:
        slot = traffic.slot(story)
        learner = traffic.told.get(slot.who)
        if learner is None:
            learner = change(traffic, traffic.learner(slot), traffic.people[slot.who])
            traffic.told[slot.who] = learner
        return [traffic.write(slot, story, "held" if reason else "delivered", reason, learner=learner)]

    return tell


def named(change: Callable[[str], str], reason: str | None = None) -> Tell:
    return shown(lambda _, learner, __: learner._replace(full_name=change(learner.full_name)), reason)


def odd_length(traffic: "Traffic", learner: Learner, person: StaffRow) -> Learner:
    return learner._replace(identifier=(person.sector_id * 2)[: (5, 13)[learner.account % 2]])


def unknown(traffic: "Traffic", learner: Learner, person: StaffRow) -> Learner:
    """A code that is nobody's, and no slip away from the person's own."""
    while True:
        number = f"{31 + 2 * (learner.account % 2)}{traffic.random.randrange(10**8):08d}"
        apart = sum(a != b for a, b in zip(number, person.sector_id, strict=True))
        if number not in traffic.sector_ids and apart > 3:
            return learner._replace(identifier="0" + number)


def one_digit_off(traffic: "Traffic", learner: Learner, person: StaffRow) -> Learner:
    for place in range(9, 1, -1):
        for digit in "0123456789":
            number = person.sector_id[:place] + digit + person.sector_id[place + 1 :]
            if number not in traffic.sector_ids:
                return learner._replace(identifier=number)
    raise NobodyLeft("every code one digit away is taken")


def strangers(traffic: "Traffic", learner: Learner, person: StaffRow) -> Learner:
    """The code of a person of another given name who sends nothing themselves."""
    given = spelling.without_marks(person.full_name.split()[-1]).lower()
    for _ in range(20):
        other = traffic.pick(traffic.strangers) if traffic.strangers else person
        if spelling.without_marks(other.full_name.split()[-1]).lower() != given:
            return learner._replace(identifier="0" + other.sector_id)
    raise NobodyLeft("nobody's identifier is free to be mistaken")


def other_day(_: "Traffic", learner: Learner, __: StaffRow) -> Learner:
    """Three days off, so that no slip of day and month explains it."""
    assert learner.birth_date is not None
    return learner._replace(birth_date=learner.birth_date + timedelta(days=3))


def swapped(_: "Traffic", learner: Learner, __: StaffRow) -> Learner:
    born = learner.birth_date
    assert born is not None
    return learner._replace(birth_date=born.replace(day=born.month, month=born.day))


def still_working(traffic: "Traffic", story: str) -> list[Item]:
    """Completed before the retirement: the file's later status says nothing of that day."""
    while True:
        slot = traffic.slot(story)
        if slot.moment.iso[:10] < traffic.people[slot.who].status_since:
            return [traffic.write(slot, story)]


def unmapped(traffic: "Traffic", story: str) -> list[Item]:
    slot = traffic.slot()
    return [traffic.write(slot._replace(course=unmapped_course(slot.vendor)), story, "held", "course.unmapped")]


def july(traffic: "Traffic", story: str) -> list[Item]:
    """Between two school years, and the vendor does not say which."""
    today = datetime.fromtimestamp(traffic.now_ms / 1000, ICT)
    july = datetime(today.year - (today.month < 8), 7, 15, 9, tzinfo=ICT)
    slot = traffic.slot()._replace(moment=Moment.at(int(july.timestamp() * 1000)))
    return [traffic.write(slot, story, "held", "course.school_year_unclear", states_year=False)]


def result(passed: bool | None, low: int, high: int, reason: str | None = None) -> Tell:
    def tell(traffic: "Traffic", story: str) -> list[Item]:
        outcome = Outcome(traffic.random.randint(low, high), passed)
        return [
            traffic.write(traffic.slot(), story, "held" if reason else "delivered", reason, outcome=outcome)
        ]

    return tell


def retake(traffic: "Traffic", story: str) -> list[Item]:
    """Failed, then passed: two events, one record. Now and then they arrive the other way round."""
    slot = traffic.slot()
    failed = traffic.write(slot, story, "superseded", outcome=Outcome(traffic.random.randint(20, 45), False))
    passed = traffic.write(slot._replace(moment=traffic.later(slot.moment)), story)
    return [failed, passed] if traffic.random.random() < 0.8 else [passed, failed]


def both_vendors(traffic: "Traffic", story: str) -> list[Item]:
    """The same module on both LMSs: the better score is the record."""
    slot = traffic.slot()
    while (twin := _twin(slot)) is None:
        slot = traffic.slot()
    better = traffic.write(slot, story, outcome=Outcome(traffic.random.randint(80, 100), True))
    worse = traffic.write(twin, story, "superseded", outcome=Outcome(traffic.random.randint(55, 79), True))
    return [better, worse] if traffic.random.random() < 0.5 else [worse, better]


def _twin(slot: Slot) -> Slot | None:
    for course in courses():
        if course.module == slot.course.module and course.vendor != slot.vendor:
            return slot._replace(vendor=course.vendor, course=course)
    return None


def duplicate(traffic: "Traffic", story: str) -> list[Item]:
    item = traffic.write(traffic.slot(), story)
    return [item, item._replace(expected=item.expected._replace(receipt="duplicate"))]


def correction(traffic: "Traffic", story: str) -> list[Item]:
    """The vendor sends the event again with a higher revision and another score."""
    slot = traffic.slot()
    first = traffic.write(slot, story, "superseded", outcome=Outcome(traffic.random.randint(55, 74), True))
    outcome = Outcome(traffic.random.randint(75, 100), True)
    return [first, traffic.write(slot, story, outcome=outcome, correcting=first)]
