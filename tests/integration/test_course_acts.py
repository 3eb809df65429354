"""Mapping a course: audited in the same transaction, everything that waits goes on, organisers are units."""

import pytest

from gateway.bdtx.units import Level, Unit
from gateway.model.errors import NotFound
from gateway.stages.course_acts import likely
from gateway.storage.audit import read_audit
from tests.integration.by_hand import completion
from tests.integration.casework import casework

COURSE = "khoa-99"


@pytest.fixture
async def work(database_url, tmp_path, clock):
    async with casework(database_url, tmp_path, clock) as work:
        await work.units(Unit("DHSP", "Đại học Sư phạm", Level.ORGANISER))
        item = completion(1)
        item["course"] |= {"courseId": COURSE, "courseCode": "K-99", "courseName": "Bồi dưỡng GVPT 3 năm 2026"}
        await work.send(item)
        await work.verify()
        yield work


async def test_an_unmapped_course_comes_first_with_what_waits(work):
    """The list says how many results wait and which module it may be, with the reason."""
    [first, *_] = await work.gateway.course_acts.seen()
    assert (first.vendor, first.course.course_key, first.waiting) == ("viettel", COURSE, 1)
    [guess, *_] = likely(first.course, [], "vi")
    assert guess.code == "GVPT03"
    assert guess.why


async def test_confirming_wakes_all_and_leaves_a_trace(work):
    """One act: the mapping, its audit row, and the results that waited go on."""
    acts = work.gateway.course_acts
    course, woken = await acts.map("lan", "viettel", COURSE, "gvpt-3", pass_mark_hundredths=550, periods=30)
    assert (course.module.code, course.pass_mark_hundredths, course.periods, woken) == ("GVPT03", 550, 30, 1)
    await work.verify()
    assert set((await work.states()).values()) == {"verified"}
    [act] = [act for act in await read_audit(work.db) if act.act == "course.map"]
    assert (act.actor, act.object, act.detail["module"]) == ("lan", f"viettel/{COURSE}", "gvpt-3")


async def test_an_organiser_is_kept_changed_and_taken_away(work):
    """Only a unit that may run courses; saying nothing leaves it, an empty code takes it away."""
    acts = work.gateway.course_acts
    course, _ = await acts.map("lan", "viettel", COURSE, "GVPT03", organiser="DHSP")
    assert course.organiser == "DHSP"
    course, _ = await acts.map("lan", "viettel", COURSE, "GVPT04")
    assert course.organiser == "DHSP"
    course, _ = await acts.map("lan", "viettel", COURSE, "GVPT04", organiser="")
    assert course.organiser is None
    with pytest.raises(NotFound):
        await acts.map("lan", "viettel", COURSE, "GVPT04", organiser="31")


@pytest.mark.parametrize(
    ("vendor", "course", "module"),
    [("nobody", COURSE, "GVPT03"), ("viettel", "nix", "GVPT03"), ("viettel", COURSE, "XX99")],
)
async def test_what_is_not_there_changes_nothing(work, vendor, course, module):
    """No mapping, no wake, no trace."""
    with pytest.raises(NotFound):
        await work.gateway.course_acts.map("lan", vendor, course, module)
    assert [act for act in await read_audit(work.db) if act.act == "course.map"] == []
    assert (await work.gateway.course_acts.one("viettel", COURSE)).waiting == 1
