"""Deliveries for operators: found by what they have in common, opened with their whole story, acted on in bulk.

No personal value is shown. An identifier is looked for by POST, through its blind index, and that is audited.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

from aiohttp import web

from gateway.console.files import BOM, csv_lines, file_headers
from gateway.console.page import HOME, Act, Go, Page, Shown, Visit, whole_number
from gateway.model.errors import NotFound
from gateway.model.reasons import OWNERS, REASONS, explain
from gateway.model.states import State
from gateway.queue import causes, discards, listing, replays
from gateway.queue.acts import replay
from gateway.queue.listing import Filter, Line
from gateway.queue.selection import BY_TEXT, text_pattern
from gateway.stages.cases.keys import identifier_keys

PATH = HOME + "/ops/deliveries"
MAY = "queue.operate"
MOST_EXPORTED = 10_000
MOST_FOUND = 200
_BY_IDENTIFIER = """
SELECT delivery_id FROM cases WHERE identifier_key = :key ORDER BY delivery_id DESC LIMIT :most"""
_EXPORTED = (
    *("id", "vendor", "event_id", "revision", "kind", "state", "reason", "owner", "tries"),
    *("received_at_ms", "changed_at_ms", "due_at_ms"),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One delivery of the list, in the reader's words."""

    id: int
    vendor: str
    event_id: str
    revision: int
    kind: str
    state: str
    reason: str | None
    told: str | None
    owner: str | None
    changed_at_ms: int
    may_act: bool


@dataclass(frozen=True, slots=True)
class CauseChoice:
    """A cause whose answer says what was looked for."""

    id: int
    code: str
    answer: str
    waiting: int
    address: str


@dataclass(frozen=True, slots=True)
class Deliveries:
    """The list with its filter."""

    rows: tuple[Row, ...]
    older: int | None
    chosen: dict[str, str]
    vendors: tuple[str, ...]
    causes: tuple[CauseChoice, ...]
    cause: str | None
    looked_for: bool  # by identifier
    may_plan: bool  # everything found could be replayed, by what it has in common
    export: str


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened."""

    at_ms: int
    what: str
    to_state: str | None
    http_status: int | None
    duration_ms: int | None
    request_hash: str | None
    note: str | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery with its whole story."""

    row: Row
    action: str | None
    received_at_ms: int
    due_at_ms: int | None
    tries: int
    outcome_unknown: bool
    superseded_by: int | None
    record: dict[str, Any] | None
    verdict: dict[str, Any] | None
    waits: dict[str, int]
    cause: int | None
    answer: str | None
    story: tuple[Step, ...]
    may_replay: bool
    may_discard: bool
    may_restore: bool


async def deliveries(visit: Visit) -> object:
    found = visit.asked("q").strip()
    if (id_ := whole_number(found)) is not None:
        return Go(f"{PATH}/{id_}")
    wanted, vendors = await _filter(visit)
    told = await _by_text(visit)
    if told is not None and len(told) != 1:
        return await _view(visit, [], None, vendors, told)
    if told:
        wanted = replace(wanted, cause_id=told[0].id)
    lines = await listing.latest_deliveries(
        visit.parts.db, wanted, before=visit.number("after"), limit=listing.PAGE + 1
    )
    older = lines[listing.PAGE - 1].id if len(lines) > listing.PAGE else None
    return await _view(visit, lines[: listing.PAGE], older, vendors, told or [], cause=wanted.cause_id)


async def search(visit: Visit) -> Shown:
    """By identifier: it stands in no address and no log, and who looked for one is in the audit."""
    typed = await visit.field("identifier")
    keys = identifier_keys(visit.parts.blind, typed) if typed else ()
    _, vendors = await _filter(visit)
    ids: list[int] = []
    async with visit.parts.db.read() as tx:
        for key in keys:
            ids += [row.delivery_id for row in await tx.rows(_BY_IDENTIFIER, key=key, most=MOST_FOUND)]
    await visit.audit("delivery.search", "identifier", found=len(ids))
    lines = await listing.read_deliveries(visit.parts.db, ids[:MOST_FOUND])
    return Shown(await _view(visit, lines, None, vendors, [], looked_for=True))


async def export(visit: Visit) -> web.StreamResponse:
    """The list as it is filtered, for a spreadsheet: codes, no person; at most MOST_EXPORTED lines."""
    wanted, _ = await _filter(visit)
    response = web.StreamResponse(headers=file_headers("deliveries.csv"))
    await response.prepare(visit.request)
    await response.write(BOM + csv_lines([_EXPORTED]))
    async for lines in _pages(visit, wanted):
        await response.write(csv_lines([getattr(line, name) for name in _EXPORTED] for line in lines))
    await response.write_eof()
    return response


