"""An organiser sees the learners of its own courses as sent: no other course, no unit, nothing on file."""

import dataclasses

import pytest

from gateway.bdtx.scope import Viewer
from gateway.bdtx.units import Level, Unit
from gateway.model.clock import local_date
from gateway.model.errors import NotFound
from gateway.model.roles import RoleName
from gateway.stages.cases.sight import Desk
from gateway.stages.organised import LEARNERS, learners, organised
from tests.integration.by_hand import ROSTER, completion
from tests.integration.casework import A, casework

OURS, THEIRS = "khoa-1", "khoa-2"


@pytest.fixture
async def work(database_url, tmp_path, clock):
    async with casework(database_url, tmp_path, clock) as work:
        for code in ("DHSP", "DHGD"):
            await work.units(Unit(code, f"Đại học {code}", Level.ORGANISER))
        for n, course in ((1, OURS), (2, OURS), (3, THEIRS)):
            item = completion(n, code=course)
            item["course"]["courseName"] = f"Khóa {course}"
            if n == 2:
                item["user"] |= {"fullName": ROSTER[n].full_name, "birthday": "05/04/1985"}
            await work.send(item)
        await work.verify()
        acts = work.gateway.course_acts
        await acts.map("lan", "viettel", OURS, "GVPT03", organiser="DHSP")
        await acts.map("lan", "viettel", THEIRS, "GVPT04", organiser="DHGD")
        await work.verify()
        await work.follow()
        yield work


def seen_by(work, role=RoleName.ORGANISER, unit="DHSP"):
    g = work.gateway
    desk = Desk(g.db, g.clock, g.vault, g.blind, g.snapshots, g.accounts)
    return desk, Viewer("to.chuc", role, unit), local_date(work.clock.now_ms())


async def all_of(work, **who):
    desk, viewer, today = seen_by(work, **who)
    return await organised(desk, await work.register.current(), viewer, today)


async def one_of(work, course, **who):
    desk, viewer, today = seen_by(work, **who)
    return await learners(desk, await work.register.current(), viewer, today, "viettel", course)


async def test_only_its_own_courses(work):
    """By title, with results by state."""
    [course] = await all_of(work)
    assert (course.course.course_key, course.results) == (OURS, 2)
    assert dict(course.states) == {"verified": 1, "held": 1}


async def test_learners_as_sent_with_the_folded_reason(work):
    """As the LMS sent them, the number masked; the reason says no more than a vendor gets."""
    _, rows = await one_of(work, OURS)
    assert [row.full_name for row in rows] == [ROSTER[2].full_name, ROSTER[1].full_name]
    assert rows[0].birth_date.isoformat() == "1985-04-05"
    assert rows[0].reason == "attribute.birth_date_mismatch"
    told = str([dataclasses.asdict(row) for row in rows])
    assert ROSTER[2].sector_id not in told
    assert "1985-03-05" not in str(dataclasses.asdict(rows[0])), "the birth date on file"


@pytest.mark.parametrize("course", [THEIRS, "nix"])
async def test_anothers_course_is_not_there(work, course):
    """Whether it exists cannot be told."""
    with pytest.raises(NotFound):
        await one_of(work, course)


@pytest.mark.parametrize("role", [role for role in RoleName if role is not RoleName.ORGANISER])
async def test_no_other_role_has_courses_here(work, role):
    """Not even one whose unit has the organiser's code."""
    assert await all_of(work, role=role) == []
    assert await all_of(work, role=role, unit=A) == []


async def test_a_page_of_learners_walks_the_index(work):
    """A course of a hundred thousand learners opens as quickly as one of ten."""
    word = "EXPLAIN QUERY PLAN " if work.db.dialect == "sqlite" else "EXPLAIN "

    async def many(tx):
        await tx.run(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) "
            "INSERT INTO cases (delivery_id, vendor_id, received_at_ms, state, course_key) "
            "SELECT 100000 + i, 1, 0, 'held', 'K' || (i % 50) FROM n"
        )

    await work.db.write(many)
    async with work.db.engine.connect() as connection:
        await connection.exec_driver_sql("ANALYZE")
        await connection.commit()
    async with work.db.read() as tx:
        rows = await tx.rows(word + LEARNERS, course="K7", vendor=1, before=2**62, limit=50)
    assert "ix_cases_course_key" in "\n".join(str(row[-1]) for row in rows)
