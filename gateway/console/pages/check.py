"""Bulk check: a file of people goes in, a worker judges it, its rows come back with reasons and remedies."""

from dataclasses import dataclass

from aiohttp import web

from gateway.console.files import file_answer
from gateway.console.page import HOME, Act, Go, Page, Shown, Visit
from gateway.model.clock import iso
from gateway.model.errors import Refused
from gateway.queue.job import Job, JobState
from gateway.stages.file_check.reading import MAX_BYTES, MAX_ROWS, FileRefused
from gateway.stages.file_check.result import label

PATH = HOME + "/check"
_FORM_BYTES = 64 * 1024  # around the file
_ENDINGS = {"result": "xlsx", "accounts": "zip"}


@dataclass(frozen=True, slots=True)
class Counted:
    """One kind of result and how many rows have it."""

    code: str
    text: str
    rows: int


@dataclass(frozen=True, slots=True)
class Check:
    """One upload of the viewer's own."""

    id: int
    file: str
    state: str
    done: int
    total: int
    counts: tuple[Counted, ...]
    to_do: int  # rows that need work
    accounts: int  # verified people without a TEMIS account
    is_waiting: bool  # the sector database does not answer just now
    has_files: bool
    created_at_ms: int
    finished_at_ms: int | None


@dataclass(frozen=True, slots=True)
class Checks:
    """The upload form, and what was uploaded before."""

    checks: tuple[Check, ...]
    older: int | None
    wrong: str | None
    max_rows: int
    max_mib: int
    keep_days: int


@dataclass(frozen=True, slots=True)
class OneCheck:
    """One upload, while it runs and afterwards."""

    check: Check
    keep_days: int


async def checks(visit: Visit) -> Checks:
    return await _checks(visit, None)


async def _checks(visit: Visit, wrong: str | None) -> Checks:
    found = await visit.parts.file_checks.of(visit.viewer, before=visit.number("after"))
    return Checks(
        tuple(_check(visit, job, name) for job, name in found),
        found[-1][0].id if len(found) == 20 else None,
        wrong,
        MAX_ROWS,
        MAX_BYTES // 1024 // 1024,
        visit.parts.file_checks.keep_days,
    )


async def upload(visit: Visit) -> object:
    sent = (await visit.form()).get("file")
    if not isinstance(sent, web.FileField) or not sent.filename:
        return Shown(await _checks(visit, "missing"), status=422)
    content = sent.file.read()
    try:
        job = await visit.parts.file_checks.begin(visit.viewer, content, sent.filename, visit.lang)
    except FileRefused as refused:
        return Shown(await _checks(visit, refused.fault), status=422)
    except Refused as refused:
        if refused.code != "check.too_many":
            raise
        return Shown(await _checks(visit, "too_many"), status=409)
    return Go(f"{PATH}/{job.id}").saying("check.taken", n=job.total or 0)


async def one(visit: Visit) -> Shown:
    job, name = await visit.parts.file_checks.one(visit.viewer, visit.number("id") or 0)
    view = OneCheck(_check(visit, job, name), visit.parts.file_checks.keep_days)
    return Shown(view, template="check_one.html")


async def cancel(visit: Visit) -> Go:
    job_id = visit.number("id") or 0
    if await visit.parts.file_checks.cancel(visit.viewer, job_id):
        return Go(f"{PATH}/{job_id}").saying("check.cancelled")
    return Go(f"{PATH}/{job_id}").saying("check.over", kind="info")


async def download(visit: Visit) -> web.Response:
    part = visit.request.match_info["part"]
    job_id = visit.number("id") or 0
    content = await visit.parts.file_checks.file(visit.viewer, job_id, part)
    ending = _ENDINGS[part]
    name = f"{visit.t('check.file.' + part)} {iso(visit.now_ms)[:10]} {job_id}.{ending}"
    return file_answer(content, f"check-{job_id}-{part}.{ending}", name)


def _check(visit: Visit, job: Job, name: str) -> Check:
    counts = {code: n for code, n in job.summary.items() if code != "accounts"}
    most_first = sorted(counts.items(), key=lambda item: (item[0] != "verified", -item[1]))
    return Check(
        id=job.id,
        file=name or visit.t("check.deleted"),
        state=job.state.value,
        done=job.done,
        total=job.total or 0,
        counts=tuple(Counted(code, label(code, visit.lang), n) for code, n in most_first),
        to_do=sum(counts.values()) - counts.get("verified", 0),
        accounts=job.summary.get("accounts", 0),
        is_waiting=job.state is JobState.WAITING and (job.note or "").startswith("upstream."),
        has_files=job.state is JobState.DONE and job.cleared_at_ms is None,
        created_at_ms=job.created_at_ms,
        finished_at_ms=job.finished_at_ms,
    )


PAGES = (
    Page(PATH, checks, name="check", may="bulk.check", nav=40),
    Page(PATH + r"/{id:\d+}", one, name="check", may="bulk.check"),
    Page(PATH + r"/{id:\d+}/{part:result|accounts}", download, name="check", may="bulk.check"),
    Act(PATH, upload, name="check", may="bulk.check", max_body_bytes=MAX_BYTES + _FORM_BYTES),
    Act(PATH + r"/{id:\d+}/cancel", cancel, name="check", may="bulk.check"),
)
