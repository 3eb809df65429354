"""The audit for those who look after it: who did what when, the newest first. It holds no value of a person."""

from dataclasses import dataclass
from datetime import date, datetime, time

from gateway.console.page import HOME, Page, Visit
from gateway.console.words import WORDS
from gateway.model.clock import DAY_MS, ICT
from gateway.storage.audit import Act, Wanted, find_acts

SHOWN = 50


@dataclass(frozen=True, slots=True)
class Row:
    """One act. `text`: its name in the reader's language, or its code."""

    id: int
    at_ms: int
    actor: str
    act: str
    text: str
    about: str
    detail: dict[str, object]
    seal: int | None  # of the chain that proves it; None: sealed within a second or so


@dataclass(frozen=True, slots=True)
class Audit:
    """A page of acts. `older`: the parameter `after` of the next one."""

    rows: tuple[Row, ...]
    older: int | None
    actor: str
    act: str
    about: str
    since: str
    until: str


async def audit(visit: Visit) -> Audit:
    """Filtered by who, what, on what, and days; each filter by an index or a range of time."""
    actor, act, about = (visit.asked(name).strip() for name in ("actor", "act", "about"))
    since, until = (_day(visit.asked(name)) for name in ("since", "until"))
    wanted = Wanted(
        actor or None,
        act or None,
        about or None,
        _start_ms(since) if since else None,
        _start_ms(until) + DAY_MS if until else None,
    )
    found = await find_acts(visit.parts.db, wanted, before=visit.number("after"), limit=SHOWN + 1)
    shown = found[:SHOWN]
    return Audit(
        rows=tuple(_row(visit, one) for one in shown),
        older=shown[-1].id if len(found) > SHOWN else None,
        actor=actor,
        act=act,
        about=about,
        since=since.isoformat() if since else "",
        until=until.isoformat() if until else "",
    )


def _row(visit: Visit, one: Act) -> Row:
    key = f"audit.acts.{one.act}"
    text = visit.t(key) if WORDS.has(key) else one.act
    return Row(one.id, one.at_ms, one.actor, one.act, text, one.object, dict(one.detail), one.seal)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _start_ms(day: date) -> int:
    return int(datetime.combine(day, time(), ICT).timestamp() * 1000)


PAGES = (Page(HOME + "/audit", audit, name="audit", may="audit.see", nav=90),)
