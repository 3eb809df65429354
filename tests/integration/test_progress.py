"""Progress by unit on both engines: every person once, every unit below, never a unit that is not one's own."""

import io

import pytest
from python_calamine import CalamineWorkbook

from gateway.model.clock import local_date
from gateway.model.roles import RoleName
from gateway.stages.cases import failures
from gateway.stages.cases.sight import Desk, Sight
from gateway.stages.progress.counting import FOUND, OPEN, Count
from gateway.stages.progress.headcounts import Headcounts, read_headcounts
from gateway.stages.progress.tree import FRESH_MS, Progresses
from gateway.stages.progress.written import digest, list_upwards, table
from gateway.storage.audit import read_audit
from tests.integration.by_hand import ROSTER, completion
from tests.integration.casework import FAR, THPT, A, B, casework, viewer


@pytest.fixture
async def work(database_url, tmp_path, clock):
    async with casework(database_url, tmp_path, clock) as work:
        yield work


async def sight_of(work, unit, role=RoleName.UNIT_ADMIN) -> Sight:
    return Sight(await work.register.current(), viewer(unit, role), local_date(work.clock.now_ms()))


async def progress_of(work, unit, below=None, role=RoleName.UNIT_ADMIN):
    return await Progresses(work.db, work.clock, Headcounts(work.db, work.clock)).of(
        await sight_of(work, unit, role), below
    )


async def some(work) -> None:
    """A: 1 and 2 verified, 2 by two events; 3 has no code, 4 another name. B and THPT: an unknown code each."""

    def at(item, school, **user):
        return item | {"user": item["user"] | {"schoolCode": school} | user}

    await work.send(
        completion(1),
        completion(2),
        completion(2, event="again", code="GVPT 04"),
        at(completion(3), A, sectorCode=""),
        at(completion(4), A, fullName="Trần Văn Khác"),
        at(completion(5), B, sectorCode="3199999999"),
        at(completion(6), THPT, sectorCode="3199999998"),
    )
    await work.verify()
    await work.follow()


async def test_each_person_counts_once_whatever_was_sent(work):
    """Two results of one teacher are one teacher; without a code, not found and another name stand apart."""
    await some(work)
    found = await progress_of(work, A)
    [line] = found.lines
    assert (line.count.people, line.count.verified, line.count.no_code, line.count.to_do) == (4, 2, 1, 2)
    assert found.total == line.count
    assert sum(found.total.held.values()) == found.total.to_do


async def test_a_department_sees_communes_and_its_own_schools(work):
    """Drill-down: the next level only, units without anybody too, and the sums agree."""
    await some(work)
    found = await progress_of(work, "31")
    assert [(line.code, line.level, line.count.people, line.is_open) for line in found.lines] == [
        ("31001", "commune", 5, True),
        ("31002", "commune", 0, True),
        (THPT, "school", 1, False),
    ]
    assert (found.total.people, found.total.verified, found.twice) == (6, 2, 0)
    below = await progress_of(work, "31", "31001")
    assert {line.code: line.count.people for line in below.lines} == {A: 4, B: 1}
    assert [step.code for step in below.path] == ["31", "31001"]


async def test_the_ministry_and_operators_see_departments(work):
    """From the top, down to one school."""
    await some(work)
    for unit, role in (("BGDDT", RoleName.UNIT_ADMIN), (None, RoleName.OPERATOR)):
        found = await progress_of(work, unit, role=role)
        assert {line.code: line.count.people for line in found.lines} == {"31": 6, "33": 0}
        assert (await progress_of(work, unit, A, role=role)).total.people == 4


@pytest.mark.parametrize(
    ("own", "asked"), [(A, B), (A, "31001"), (A, "31"), ("31001", FAR), ("33", A), (A, "nix")]
)
async def test_nobody_sees_a_unit_beside_or_above(work, own, asked):
    """Another school, the commune above, another province, and what is no unit: all the same, nothing."""
    await some(work)
    assert await progress_of(work, own, asked) is None


async def test_roles_without_units_see_no_progress_by_unit(work):
    """Vendors and organisers have no units, auditors no cases."""
    for role in (RoleName.VENDOR, RoleName.ORGANISER, RoleName.AUDITOR):
        assert await progress_of(work, None, role=role) is None


async def test_what_waits_for_a_course_is_a_verified_person(work):
    """Nobody has to act on the person; the course is what is missing."""
    await work.send(completion(7, code="khoa-la"))
    await work.verify()
    await work.follow()
    assert (await progress_of(work, A)).total == Count(people=1, verified=1, held={})


async def test_one_found_by_another_result_is_not_counted_twice(work):
    """Verified by one course, held in another for the name sent there: one person, verified."""
    item = completion(1, event="other", code="GVPT 04")
    item["user"]["fullName"] = "Trần Văn Khác"
    await work.send(completion(1), item)
    await work.verify()
    await work.follow()
    assert (await progress_of(work, A)).total == Count(people=1, verified=1)


