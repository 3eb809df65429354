"""Reconciliation for operators: what TEMIS shows against what we believe, and the balance that must close."""

from dataclasses import dataclass

from aiohttp import web

from gateway.console.files import BOM, csv_lines, file_answer
from gateway.console.page import HOME, Act, Go, Page, Shown, Visit
from gateway.model.errors import Refused
from gateway.queue import reconciliations
from gateway.queue.balance_sheet import BY, named_courses, sheets
from gateway.queue.reconciliations import Reconciliation, Scope

PATH = HOME + "/ops/reconciliation"
MAY = "queue.operate"
DISCREPANCIES = 50
DAYS_SHOWN = 14
_COUNTS = ("received", "duplicate", "accepted", "held", "verified", "delivered", "dead", "voided", "difference")


@dataclass(frozen=True, slots=True)
class Walk:
    """One reconciliation."""

    id: int
    by: str
    started_at_ms: int
    ended_at_ms: int | None
    ended: str | None
    vendor: str | None
    module: str | None
    checked: int
    same: int
    missing: int
    different: int
    unexpected: int
    moving: int
    healed: int
    done: int
    total: int
    is_open: bool
    phase: str


@dataclass(frozen=True, slots=True)
class Day:
    """The balance of one vendor and one day."""

    vendor: str
    day: int
    received: int
    delivered: int
    waiting: int
    ended: int
    difference: int


@dataclass(frozen=True, slots=True)
class Overview:
    """The walks so far, and the balance of the latest days."""

    walks: tuple[Walk, ...]
    older: int | None
    under_way: bool
    vendors: tuple[str, ...]
    days: tuple[Day, ...]
    closes: bool


@dataclass(frozen=True, slots=True)
class Found:
    """One discrepancy: names of fields, never a value."""

    id: int
    kind: str
    vendor: str | None
    module: str
    school_year: str
    delivery: int | None
    fields: tuple[str, ...]
    our_revision: int
    temis_revision: int | None
    requeued: bool
    state: str | None
    may_send: bool


@dataclass(frozen=True, slots=True)
class OneWalk:
    """One reconciliation with what it found."""

    walk: Walk
    found: tuple[Found, ...]
    older: int | None


async def overview(visit: Visit) -> Overview:
    runs = await reconciliations.latest(visit.parts.db, before=visit.number("after"))
    names = {vendor.id: vendor.name for vendor in await visit.parts.vendors.all()}
    found = await sheets(visit.parts.db, ("vendor", "day"))
    days = [
        Day(
            key.vendor,
            key.day or 0,
            sheet.received,
            sheet.states["delivered"],
            sheet.in_flight + sheet.states["held"],
            sheet.states["dead"] + sheet.states["voided"],
            sheet.difference,
        )
        for key, sheet in found.items()
    ]
    wrong = [one for one in days if one.difference]
    latest = sorted(days, key=lambda one: (-one.day, one.vendor))[: DAYS_SHOWN * max(1, len(names))]
    return Overview(
        tuple(_walk(run, names) for run in runs),
        runs[-1].id if len(runs) == 20 else None,
        any(run.ended is None for run in runs),
        tuple(names.values()),
        (*wrong, *(one for one in latest if not one.difference)),
        not wrong,
    )


async def begin(visit: Visit) -> Go:
    name, module = await visit.field("vendor"), await visit.field("module")
    vendor = await visit.parts.vendors.find(name)
    if name and vendor is None:
        return Go(PATH).saying("ops_reconciliation.no_vendor", "error")
    scope = Scope(vendor.id if vendor else None, module.upper() or None)
    try:
        run = await reconciliations.start(visit.parts.db, visit.parts.clock, visit.user.login, scope)
    except Refused:
        return Go(PATH).saying("ops_reconciliation.running", "info")
    return Go(f"{PATH}/{run.id}").saying("ops_reconciliation.begun")


async def one(visit: Visit) -> Shown:
    db = visit.parts.db
    run = await reconciliations.find(db, visit.number("id") or 0)
    names = {vendor.id: vendor.name for vendor in await visit.parts.vendors.all()}
    after = visit.number("after", 0) or 0
    page = await reconciliations.list_discrepancies(db, run.id, after=after, limit=DISCREPANCIES + 1)
    found = tuple(
        Found(
            one.id,
            one.kind,
            one.vendor,
            one.module_code,
            one.school_year,
            one.delivery_id,
            one.fields,
            one.our_revision,
            one.temis_revision,
            one.requeued,
            one.state,
            one.kind != "unexpected" and not one.requeued and one.state == "delivered",
        )
        for one in page[:DISCREPANCIES]
    )
    older = found[-1].id if len(page) > DISCREPANCIES else None
    view = OneWalk(_walk(run, names), found, older)
    return Shown(view.walk if visit.wants_json and visit.asked("walk") else view, template="ops_walk.html")


async def cancel(visit: Visit) -> Go:
    id_ = visit.number("id") or 0
    done = await reconciliations.cancel(visit.parts.db, visit.parts.clock, id_, visit.user.login)
    key = "ops_reconciliation.cancelled" if done else "ops_reconciliation.over"
    return Go(f"{PATH}/{id_}").saying(key, "done" if done else "info")


async def send_again(visit: Visit) -> Go:
    """Ours is right, an operator says: it goes above TEMIS's revision."""
    id_ = visit.number("id") or 0
    here = Go(f"{PATH}/{id_}")
    try:
        await reconciliations.send_again(
            visit.parts.db, visit.parts.clock, visit.number("found") or 0, visit.user.login
        )
    except Refused:
        return here.saying("ops_reconciliation.changed", "warning")
    return here.saying("ops_reconciliation.sent_again")


async def sheet(visit: Visit) -> web.Response:
    """The whole balance sheet per vendor, course and day, for a spreadsheet."""
    found = await sheets(visit.parts.db, BY)
    names = await named_courses(visit.parts.db)
    rows: list[tuple[object, ...]] = [("vendor", "course", "title", "module", "day", *_COUNTS)]
    for key, one in found.items():
        course = names.get(key.course or 0)
        number = f"#{key.course:012x}" if key.course else ""
        counts = one.as_dict()
        row = (
            *(key.vendor, course.course_id if course else number, course.title if course else ""),
            *(course.module_code if course else "", key.day, *(counts[name] for name in _COUNTS)),
        )
        rows.append(row)
    return file_answer(BOM + csv_lines(rows), "balance.csv")


def _walk(run: Reconciliation, names: dict[int, str]) -> Walk:
    counts = dict(run.counts)
    return Walk(
        id=run.id,
        by=run.started_by,
        started_at_ms=run.started_at_ms,
        ended_at_ms=run.ended_at_ms,
        ended=run.ended,
        vendor=names.get(run.scope.vendor_id) if run.scope.vendor_id else None,
        module=run.scope.module_code,
        checked=run.checked,
        done=run.cursor,
        total=run.last_id,
        is_open=run.ended is None,
        phase=run.ended or "running",
        **counts,
    )


PAGES = (
    Page(PATH, overview, name="ops_reconciliation", may=MAY, nav=64),
    Page(PATH + "/balance.csv", sheet, name="ops_reconciliation", may=MAY),
    Page(PATH + r"/{id:\d+}", one, name="ops_reconciliation", may=MAY),
    Act(PATH, begin, name="ops_reconciliation", may=MAY),
    Act(PATH + r"/{id:\d+}/cancel", cancel, name="ops_reconciliation", may=MAY),
    Act(PATH + r"/{id:\d+}/{found:\d+}/send", send_again, name="ops_reconciliation", may=MAY),
)
