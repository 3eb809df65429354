"""Where is my result? One box, one sentence: where it is, and who does what next; or the three ways on.

What is typed comes by POST and is in no address; it is read, looked for, and forgotten.
"""

from dataclasses import dataclass, field

from gateway.console.desk import desk_of, sight_of, told
from gateway.console.page import HOME, Act, Page, Shown, Visit
from gateway.stages.cases.sight import Sight
from gateway.stages.cases.whereabouts import LONGEST, MAX_TYPED, Found, Kind, search

PATH = HOME + "/where"


@dataclass(frozen=True, slots=True)
class Hit:
    """One result and the sentence that says where it is. `action`: what is to be done next, if anything."""

    id: int
    full_name: str | None = field(repr=False)
    birth_date: str | None = field(repr=False)
    identifier: str | None
    course: str | None
    vendor: str
    state: str
    sentence: str
    action: str | None
    owner: str | None
    contact: str | None
    received_at_ms: int
    completed_at_ms: int | None


@dataclass(frozen=True, slots=True)
class Where:
    """The box, and what was found. `hits` is None before a search."""

    kind: str
    kinds: tuple[tuple[str, str], ...]
    typed: str = field(repr=False)
    hits: tuple[Hit, ...] | None = None
    is_cut: bool = False
    inquiry: str | None = field(repr=False, default=None)


async def where(visit: Visit) -> Where:
    return _empty(visit, Kind.IDENTIFIER, "")


async def find(visit: Visit) -> Where | Shown:
    chosen, typed = await visit.field("kind"), (await visit.field("typed"))[:MAX_TYPED]
    if chosen not in list(Kind) or not typed:
        visit.say("where.nothing_typed", kind="error")
        return Shown(_empty(visit, Kind.IDENTIFIER, typed), status=422)
    kind, sight = Kind(chosen), await sight_of(visit)
    limit = sight.limit
    if limit is None:
        visit.out_of_scope("cases")
    found = await search(desk_of(visit), sight, limit, kind, typed)
    hits = tuple(_hit(visit, sight, one) for one in found)
    inquiry = None if hits else _inquiry(visit, kind, typed)
    return Where(kind.value, _kinds(visit), typed, hits, len(hits) == LONGEST, inquiry)


def _empty(visit: Visit, kind: Kind, typed: str) -> Where:
    return Where(kind.value, _kinds(visit), typed)


def _kinds(visit: Visit) -> tuple[tuple[str, str], ...]:
    return tuple((kind.value, visit.t(f"where.kind.{kind}")) for kind in Kind)


def _hit(visit: Visit, sight: Sight, one: Found) -> Hit:
    key, words = one.state, None
    if one.state in ("held", "dead") and one.reason is not None:
        words = told(visit, sight, one.reason, school=one.school_code, vendor=one.vendor)
    elif one.state == "delivered" and not one.is_in_temis:
        key = "superseded"
    sentence = visit.t(f"where.is.{key}", what=words.what if words else "", owner=words.owner if words else "")
    return Hit(
        id=one.id,
        full_name=one.full_name,
        birth_date=one.birth_date.isoformat() if one.birth_date else None,
        identifier=one.identifier,
        course=one.course,
        vendor=one.vendor,
        state=one.state,
        sentence=sentence,
        action=words.action if words else None,
        owner=words.owner if words else None,
        contact=words.contact if words else None,
        received_at_ms=one.received_at_ms,
        completed_at_ms=one.completed_at_ms,
    )


def _inquiry(visit: Visit, kind: Kind, typed: str) -> str:
    """A letter to the LMS, ready to be copied; what is known already stands in it."""
    known = {name: visit.t("where.inquiry.blank") for name in ("identifier", "name", "certificate", "course")}
    if kind.value in known:
        known[kind.value] = typed
    unit = visit.unit.name if visit.unit else visit.t("where.inquiry.blank")
    return visit.t("where.inquiry.text", unit=unit, **known)


PAGES = (
    Page(PATH, where, name="where", may="result.search", nav=30),
    Act(PATH, find, name="where", may="result.search"),
)
