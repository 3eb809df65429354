"""A file of people, from the upload to the result, on both engines against the sandbox's sector database."""

import io
import time
import zipfile

import pytest
from python_calamine import CalamineWorkbook

from gateway.bdtx.scope import Viewer
from gateway.bdtx.unit_store import save
from gateway.bdtx.units import Level, Unit
from gateway.bdtx.units_file import Plan
from gateway.model.errors import ConfigError, NotFound, Refused
from gateway.model.roles import ELSEWHERE, RoleName
from gateway.queue.job import JobState
from gateway.queue.job_worker import JobWorker
from gateway.queue.jobs import Jobs
from gateway.stages.file_check import work
from gateway.stages.file_check.reading import MAX_ROWS
from gateway.stages.file_check.work import KIND, FileCheckWork
from gateway.storage.audit import read_audit
from tests.integration.by_hand import ROSTER, by_hand, completion

HA = Viewer("ha", RoleName.UNIT_ADMIN, "31000717")
AWAY = Viewer("minh", RoleName.UNIT_ADMIN, "31000900")
LEASE = 60_000
HEAD = "STT;Họ và tên;Ngày sinh;Mã định danh\n"


def line(n: int, *, code: str | None = None, name: str | None = None, born: str = "05/03/1985") -> str:
    person = ROSTER[n]
    return f"{n};{name or person.full_name};{born};{code if code is not None else person.sector_id}\n"


def rows_of(content: bytes) -> list[list[object]]:
    book = CalamineWorkbook.from_filelike(io.BytesIO(content))
    return book.get_sheet_by_index(0).to_python()[2:]


@pytest.fixture
async def hand(database_url, tmp_path, clock):
    async with by_hand(database_url, tmp_path, clock) as hand:
        units = [
            Unit("31", "Sở GDĐT Hải Phòng", Level.DEPARTMENT),
            *(
                Unit(code, f"Trường {code}", Level.SCHOOL, "31", teaches=("THPT",))
                for code in ("31000717", "31000900")
            ),
        ]
        plan = Plan(new=units)
        await save(hand.db, clock, plan, actor="test", file="units.csv", content=b"")
        yield hand


async def add(hand, sector_id: str, person: dict[str, str]) -> None:
    """One more person in the sector database."""
    (await hand.http.put(f"/_control/registry/staff/{sector_id}", json=person)).raise_for_status()


def worker_of(hand) -> tuple[JobWorker, FileCheckWork]:
    g = hand.gateway
    return JobWorker(g.jobs, ()), FileCheckWork(g.jobs, g.clock, hand.pipeline.authority.file_judge, g.owners)


async def checked(hand, text: str, viewer: Viewer = HA, lang: str = "vi"):
    """Uploads, works, and gives the job and the result's rows."""
    job = await hand.gateway.file_checks.begin(viewer, text.encode(), "Danh sách.csv", lang)
    worker, what = worker_of(hand)
    assert await worker.once(what)
    job, _ = await hand.gateway.file_checks.one(viewer, job.id)
    assert job.state is JobState.DONE
    return job, rows_of(await hand.gateway.file_checks.file(viewer, job.id, "result"))


async def test_each_row_gets_the_judges_reason(hand):
    """Verified, not found, another name, a length, a duplicate: in the order of the file, all counted."""
    text = (
        HEAD
        + line(1)
        + line(2, code="3399999999")
        + line(3, name="Trần Văn Khác")
        + line(4, code="33")
        + line(1)
    )
    job, rows = await checked(hand, text)
    assert [row[4] for row in rows] == ["Đã xác thực", *["Cần xử lý"] * 3, "Trùng mã trong tệp"]
    assert job.summary == {
        "verified": 1,
        "registry.not_found": 1,
        "attribute.name_mismatch": 1,
        "format.length": 1,
        "duplicate": 1,
    }
    assert all(row[5] and row[6] for row in rows[1:])
    assert "Trường 31000717" in rows[2][7]
    assert (job.done, job.total) == (5, 5)


async def test_lost_zeros_are_found_and_told(hand):
    """A spreadsheet took the zero: the judge finds the person by it, and says that it was lost."""
    await add(hand, "0131000099", {"full_name": "Lê An", "birth_date": "1985-03-05", "unit_code": "31000717"})
    job, [row] = await checked(hand, HEAD + "1;Lê An;05/03/1985;131000099\n")
    assert job.summary == {"verified": 1}
    assert row[5]


