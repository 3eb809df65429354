"""One case: what was sent beside what is on file, why it waits, who mends what, and all that happened."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NoReturn

from gateway.bdtx.scope import OnFile
from gateway.console.desk import Told, desk_of, sight_of, told
from gateway.console.page import HOME, Act, Go, Page, Shown, Visit, whole_number
from gateway.identity.difference import Parts
from gateway.identity.masking import mask
from gateway.model.errors import Refused
from gateway.model.reasons import STATES, explain
from gateway.model.roles import ELSEWHERE
from gateway.stages.cases import ruling
from gateway.stages.cases.laid import Row, written
from gateway.stages.cases.reading import Case, Hit, read_case
from gateway.stages.cases.rechecking import recheck
from gateway.stages.cases.revealing import PURPOSES, Revealed, reveal
from gateway.stages.cases.sight import Sight
from gateway.stages.cases.timeline import Other, timeline

PATH = HOME + "/cases/{id}"
_LOOK = {"holds": "error", "warns": "warning", "neutral": "info", "supports": "done"}


@dataclass(frozen=True, slots=True)
class Field:
    """One row of the comparison. `finding`: in words; `look`: error, warning, info, done."""

    key: str
    label: str
    sent: Parts = field(repr=False)
    on_file: Parts = field(repr=False)
    finding: str
    look: str


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several files; only its number, and nothing else, where it is another unit's."""

    person_id: int
    is_mine: bool
    said: str | None = None
    full_name: str | None = field(repr=False, default=None)
    birth_date: str | None = field(repr=False, default=None)
    unit: str | None = None
    identifier: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. `verification`: its id, where then can be laid beside now."""

    at_ms: int
    text: str
    look: str
    verification: int | None = None


@dataclass(frozen=True, slots=True)
class Ruled:
    """What was ruled last."""

    act: str
    by: str
    at_ms: int
    note: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class CaseView:
    """The page. Lists of nothing stand where this viewer sees nothing."""

    id: int
    name: str | None = field(repr=False)
    vendor: str
    event_id: str
    revision: int
    state: str
    reason: str | None
    told: Told | None
    changed_at_ms: int
    received_at_ms: int
    completed_at_ms: int | None
    unit: str | None
    course: str | None
    course_code: str | None
    school_year: str | None
    passed: bool | None
    score: float | None
    certificate: str | None
    in_temis: str | None
    fields: tuple[Field, ...]
    elsewhere: str | None  # the one sentence in the place of values on file
    withheld: str | None  # why there are no values
    near: str | None
    choices: tuple[Choice, ...]
    ruled: Ruled | None
    events: tuple[Event, ...]
    others: tuple[Other, ...]
    may: dict[str, bool]
    purposes: tuple[str, ...] = PURPOSES
    revealed: Revealed | None = field(repr=False, default=None)
    has_file: bool = False
    change_to: int | None = None  # `person` of the act `allow`: whom the account would belong to

    def purpose_options(self, t: Callable[[str], str]) -> list[tuple[str, str]]:
        return [(purpose, t(f"case.purposes.{purpose}")) for purpose in self.purposes]


async def case(visit: Visit) -> CaseView:
    sight, found = await _case(visit)
    return await _view(visit, sight, found)


async def check_again(visit: Visit) -> Go:
    sight, found = await _case(visit)
    if not found.is_held:
        return Go(_here(found)).saying("case.not_waiting", kind="info")
    woken = await recheck(desk_of(visit), sight, found)
    return Go(_here(found)).saying("case.checking", kind="info", n=woken)


async def show_numbers(visit: Visit) -> CaseView | Shown:
    """The page again with the numbers in it: they are in no address, and gone with the next look."""
    sight, found = await _case(visit)
    purpose = await visit.field("purpose")
    if purpose not in PURPOSES:
        visit.say("case.purpose_missing", kind="error")
        return Shown(await _view(visit, sight, found), status=422)
    shown = await reveal(desk_of(visit), sight, found, purpose)
    return await _view(visit, sight, found, shown)


async def allow(visit: Visit) -> Go | Shown:
    """The LMS account may belong to another person than before."""
    sight, found = await _case(visit)
    note = await visit.field("note")
    if not _is_note(note):
        return await _without_note(visit, sight, found)
    person = await _person(visit)
    woken = await ruling.allow(desk_of(visit), sight, visit.parts.links, found, person, note)
    return Go(_here(found)).saying("case.ruled.allow", n=woken)


async def rule(visit: Visit) -> Go | Shown:
    sight, found = await _case(visit)
    desk, links = desk_of(visit), visit.parts.links
    note, act = await visit.field("note"), await visit.field("act")
    if not _is_note(note):
        return await _without_note(visit, sight, found)
    if act == ruling.Act.CHOOSE:
        await ruling.choose(desk, sight, links, found, await _person(visit), note)
    elif act == ruling.Act.REJECT:
        await ruling.reject(desk, sight, found, note)
    elif act == ruling.Act.REOPEN:
        await ruling.reopen(desk, sight, links, found, note)
    else:
        raise Refused("no such ruling", "ruling.act")
    return Go(_here(found)).saying(f"case.ruled.{act}")


def _is_note(note: str) -> bool:
    return 0 < len(note) <= ruling.LONGEST_NOTE


async def _without_note(visit: Visit, sight: Sight, found: Case) -> Shown:
    visit.say("case.note_missing", kind="error", n=ruling.LONGEST_NOTE)
    return Shown(await _view(visit, sight, found), status=422)


async def _person(visit: Visit) -> int:
    """The number of the person that was picked; 0, which is nobody's, for anything else."""
    return whole_number(await visit.field("person")) or 0