async def _pages(visit: Visit, wanted: Filter) -> AsyncIterator[list[Line]]:
    before, left = None, MOST_EXPORTED
    while left > 0:
        lines = await listing.latest_deliveries(visit.parts.db, wanted, before=before, limit=min(1_000, left))
        if not lines:
            return
        yield lines
        before, left = lines[-1].id, left - len(lines)


async def one(visit: Visit) -> Shown:
    db, id_ = visit.parts.db, visit.number("id") or 0
    found = await listing.find_delivery(db, id_)
    cause = await causes.cause_of(db, id_)
    ancestors = await replays.lineage(db, id_)
    line = found.line
    story = [Step(line.received_at_ms, visit.t("ops_deliveries.received"), "accepted", None, None, None, None)]
    if found.verdict is not None:
        seen = found.verdict
        what = "ops_deliveries.judged_live" if seen.age_ms == 0 else "ops_deliveries.judged_cached"
        said = _told(visit, seen.reason) if seen.reason else visit.t("ops_deliveries.verified")
        story.append(Step(seen.at_ms, visit.t(what), None, None, None, None, said))
    for attempt in found.attempts:
        note = visit.t("ops_deliveries.late") if attempt.late else None
        story.append(
            Step(
                attempt.at_ms,
                _happened(visit, attempt.stage, attempt.outcome),
                attempt.to_state,
                attempt.http_status,
                attempt.duration_ms,
                attempt.request_hash,
                note,
            )
        )
    for before in ancestors:
        what = visit.t("ops_deliveries.replayed", id=before.job_id, by=before.by)
        was = _told(visit, before.was_reason) if before.was_reason else None
        story.append(Step(before.at_ms, what, None, None, None, None, was))
    story.sort(key=lambda step: step.at_ms)
    action = explain(line.reason, visit.lang)[1] if line.reason in REASONS and line.reason else None
    record, verdict = found.record, found.verdict
    view = Delivery(
        row=_row(visit, line),
        action=action,
        received_at_ms=line.received_at_ms,
        due_at_ms=line.due_at_ms,
        tries=line.tries,
        outcome_unknown=found.is_outcome_unknown,
        superseded_by=found.superseded_by,
        record=None
        if record is None
        else {
            "module": record.module_code,
            "school_year": record.school_year,
            "revision": record.revision,
            "temis_record_id": record.temis_record_id,
            "stands": record.stands,
        },
        verdict=None
        if verdict is None
        else {
            "verified": verdict.verified,
            "policy": verdict.policy_version,
            "findings": [{"code": f.code, "effect": f.effect.value} for f in verdict.findings],
        },
        waits=dict(found.waits),
        cause=cause.id if cause else None,
        answer=cause.answer or None if cause else None,
        story=tuple(story),
        may_replay=line.state in (State.HELD, State.DEAD),
        may_discard=line.state in (State.HELD, State.DEAD, State.ACCEPTED, State.VERIFIED)
        and line.kind == "completion"
        and not found.is_outcome_unknown,
        may_restore=line.state is State.VOIDED and line.reason == "discarded",
    )
    return Shown(view, template="ops_delivery.html")


async def replay_one(visit: Visit) -> Go:
    id_ = visit.number("id") or 0
    verify_again = await visit.field("again") == "verify"
    done = await replay(visit.parts.db, visit.parts.clock, [id_], verify_again=verify_again)
    if done:
        await visit.audit("delivery.replay", f"delivery:{id_}")
    here = Go(f"{PATH}/{id_}")
    return here.saying("ops_deliveries.set_going") if done else here.saying("ops_deliveries.not_now", "warning")


async def discard_one(visit: Visit) -> Go:
    id_, why = visit.number("id") or 0, await visit.field("why")
    here = Go(f"{PATH}/{id_}")
    if not why:
        return here.saying("ops_deliveries.why_missing", "error")
    done = await discards.discard(visit.parts.db, visit.parts.clock, [id_], why[:500], visit.user.login)
    return here.saying("ops_deliveries.discarded") if done else here.saying("ops_deliveries.not_now", "warning")


async def restore_one(visit: Visit) -> Go:
    id_ = visit.number("id") or 0
    done = await discards.restore(visit.parts.db, visit.parts.clock, [id_], visit.user.login)
    here = Go(f"{PATH}/{id_}")
    return here.saying("ops_deliveries.restored") if done else here.saying("ops_deliveries.not_now", "warning")


async def discard_many(visit: Visit) -> Go:
    """What was ticked in the list."""
    form = await visit.request.post()
    sent = [whole_number(one) for one in form.getall("ids", []) if isinstance(one, str)]
    ids = [id_ for id_ in sent if id_ is not None]
    why = await visit.field("why")
    if not ids:
        return Go(PATH).saying("ops_deliveries.none_ticked", "warning")
    if not why:
        return Go(PATH).saying("ops_deliveries.why_missing", "error")
    done = await discards.discard(visit.parts.db, visit.parts.clock, ids, why[:500], visit.user.login)
    return Go(PATH).saying("ops_deliveries.discarded_n", n=len(done), asked=len(ids))


