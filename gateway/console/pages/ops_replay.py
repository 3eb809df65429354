"""Replays for operators: choose, see the plan, run with a canary, watch, pause, cancel."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.console.page import HOME, Act, Go, Page, Shown, Visit, whole_number
from gateway.model.clock import ICT
from gateway.model.course_number import course_number
from gateway.model.errors import NotFound
from gateway.queue import replays
from gateway.queue.job import Job
from gateway.queue.replays import Fared
from gateway.queue.selection import MOST_IDS, REPLAYABLE, Selection
from gateway.stages.replay import DEFAULT_CANARY, DEFAULT_RATE_PER_S, DEFAULT_STOP_PERCENT, Options
from gateway.storage.audit import append

PATH = HOME + "/ops/replay"
MAY = "queue.operate"
_FIELDS = ("cause", "state", "reason", "vendor", "course", "unit", "since", "until", "text", "ids", "again")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What would become of some of a sample."""

    code: str
    told: str
    n: int


@dataclass(frozen=True, slots=True)
class Group:
    """One part of a plan."""

    state: str | None
    reason: str | None
    told: str
    n: int
    sampled: int
    forecast: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class Shot:
    """One replay, as it stands now."""

    id: int
    state: str
    phase: str
    by: str
    done: int
    total: int
    delivered: int
    failed: int
    voided: int
    pending: int
    reasons: tuple[Outcome, ...]
    created_at_ms: int
    finished_at_ms: int | None
    stopped: bool
    is_open: bool
    is_paused: bool
    canary: int
    stop_percent: int
    rate_per_s: float


@dataclass(frozen=True, slots=True)
class Replays:
    """The form, and the replays so far."""

    vendors: tuple[str, ...]
    sent: dict[str, str]
    wrong: str | None
    replays: tuple[Shot, ...]
    older: int | None


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, to be run or left."""

    sent: dict[str, str]
    total: int
    groups: tuple[Group, ...]
    drain_s: float
    delivered_per_s: float | None
    canary: int
    stop_percent: int
    rate_per_s: float


async def overview(visit: Visit) -> Replays:
    return await _overview(visit, {name: visit.asked(name) for name in _FIELDS if name != "ids"}, None)


async def plan(visit: Visit) -> object:
    """Nothing is changed and nobody is asked: it is a POST for its ids, which may be many."""
    sent = await _sent(visit)
    try:
        wanted = await _selection(visit, sent)
    except _Wrong as wrong:
        return Shown(await _overview(visit, sent, wrong.code), status=422, template="ops_replay.html")
    verify_again = sent["again"] == "verify"
    found = await visit.parts.planner.plan(wanted, verify_again=verify_again, rate_per_s=DEFAULT_RATE_PER_S)
    groups = tuple(
        Group(
            group.part.state,
            group.part.reason,
            _what(visit, group.part.reason, group.part.cause_id),
            group.part.n,
            group.sampled,
            tuple(Outcome(code, _forecast(visit, code), n) for code, n in group.forecast.items()),
        )
        for group in found.groups
    )
    view = Planned(
        sent,
        found.total,
        groups,
        found.drain_s,
        found.delivered_per_s,
        DEFAULT_CANARY,
        DEFAULT_STOP_PERCENT,
        DEFAULT_RATE_PER_S,
    )
    return Shown(view, template="ops_replay_plan.html")


async def run(visit: Visit) -> object:
    sent = await _sent(visit)
    try:
        wanted = await _selection(visit, sent)
        options = Options(
            sent["again"] == "verify",
            await _number(visit, "canary", DEFAULT_CANARY, 0, 1_000),
            await _number(visit, "stop_percent", DEFAULT_STOP_PERCENT, 0, 100),
            await _number(visit, "rate_per_s", int(DEFAULT_RATE_PER_S), 1, 100_000),
        )
    except _Wrong as wrong:
        return Shown(await _overview(visit, sent, wrong.code), status=422, template="ops_replay.html")
    job = await visit.parts.replaying.begin(wanted, options, visit.user.login)
    return Go(f"{PATH}/{job.id}").saying("ops_replay.begun", n=job.total or 0)


async def one(visit: Visit) -> Shown:
    return Shown(await _shot(visit, await _job(visit)), template="ops_replay_one.html")


async def pause(visit: Visit) -> Go:
    job = await _job(visit)
    done = not job.is_over and await replays.pause(visit.parts.db, visit.parts.clock, job.id, visit.user.login)
    return _after(job, "ops_replay.paused" if done else "ops_replay.over", done)


async def resume(visit: Visit) -> Go:
    job = await _job(visit)
    done = await replays.resume(visit.parts.db, visit.parts.clock, job.id, visit.user.login)
    return _after(job, "ops_replay.resumed" if done else "ops_replay.over", done)


async def cancel(visit: Visit) -> Go:
    job, by, now = await _job(visit), visit.user.login, visit.now_ms
    about = f"job:{job.id}"
    done = await visit.parts.jobs.cancel(job.id, lambda tx: append(tx, now, by, "replay.cancel", about))
    return _after(job, "ops_replay.cancelled" if done else "ops_replay.over", done)


def _after(job: Job, key: str, done: bool) -> Go:
    return Go(f"{PATH}/{job.id}").saying(key, "done" if done else "info")


async def _overview(visit: Visit, sent: dict[str, str], wrong: str | None) -> Replays:
    jobs = await replays.latest(visit.parts.db, before=visit.number("after"), limit=20)
    return Replays(
        tuple(vendor.name for vendor in await visit.parts.vendors.all()),
        {name: sent.get(name, "") for name in _FIELDS},
        wrong,
        tuple([await _shot(visit, job) for job in jobs]),
        jobs[-1].id if len(jobs) == 20 else None,
    )


async def _job(visit: Visit) -> Job:
    job = await visit.parts.jobs.find(visit.number("id") or 0)
    if job.kind != replays.KIND:
        raise NotFound("there is no such replay")
    return job


async def _shot(visit: Visit, job: Job) -> Shot:
    if job.is_over and "delivered" in job.summary and visit.number("id") is None:
        counts: dict[str, Any] = dict(job.summary)
        seen = Fared(counts["delivered"], counts["failed"], counts["voided"], counts["pending"], {})
    else:
        seen = await replays.fared(visit.parts.db, job.id)
    is_paused = not job.is_over and await replays.paused_by(visit.parts.db, job.id) is not None
    phase = "paused" if is_paused else str(job.summary.get("phase", job.state.value))
    return Shot(
        id=job.id,
        state=job.state.value,
        phase=phase,
        by=job.owner,
        done=job.done,
        total=job.total or 0,
        delivered=seen.delivered,
        failed=seen.failed,
        voided=seen.voided,
        pending=seen.pending,
        reasons=tuple(Outcome(code, _by(visit, code), n) for code, n in seen.by.items()),
        created_at_ms=job.created_at_ms,
        finished_at_ms=job.finished_at_ms,
        stopped=job.note == "replay.too_many_failed",
        is_open=not job.is_over,
        is_paused=is_paused,
        canary=int(job.params.get("canary", 0)),
        stop_percent=int(job.params.get("stop_percent", 0)),
        rate_per_s=float(job.params.get("rate_per_s", 0)),
    )


class _Wrong(Exception):
    """What was asked for makes no sense; `code` is a text of the page."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


