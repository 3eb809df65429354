"""The job `people.check`: an uploaded file, judged some rows at a time; each part stands once it is written."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence

import orjson

from gateway.bdtx.scope import Viewer
from gateway.model.clock import Clock
from gateway.model.errors import ConfigError, NotFound, Refused
from gateway.model.roles import RoleName, may
from gateway.model.texts import Lang
from gateway.queue.job import Job, JobState
from gateway.queue.jobs import Jobs
from gateway.stages.file_check.judging import FileJudge, RowResult, with_duplicates
from gateway.stages.file_check.reading import PeopleFile, read_people
from gateway.stages.file_check.result import counted, write_accounts, write_result
from gateway.stages.owners import Owners
from gateway.storage.audit import append
from gateway.storage.engine import Database, Tx

KIND = "people.check"
AT_ONCE = 200  # rows of one step: two calls to the sector database
OPEN_JOBS = 3  # of one user at the same time


class FileChecks:
    """Takes files in and gives results out. One instance per process."""

    def __init__(self, db: Database, jobs: Jobs, clock: Clock, *, keep_days: int) -> None:
        self._db = db
        self.keep_days = keep_days
        self._jobs = jobs
        self._clock = clock

    async def begin(self, viewer: Viewer, content: bytes, name: str, lang: Lang) -> Job:
        """Keeps the file for a worker. Raises: FileRefused; Refused by role or number."""
        if not may(viewer.role, "bulk.check"):
            raise Refused("this role does not check files", "forbidden")
        if await self._jobs.open_of(viewer.login, KIND) >= OPEN_JOBS:
            raise Refused(f"{OPEN_JOBS} files of yours are being checked", "check.too_many")
        people = await asyncio.to_thread(read_people, content, "file")

        async def note(tx: Tx) -> None:
            await append(tx, self._clock.now_ms(), viewer.login, KIND, "file", rows=len(people.rows))

        return await self._jobs.add(
            KIND,
            viewer.login,
            unit_code=viewer.unit_code,
            params={"role": viewer.role.value, "lang": lang, "passed_over": dict(people.passed_over)},
            blobs={"name": name[:200].encode(), "file": content},
            total=len(people.rows),
            also=note,
        )

    async def of(self, viewer: Viewer, *, before: int | None = None) -> list[tuple[Job, str]]:
        """The viewer's own checks, newest first, each with the name of its file."""
        jobs = await self._jobs.of(viewer.login, KIND, before=before)
        names = await self._jobs.labels([job.id for job in jobs], "name")
        return [(job, _text(names.get(job.id))) for job in jobs]

    async def one(self, viewer: Viewer, job_id: int) -> tuple[Job, str]:
        """Raises: NotFound, also for another's."""
        job = await self._jobs.find(job_id)
        if job.kind != KIND or job.owner != viewer.login:
            raise NotFound("there is no such check")
        names = await self._jobs.labels([job.id], "name")
        return job, _text(names.get(job.id))

    async def file(self, viewer: Viewer, job_id: int, part: str) -> bytes:
        """`result` (.xlsx) or `accounts` (.zip); audited. Raises: NotFound, also once it is deleted."""
        job, _ = await self.one(viewer, job_id)
        if part not in ("result", "accounts") or job.state is not JobState.DONE:
            raise NotFound("there is no such file")
        pieces = await self._jobs.parts(job.id, part)
        if not pieces or job.unit_code != viewer.unit_code or not may(viewer.role, "bulk.check"):
            raise NotFound("there is no such file")
        detail = {"job": job.id, "part": part, "rows": job.total}
        await self._db.write(
            lambda tx: append(tx, self._clock.now_ms(), viewer.login, "export", KIND, **detail)
        )
        return b"".join(pieces)

    async def cancel(self, viewer: Viewer, job_id: int) -> bool:
        """Raises: NotFound."""
        job, _ = await self.one(viewer, job_id)
        return await self._jobs.cancel(job.id)


class FileCheckWork:
    """What a worker does with such a job (queue/job_worker.py)."""

    kind = KIND

    def __init__(self, jobs: Jobs, clock: Clock, judge: FileJudge, owners: Owners) -> None:
        self._jobs = jobs
        self._clock = clock
        self._judge = judge
        self._owners = owners

    async def run(self, job: Job) -> None:
        """Goes on with the first row that has no result. Raises: UpstreamError while the registry is away."""
        content = b"".join(await self._jobs.parts(job.id, "file"))
        try:
            people = await asyncio.to_thread(read_people, content, "file")
        except ConfigError:  # it was read when it came in: the reader has changed since
            await self._jobs.finish(job, JobState.FAILED, "check.unreadable")
            return
        viewer = Viewer(job.owner, RoleName(job.params["role"]), job.unit_code)
        counts = Counter(job.summary)
        start = job.done
        async for results in judged(
            people, self._judge, self._owners, viewer, start, not_before_ms=job.created_at_ms
        ):
            counts += counted(results)
            part = orjson.dumps([result.to_json() for result in results])
            done = job.done + len(results)
            job = await self._jobs.step(job, done, summary=counts, parts=[("rows", job.done, part)])
        await self._write(job, people)

    async def _write(self, job: Job, people: PeopleFile) -> None:
        lang: Lang = "en" if job.params["lang"] == "en" else "vi"
        parts = await self._jobs.parts(job.id, "rows")
        results = [RowResult.from_json(one) for part in parts for one in orjson.loads(part)]
        accounts = [result.account for result in results if result.account is not None]
        now = self._clock.now_ms()
        await self._jobs.keep(job, "result", await asyncio.to_thread(write_result, people, results, lang, now))
        packed = await asyncio.to_thread(write_accounts, accounts, lang)
        if packed is not None:
            await self._jobs.keep(job, "accounts", packed)
            job = await self._jobs.step(job, job.done, summary={**job.summary, "accounts": len(accounts)})
        await self._jobs.finish(job)


async def judged(
    people: PeopleFile,
    judge: FileJudge,
    owners: Owners,
    viewer: Viewer | None,
    start: int = 0,
    *,
    not_before_ms: int,
) -> AsyncIterator[Sequence[RowResult]]:
    """Results from row `start` on, AT_ONCE at a time. Raises: UpstreamError."""
    asked = with_duplicates([(row.line, row.claim) for row in people.rows])
    while start < len(asked):
        naming = await owners.today()
        yield await judge.judge(asked[start : start + AT_ONCE], viewer, naming, not_before_ms=not_before_ms)
        start += AT_ONCE


def _text(name: bytes | None) -> str:
    """Of a file; empty once it is deleted."""
    return (name or b"").decode("utf-8", "replace")