async def test_of_a_stranger_nothing_is_said(hand):
    """Right or wrong, name and birth date of a person of another unit give one and the same answer."""
    text = HEAD + line(1) + line(2, name="Trần Văn Khác") + line(3, born="01/01/1990")
    _, rows = await checked(hand, text, AWAY)
    assert len({tuple(row[4:]) for row in rows}) == 1
    assert rows[0][5] == ELSEWHERE["vi"] + "."
    others, _ = await checked(hand, text, Viewer("so", RoleName.UNIT_ADMIN, "31"))
    assert others.summary["verified"] == 1


async def test_of_two_whom_nine_digits_mean_the_stranger_stays_one(hand):
    """One's own person under the same digits opens nobody else's file: not verified here, not for import."""
    stranger = {"full_name": "Lê An", "birth_date": "1985-03-05", "unit_code": "31000900"}
    own = {
        "full_name": "Vũ Bình",
        "birth_date": "1979-11-30",
        "unit_code": "31000717",
        "citizen_id": "131000098",
    }
    await add(hand, "0131000098", stranger)
    await add(hand, "3100000188", own)
    text = HEAD + "1;Lê An;05/03/1985;131000098\n"
    job, [row] = await checked(hand, text)
    assert job.summary == {"elsewhere": 1}
    assert row[5] == ELSEWHERE["vi"] + "."
    theirs, _ = await checked(hand, text, AWAY)
    assert theirs.summary == {"verified": 1}


async def test_a_slip_is_hinted_also_where_the_code_looks_like_a_phone(hand):
    """Codes of some provinces begin like mobile numbers: theirs are not found no less than others."""
    person = {"full_name": "Phạm Lan", "birth_date": "1990-01-02", "unit_code": "31000717"}
    await add(hand, "0800000019", person)
    job, [row] = await checked(hand, HEAD + "1;Phạm Lan;02/01/1990;0800000018\n")
    assert job.summary["format.looks_like_phone"] == 1
    assert "08••••••19" in row[5]


async def test_a_slip_is_hinted_only_within_ones_scope(hand):
    """The masked code of the person meant stands in the remedy of one's own staff, never of others."""
    await add(
        hand, "3100000177", {"full_name": "Phạm Lan", "birth_date": "1990-01-02", "unit_code": "31000717"}
    )
    text = HEAD + "1;Phạm Lan;02/01/1990;3100000178\n"
    _, [own] = await checked(hand, text)
    _, [other] = await checked(hand, text, AWAY)
    assert "•" in own[5] or "*" in own[5]
    assert len(own[5]) > len(other[5])
    assert "31000001" not in other[5] + other[6]


@pytest.mark.large
async def test_a_file_of_fifty_thousand_is_judged_whole(hand):
    """The largest file that is taken comes back with one result for each row, in the order of the file."""
    people = "".join(f"{n};Lê An {n};05/03/1985;31{n:08}\n" for n in range(MAX_ROWS))
    began = time.monotonic()
    job, rows = await checked(hand, HEAD + people)
    print(f"{MAX_ROWS} rows judged in {time.monotonic() - began:.0f} s")
    assert (job.done, job.total, sum(job.summary.values())) == (MAX_ROWS, MAX_ROWS, MAX_ROWS)
    assert [int(str(row[0])) for row in rows] == list(range(MAX_ROWS))


async def test_an_outage_is_no_result(hand, clock):
    """While the sector database is away the job waits; then it goes on, and nobody was `not found`."""
    await hand.faults({"target": "registry", "mode": "status", "status": 503})
    job = await hand.gateway.file_checks.begin(HA, (HEAD + line(1)).encode(), "f.csv", "vi")
    worker, what = worker_of(hand)
    assert await worker.once(what)
    waiting = await hand.gateway.jobs.find(job.id)
    assert (waiting.state, waiting.summary) == (JobState.WAITING, {})
    assert waiting.note.startswith("upstream.")
    await hand.faults()
    clock.advance(s=30)
    assert await worker.once(what)
    assert (await hand.gateway.jobs.find(job.id)).summary == {"verified": 1}


