"""One item of the sandbox's traffic: what goes over the wire, and what must become of it."""

from typing import Literal, NamedTuple

from gateway.sandbox.courses import Course
from gateway.sandbox.wire_forms import Moment

Fate = Literal["delivered", "superseded", "held"]


class Expected(NamedTuple):
    """What must become of one item. (vendor, event_id, revision) names it; a repeated item repeats its own."""

    vendor: str
    event_id: str
    revision: int
    receipt: Literal["accepted", "duplicate", "corrected"]
    fate: Fate
    reason: str | None  # code of the hold
    story: str  # name in stories.STORIES, or "plain"
    sector_id: str  # with module and school year: the record it is about
    module: str
    school_year: str


class Item(NamedTuple):
    """One completion as it goes over the wire, unsigned."""

    vendor: str
    body: bytes
    expected: Expected


class Slot(NamedTuple):
    """A record that nobody has completed yet in this run, and the completion that will."""

    who: int  # place in the roster
    vendor: str
    course: Course
    moment: Moment