async def _case(visit: Visit) -> tuple[Sight, Case]:
    """The case, or the same 404 for one that is not there and one that is not the viewer's."""
    sight, id_ = await sight_of(visit), visit.number("id", 0) or 0
    found = await read_case(desk_of(visit), sight, id_)
    if found is None:
        _nowhere(visit, id_)
    return sight, found


def _nowhere(visit: Visit, id_: int) -> NoReturn:
    visit.out_of_scope(f"delivery {id_}")


def _here(found: Case) -> str:
    return PATH.replace("{id}", str(found.id))


async def _view(visit: Visit, sight: Sight, found: Case, shown: Revealed | None = None) -> CaseView:
    sent, words = found.sent, _told(visit, sight, found)
    others = await timeline(desk_of(visit), sight, found)
    certificate = sent.result.certificate_no if sent else None
    score = sent.result.score_hundredths if sent else None
    return CaseView(
        id=found.id,
        name=sent.claim.full_name if sent else None,
        vendor=found.vendor,
        event_id=found.event_id,
        revision=found.revision,
        state=found.state,
        reason=found.reason if words else None,
        told=words,
        changed_at_ms=found.changed_at_ms,
        received_at_ms=found.received_at_ms,
        completed_at_ms=sent.completed_at_ms if sent else None,
        unit=sight.name(found.unit_code),
        course=(sent.course.title or sent.course.course_code or sent.course.course_id) if sent else None,
        course_code=sent.course.course_code if sent else None,
        school_year=sent.course.school_year if sent else None,
        passed=sent.result.passed if sent else None,
        score=score / 100 if score is not None else None,
        certificate=mask(certificate) if certificate else None,
        in_temis=_in_temis(visit, found),
        fields=tuple(_field(visit, row) for row in found.rows),
        elsewhere=ELSEWHERE[visit.lang] if found.on_file is OnFile.ELSEWHERE else None,
        withheld=_withheld(visit, found),
        near=_near(visit, found),
        choices=tuple(_choice(visit, sight, hit) for hit in found.hits),
        ruled=_ruled(visit, found),
        events=_events(visit, found),
        others=others,
        may={
            "recheck": visit.may("case.recheck") and found.is_held,
            "reveal": visit.may("case.reveal_number") and sent is not None,
            "choose": visit.may("case.adjudicate") and ruling.may_choose(found),
            "allow": visit.may("account.allow_change") and ruling.may_allow(found),
            "reject": visit.may("case.adjudicate") and ruling.may_reject(found),
            "then": visit.may("case.values_on_file") and visit.parts.then_and_now is not None,
            "reopen": visit.may("case.adjudicate") and ruling.may_reopen(found),
        },
        revealed=shown,
        has_file=found.file is not None,
        change_to=found.found_id if ruling.may_allow(found) else None,
    )