async def test_after_a_kill_the_rest_is_judged_and_nothing_twice(hand, clock, monkeypatch):
    """The process dies after the first part: the next one asks only about the rows that have no result."""
    monkeypatch.setattr(work, "AT_ONCE", 2)
    text = HEAD + "".join(line(n) for n in range(5))
    job = await hand.gateway.file_checks.begin(HA, text.encode(), "f.csv", "vi")
    judge, g = hand.pipeline.authority.file_judge, hand.gateway
    asked = []

    class Killed(BaseException):
        pass

    class Judge:
        async def judge(self, rows, *args, **options):
            asked.append([row.line for row in rows])
            if len(asked) == 2:
                raise Killed
            return await judge.judge(rows, *args, **options)

    dying = FileCheckWork(g.jobs, g.clock, Judge(), g.owners)
    with pytest.raises(Killed):
        await dying.run(await g.jobs.claim(KIND, LEASE))
    clock.advance(ms=LEASE)
    next_one = Jobs(g.db, clock, g.vault)
    claimed = await next_one.claim(KIND, LEASE)
    assert claimed.done == 2
    await FileCheckWork(next_one, g.clock, Judge(), g.owners).run(claimed)
    assert asked == [[2, 3], [4, 5], [4, 5], [6]]
    done, _ = await g.file_checks.one(HA, job.id)
    assert (done.state, done.done, done.summary) == (JobState.DONE, 5, {"verified": 5})
    assert len(rows_of(await g.file_checks.file(HA, job.id, "result"))) == 5


async def test_verified_people_without_a_temis_account_come_as_import_files(hand):
    """Known from what TEMIS said of their results; only of one's own people, and only those in the file."""
    for n in (1, 2):
        await hand.account(n, "missing")
    await hand.send(completion(1), completion(2), completion(3))
    await hand.verify()
    await hand.deliver()
    job, rows = await checked(hand, HEAD + line(1) + line(3))
    assert job.summary == {"verified": 2, "accounts": 1}
    assert "TEMIS" in rows[0][5]
    packed = zipfile.ZipFile(io.BytesIO(await hand.gateway.file_checks.file(HA, job.id, "accounts")))
    [name] = packed.namelist()
    [_, person] = (
        CalamineWorkbook.from_filelike(io.BytesIO(packed.read(name))).get_sheet_by_index(0).to_python()
    )
    assert (person[0], person[2], person[8]) == (ROSTER[1].full_name, "05/03/1985", "31000717")


async def test_files_are_their_owners_alone(hand):
    """Another user, and the same one in another unit by now, find nothing; each download is in the audit."""
    job, _ = await checked(hand, HEAD + line(1))
    for other in (AWAY, Viewer("so", RoleName.UNIT_ADMIN, "31"), Viewer("ha", RoleName.UNIT_ADMIN, "31000900")):
        with pytest.raises(NotFound):
            await hand.gateway.file_checks.file(other, job.id, "result")
    with pytest.raises(NotFound):
        await hand.gateway.file_checks.file(HA, job.id, "file")
    acts = [(act.actor, act.act) for act in await read_audit(hand.db) if act.actor == "ha"]
    assert acts == [("ha", "people.check"), ("ha", "export")]


async def test_uploads_are_limited_by_role_number_and_form(hand):
    """A viewer may not, a fourth at once must wait, and what is no such file makes no job."""
    text = (HEAD + line(1)).encode()
    with pytest.raises(Refused):
        await hand.gateway.file_checks.begin(Viewer("v", RoleName.VIEWER, "31000717"), text, "f", "vi")
    with pytest.raises(ConfigError):
        await hand.gateway.file_checks.begin(HA, b"Ho ten\nA\n", "f", "vi")
    for _ in range(3):
        await hand.gateway.file_checks.begin(HA, text, "f", "vi")
    with pytest.raises(Refused) as refused:
        await hand.gateway.file_checks.begin(HA, text, "f", "vi")
    assert refused.value.code == "check.too_many"


async def test_nothing_of_a_person_lies_open_in_the_database(hand):
    """Upload, parts and result are sealed; the job's row has counts only."""
    await checked(hand, HEAD + line(1))
    rows = [
        *await hand.rows("SELECT * FROM jobs"),
        *await hand.rows("SELECT * FROM job_parts"),
        *await hand.rows("SELECT * FROM audit"),
    ]
    stored = b"".join(
        bytes(cell) if isinstance(cell, bytes) else str(cell).encode() for row in rows for cell in row
    )
    for value in (ROSTER[1].sector_id, ROSTER[1].full_name, "Danh sách.csv"):
        assert value.encode() not in stored
