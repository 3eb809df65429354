"""Courses: an operator sees what waits, takes a suggestion, and it goes on."""

from playwright.async_api import expect

from gateway.model.completion import Course
from gateway.storage.audit import read_audit
from tests.browser.looking import Console


async def test_a_course_is_mapped_by_its_suggestion(console: Console) -> None:
    """From the list to the confirmation; then it stands among the mapped ones, and in the audit."""
    gateway = console.world.gateway
    vendor = await gateway.vendors.find("viettel")
    assert vendor is not None
    new = Course(course_id="k/99 moi", course_code="K99", title="Bồi dưỡng mô đun GVPT 3 – đợt 2")
    await gateway.courses.resolve([(vendor.id, new)])
    page = await console.open("vanhanh", "/console/courses")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Gắn khóa học với mô đun")
    await console.check(page, name="courses")
    await page.get_by_role("link", name="Chọn mô đun Bồi dưỡng mô đun GVPT 3 – đợt 2").click()
    await console.check(page, name="course")
    await page.get_by_label("Điểm đạt").fill("mười")
    await page.get_by_role("button", name="Xác nhận").click()
    await expect(page.get_by_text("Điểm đạt là số từ 0 đến 10")).to_be_visible()
    await page.get_by_label("Điểm đạt").fill("5,5")
    await page.get_by_role("button", name="Xác nhận").click()
    await expect(page.get_by_role("status")).to_contain_text("GVPT03")
    seen = await gateway.course_acts.one("viettel", "k/99 moi")
    assert seen.course.module is not None
    assert (seen.course.module.code, seen.course.pass_mark_hundredths) == ("GVPT03", 550)
    acts = [act for act in await read_audit(gateway.db) if act.act == "course.map"]
    assert acts[-1].actor == "vanhanh"


async def test_only_those_who_may_see_it(console: Console) -> None:
    """The roles' table decides, for page, twin and act."""
    for login in ("truong", "sogddt", "viettel", "kiemtra"):
        page = await console.open(login, "/console/account")
        for path in ("/console/courses", "/console/api/courses"):
            assert (await page.request.get(path)).status == 403
        await expect(page.get_by_role("link", name="Khóa học và mô đun")).to_have_count(0)