def _told(visit: Visit, sight: Sight, found: Case) -> Told | None:
    """Why it waits; nothing for what does not wait."""
    if found.state not in ("held", "dead") or found.reason is None:
        return None
    holding = found.holding
    detail = dict(holding.detail) if holding else {}
    if found.sent is not None:
        detail.setdefault("course", found.sent.course.course_code or found.sent.course.course_id)
    school = found.unit_code or found.units.claimed
    return told(visit, sight, found.reason, school=school, vendor=found.vendor, detail=detail)


def _field(visit: Visit, row: Row) -> Field:
    look = _LOOK.get(row.effect or "", "")
    text = ""
    if row.code is not None:
        text = visit.reason(row.code) or visit.t(f"case.agrees.{look}")
    return Field(row.field, visit.t(f"case.field.{row.field}"), row.sent, row.on_file, text, look)


def _withheld(visit: Visit, found: Case) -> str | None:
    if not visit.may("case.values_sent"):
        return visit.t("case.no_values")
    return None if found.is_kept else visit.t("case.past_retention")


def _near(visit: Visit, found: Case) -> str | None:
    if found.near is None:
        return None
    said = explain("registry.near_miss", visit.lang, masked=found.near.masked)
    return f"{said[0]} {visit.t('case.slip.' + found.near.slip)} {said[1]}"


def _choice(visit: Visit, sight: Sight, hit: Hit) -> Choice:
    file = hit.file
    if file is None:
        return Choice(hit.person_id, is_mine=False, said=ELSEWHERE[visit.lang])
    unit = sight.name(file.unit_code) or file.unit_name
    born, number = written(file.birth_date), mask(file.sector_id)
    return Choice(hit.person_id, True, None, file.full_name, born, unit, number)


def _ruled(visit: Visit, found: Case) -> Ruled | None:
    if found.ruling is None or found.sent is None:
        return None
    note = ruling.note_of(desk_of(visit), found.ruling, found.id)
    return Ruled(found.ruling.act, found.ruling.actor, found.ruling.at_ms, note)


def _in_temis(visit: Visit, found: Case) -> str | None:
    record = found.record
    if found.state == "delivered" and record is not None and record.stands:
        return visit.t("case.stands", module=record.module_code, year=record.school_year)
    if record is not None and record.is_anothers:
        return visit.t("case.superseded", module=record.module_code, year=record.school_year)
    return None


def _events(visit: Visit, found: Case) -> tuple[Event, ...]:
    """Everything that happened, the newest first; a verdict stands for the attempt that wrote it."""
    events = [Event(found.received_at_ms, visit.t("case.event.received", vendor=found.vendor), "info")]
    for one in found.judgements:
        if one.verified:
            events.append(Event(one.at_ms, visit.t("case.event.verified"), "done", one.id))
        else:
            text = visit.t("case.event.held", why=visit.reason(one.reason) or "")
            events.append(Event(one.at_ms, text, "warning", one.id))
    for tried in found.attempts:
        if tried.stage == "verify" and tried.to_state in ("held", "verified"):
            continue
        if tried.to_state is not None:
            text = STATES[tried.to_state][visit.lang]
            if why := visit.reason(tried.outcome):
                text = f"{text}. {why}"
        else:
            text = visit.t("case.event.tried_" + ("temis" if tried.stage == "deliver" else "registry"))
        events.append(Event(tried.at_ms, text, "done" if tried.to_state == "delivered" else "info"))
    if found.ruling is not None:
        said = visit.t(f"case.event.{found.ruling.act}", by=found.ruling.actor)
        events.append(Event(found.ruling.at_ms, said, "info"))
    return tuple(sorted(events, key=lambda one: -one.at_ms))


PAGES = (
    Page(PATH, case, name="case", may="result.search", under="failures"),
    Act(PATH + "/recheck", check_again, name="case", may="case.recheck"),
    Act(PATH + "/reveal", show_numbers, name="case", may="case.reveal_number"),
    Act(PATH + "/rule", rule, name="case", may="case.adjudicate"),
    Act(PATH + "/allow", allow, name="case", may="account.allow_change"),
)