async def _sent(visit: Visit) -> dict[str, str]:
    form = await visit.request.post()
    sent = {name: await visit.field(name) for name in _FIELDS}
    sent["ids"] = " ".join(one for one in form.getall("ids", []) if isinstance(one, str))
    return sent


async def _selection(visit: Visit, sent: dict[str, str]) -> Selection:
    """Raises: _Wrong. Nobody replays everything by leaving a field empty."""
    words = sent["ids"].replace(",", " ").split()
    ids = {_id(word) for word in words}
    if len(words) > MOST_IDS:
        raise _Wrong("many_ids")
    if not any(value for name, value in sent.items() if name != "again"):
        raise _Wrong("nothing")
    if sent["state"] and sent["state"] not in REPLAYABLE:
        raise _Wrong("nothing")
    vendor = await visit.parts.vendors.find(sent["vendor"])
    if sent["vendor"] and vendor is None:
        raise _Wrong("no_vendor")
    if sent["course"] and vendor is None:
        raise _Wrong("course_of_whom")
    return Selection(
        ids=tuple(sorted(ids)),
        cause_id=_id(sent["cause"]) if sent["cause"] else None,
        state=sent["state"] or None,
        reason=sent["reason"] or None,
        vendor_id=vendor.id if vendor else None,
        unit_code=sent["unit"] or None,
        course=course_number(vendor.id, sent["course"]) if vendor and sent["course"] else None,
        since_ms=_midnight(sent["since"]),
        until_ms=_midnight(sent["until"]),
        text=sent["text"] or None,
    )


def _id(text: str) -> int:
    found = whole_number(text)
    if found is None:
        raise _Wrong("bad_ids")
    return found


def _midnight(text: str) -> int | None:
    """A day as a date field sends it."""
    if not text:
        return None
    try:
        return int(datetime.fromisoformat(text).replace(tzinfo=ICT).timestamp() * 1000)
    except ValueError:
        raise _Wrong("bad_day") from None


async def _number(visit: Visit, name: str, default: int, least: int, most: int) -> int:
    text = await visit.field(name)
    if not text:
        return default
    number = whole_number(text)
    if number is None or not least <= number <= most:
        raise _Wrong("bad_number")
    return number


def _what(visit: Visit, reason: str | None, cause_id: int | None) -> str:
    if reason is not None:
        return visit.reason(reason) or reason
    return visit.t("ops_replay.cause_n", id=cause_id) if cause_id else visit.t("ops_replay.named")


def _forecast(visit: Visit, code: str) -> str:
    if code in ("sends", "unknown"):
        return visit.t(f"ops_replay.forecast.{code}")
    return visit.reason(code) or code


def _by(visit: Visit, code: str) -> str:
    """`held registry.not_found` -> words."""
    return visit.reason(code.partition(" ")[2]) or visit.t("ops_replay.on_the_way")


PAGES = (
    Page(PATH, overview, name="ops_replay", may=MAY, nav=63),
    Page(PATH + r"/{id:\d+}", one, name="ops_replay", may=MAY),
    Act(PATH + "/plan", plan, name="ops_replay", may=MAY),
    Act(PATH, run, name="ops_replay", may=MAY),
    Act(PATH + r"/{id:\d+}/pause", pause, name="ops_replay", may=MAY),
    Act(PATH + r"/{id:\d+}/resume", resume, name="ops_replay", may=MAY),
    Act(PATH + r"/{id:\d+}/cancel", cancel, name="ops_replay", may=MAY),
)