async def test_figures_are_kept_for_half_a_minute(work):
    """Everybody who looks at the same unit shares one count."""
    progresses = Progresses(work.db, work.clock, Headcounts(work.db, work.clock))
    sight = await sight_of(work, A)
    assert (await progresses.of(sight)).total.people == 0
    await some(work)
    again = await progresses.of(sight)
    assert again.total.people == (0 if work.clock.now_ms() - again.counted_at_ms < FRESH_MS else 4)
    work.clock.advance(ms=FRESH_MS)
    assert (await progresses.of(sight)).total.people == 4


async def test_the_digest_names_units_and_no_person(work):
    """Figures, causes with their next step; nothing of anybody, in either language."""
    await some(work)
    found = await progress_of(work, "31001")
    for lang in ("vi", "en"):
        text = digest(found, lang)
        assert "40 %" in text
        assert "THCS Chu Văn An" in text
        for person in ROSTER[:8]:
            assert person.full_name not in text
            assert person.sector_id not in text


async def test_the_table_adds_up_over_its_own_lines(work):
    """A line for each unit, a total, the percent as a number, and the denominator in words above."""
    await some(work)
    found = await progress_of(work, "31001")
    rows = CalamineWorkbook.from_filelike(io.BytesIO(table(found, "vi"))).get_sheet_by_index(0).to_python()
    assert "đã xác thực / số người có kết quả" in rows[1][0]
    head, *lines, total = rows[3:]
    place = {name: n for n, name in enumerate(head)}
    for name in ("Số người có kết quả", "Đã xác thực", "Cần xử lý", "Chưa có mã"):
        assert sum(line[place[name]] for line in lines) == total[place[name]]
    assert total[place["Tỉ lệ (%)"]] == 40


async def test_the_list_upwards_shows_ones_own_masked(work):
    """Names as sent and masked numbers, of the viewer's own people only."""
    await some(work)
    sight = await sight_of(work, B)
    g = work.gateway
    desk = Desk(g.db, g.clock, g.vault, g.blind, g.snapshots, g.accounts)
    desk_lines = await failures.lines(desk, sight, sight.limit, "registry.not_found")
    content = list_upwards(desk_lines, sight, "vi", work.clock.now_ms())
    rows = CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0).to_python()[2:]
    assert [row[2] for row in rows] == [ROSTER[5].full_name]
    assert "3199999999" not in str(rows)


async def test_counting_a_school_reads_its_own_cases_only(work):
    """A school's figures do not scan the province."""
    word = "EXPLAIN QUERY PLAN " if work.db.dialect == "sqlite" else "EXPLAIN "

    async def many(tx):
        await tx.run(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) "
            "INSERT INTO cases (delivery_id, vendor_id, received_at_ms, state, school_code, person_id) "
            "SELECT 100000 + i, 1, 0, 'delivered', 'S' || (i % 500), i FROM n"
        )

    await work.db.write(many)
    async with work.db.engine.connect() as connection:
        await connection.exec_driver_sql("ANALYZE")
        await connection.commit()
    for sql, prefix in ((FOUND, ""), (OPEN, "c.")):
        asked = word + sql.format(group="school_code", where=f"{prefix}school_code = :scope AND")
        async with work.db.read() as tx:
            told = "\n".join(str(row[-1]) for row in await tx.rows(asked, scope="S7"))
        assert "ix_cases_school" in told or "ix_cases_open_school" in told


async def test_an_uploaded_list_is_the_denominator(work):
    """A department's numbers for its schools: a commune has their sum; other provinces' are left out."""
    await some(work)
    text = f"Mã trường;Số giáo viên\n{A};8\n{B};2\n33000717;50\nnix;3\n{THPT};\n"
    counts, left_out = read_headcounts(text.encode(), "f.csv")
    taken = await Headcounts(work.db, work.clock).take(await sight_of(work, "31"), counts, left_out)
    assert (taken.units, taken.people, taken.left_out) == (2, 10, 3)
    found = await progress_of(work, "31")
    assert {line.code: line.expected for line in found.lines} == {"31001": 10, "31002": None, THPT: None}
    assert found.expected is None, "the people of one school are on no list"
    commune = await progress_of(work, "31001")
    assert (commune.expected, commune.base, commune.total.people) == (10, 10, 5)
    assert "20 %" in digest(commune, "vi")
    rows = CalamineWorkbook.from_filelike(io.BytesIO(table(commune, "vi"))).get_sheet_by_index(0).to_python()
    assert rows[-1][2:6] == [10, 5, 2, 20]
    assert [act.act for act in await read_audit(work.db)][-1] == "progress.headcounts"


async def test_rows_of_people_are_counted_where_there_is_no_number(work):
    """A list of staff does as well: nothing of it but the count is kept."""
    text = f"Họ tên;Mã trường\nLê An;{A}\nLê Bê;{A}\n"
    counts, left_out = read_headcounts(text.encode(), "f.csv")
    assert (counts, left_out) == ({A: 2}, 0)
    await Headcounts(work.db, work.clock).take(await sight_of(work, A), counts, left_out)
    assert (await progress_of(work, A)).expected == 2
    assert "Lê" not in str(await work.rows("SELECT * FROM headcounts"))