async def _filter(visit: Visit) -> tuple[Filter, tuple[str, ...]]:
    """What the address asks for; a vendor that does not exist finds nothing."""
    vendors = {vendor.name: vendor.id for vendor in await visit.parts.vendors.all()}
    state = visit.asked("state")
    vendor = visit.asked("vendor")
    wanted = Filter(
        state=State(state) if state in tuple(State) else None,
        vendor_id=vendors.get(vendor, 0) if vendor else None,
        reason=visit.asked("reason") or None,
        event_id=visit.asked("q").strip() or None,
        cause_id=visit.number("cause"),
        module_code=visit.asked("module").strip().upper() or None,
    )
    return wanted, tuple(vendors)


async def _by_text(visit: Visit) -> list[CauseChoice] | None:
    """The causes whose error says it; None when no text was given."""
    text = visit.asked("text").strip()
    if not text:
        return None
    async with visit.parts.db.read() as tx:
        ids = [row.id for row in await tx.rows(BY_TEXT, text=text_pattern(text))]
    found = [await causes.find_cause(visit.parts.db, id_) for id_ in ids[:20]]
    return [
        CauseChoice(one.id, one.code, one.answer, one.waiting, visit.here(text=None, after=None, cause=one.id))
        for one in found
    ]


async def _view(
    visit: Visit,
    lines: list[Line],
    older: int | None,
    vendors: tuple[str, ...],
    found: list[CauseChoice],
    *,
    cause: int | None = None,
    looked_for: bool = False,
) -> Deliveries:
    about = None
    if cause is not None:
        try:
            one = await causes.find_cause(visit.parts.db, cause)
            about = f"{one.code} {one.answer}".strip()
        except NotFound:
            about = None
    names = ("state", "vendor", "reason", "q", "module", "text", "cause")
    return Deliveries(
        rows=tuple(_row(visit, line) for line in lines),
        older=older,
        chosen={name: visit.asked(name) for name in names},
        vendors=vendors,
        causes=tuple(found),
        cause=about,
        looked_for=looked_for,
        may_plan=_may_plan(visit),
        export=visit.here(after=None).replace(PATH, f"{PATH}.csv", 1),
    )


def _may_plan(visit: Visit) -> bool:
    """Whether the filter is one that a replay takes too, and of what stands still."""
    is_narrow = any(visit.asked(name) for name in ("state", "reason", "text", "cause"))
    is_taken = not any(visit.asked(name) for name in ("q", "module"))
    return is_narrow and is_taken and visit.asked("state") in ("", "held", "dead")


def _row(visit: Visit, line: Line) -> Row:
    return Row(
        id=line.id,
        vendor=line.vendor,
        event_id=line.event_id,
        revision=line.revision,
        kind=line.kind,
        state=line.state.value,
        reason=line.reason,
        told=_told(visit, line.reason) if line.reason else None,
        owner=OWNERS[line.owner][visit.lang] if line.owner and line.owner in OWNERS else None,
        changed_at_ms=line.changed_at_ms,
        may_act=line.state in (State.HELD, State.DEAD),
    )


def _told(visit: Visit, code: str) -> str:
    """One sentence for a code, also for those that only operators see."""
    return visit.reason(code) or (visit.t(f"ops_deliveries.reason.{code}") if code in _OWN else code)


_OWN = ("discarded", "withdrawn", "superseded", "replaced")


def _happened(visit: Visit, stage: str, outcome: str) -> str:
    known = ("verify", "deliver", "replay", "withdraw", "reconcile", "operator", "receive")
    name = visit.t(f"ops_deliveries.stage.{stage}") if stage in known else stage
    return f"{name}: {visit.reason(outcome) or outcome}"


PAGES = (
    Page(PATH, deliveries, name="ops_deliveries", may=MAY, nav=62),
    Page(PATH + ".csv", export, name="ops_deliveries", may=MAY),
    Page(PATH + r"/{id:\d+}", one, name="ops_deliveries", may=MAY),
    Act(PATH + "/search", search, name="ops_deliveries", may=MAY),
    Act(PATH + "/discard", discard_many, name="ops_deliveries", may=MAY),
    Act(PATH + r"/{id:\d+}/replay", replay_one, name="ops_deliveries", may=MAY),
    Act(PATH + r"/{id:\d+}/discard", discard_one, name="ops_deliveries", may=MAY),
    Act(PATH + r"/{id:\d+}/restore", restore_one, name="ops_deliveries", may=MAY),
)
