"""Cases in a browser: an admin finds a failure, understands it, sees it mended, and watches it clear."""

import re

import pytest
from playwright.async_api import expect

from gateway.queue import payloads
from tests.waiting import until

CURABLE = ("attribute.name_mismatch", "attribute.birth_date_mismatch", "attribute.birth_date_swapped")


async def rows(world, sql: str, **fill):
    async with world.gateway.db.read() as tx:
        return await tx.rows(sql, **fill)


async def listed(world) -> None:
    """The lists follow the queue within seconds; tests begin once they have."""

    async def has_followed() -> bool:
        [found] = await rows(
            world,
            "SELECT (SELECT COUNT(*) FROM deliveries WHERE kind = 'completion' AND state = 'held') AS held, "
            "(SELECT COUNT(*) FROM cases WHERE state = 'held') AS listed, (SELECT COUNT(*) FROM cases) AS n",
        )
        return found.held == found.listed and found.n > 0

    await until(has_followed, within_s=60, every_s=0.2)


async def sent(world, id_: int):
    [row] = await rows(world, "SELECT vendor_id, event_id, revision FROM deliveries WHERE id = :id", id=id_)
    g = world.gateway
    bodies = await payloads.load(g.db, g.vault, [id_])
    return payloads.open_body(g.vault, row.vendor_id, row.event_id, row.revision, bodies[id_])[0]


async def on_file(world, id_: int) -> str:
    """The sector identifier of the file that a case was judged by."""
    [row, *_] = await rows(
        world, "SELECT person_id FROM verifications WHERE delivery_id = :id ORDER BY id DESC", id=id_
    )
    return (await world.gateway.snapshots.files([row.person_id]))[row.person_id].sector_id


async def one_of(world, *reasons: str):
    """A held case of the login `truong` or, if its school has none, of any school of its department."""
    await listed(world)
    found = await rows(
        world,
        "SELECT delivery_id, reason, school_code FROM cases WHERE reason IS NOT NULL AND department_code = "
        "(SELECT department_code FROM cases WHERE school_code = :school LIMIT 1) "
        "ORDER BY CASE WHEN school_code = :school THEN 0 ELSE 1 END, delivery_id DESC",
        school=world.school,
    )
    return next((row for row in found if row.reason in reasons), None)


async def test_an_admin_finds_a_failure_mends_it_and_watches_it_clear(console):
    """From the list of causes to the person, to the mended file, to "recorded", without a reload."""
    world = console.world
    case = await one_of(world, *CURABLE)
    assert case is not None, "the made-up traffic has no curable failure"
    login = "truong" if case.school_code == world.school else "sogddt"
    page = await console.open(login, "/console/failures")
    await console.check(page, name="failures")
    await page.locator(f"a[href='/console/failures/{case.reason}']").first.click()
    await expect(page.get_by_role("table")).to_be_visible()
    await console.check(page, name="failure")
    await page.locator(f"a[href='/console/cases/{case.delivery_id}']").click()
    learner = await sent(world, case.delivery_id)
    await expect(page.get_by_role("heading", level=1)).to_have_text(learner.claim.full_name)
    assert await page.locator(".compare mark").count() > 0
    await console.check(page, name="case-held")
    born = learner.claim.birth_date
    filed = await on_file(world, case.delivery_id)
    await world.change_person(filed, full_name=learner.claim.full_name, birth_date=born.isoformat())
    # The change feed wakes it while somebody looks; a click on "check again" could bring the end state at once,
    # and then nothing changes under the reader's eyes.
    await expect(page.get_by_role("button", name="Kiểm tra lại ngay")).to_be_visible()
    await expect(page.locator(".case-head .badge")).to_have_text("TEMIS đã ghi nhận", timeout=30_000)
    await expect(page.locator("#case-said")).to_contain_text("TEMIS đã ghi nhận")
    await console.check(page, name="case-cleared")


async def test_where_is_my_result_says_it_in_one_sentence(console):
    """By name without marks, for the school whose result it is; and three ways on when nothing was received."""
    case = await one_of(console.world, *CURABLE, "registry.not_found", "format.length", "temis.account_missing")
    learner = await sent(console.world, case.delivery_id)
    page = await console.open("sogddt", "/console/where")
    await page.get_by_label("Tìm theo").select_option("name")
    await page.get_by_label("Nội dung").fill(learner.claim.full_name.lower())
    await page.get_by_role("button", name="Tìm", exact=True).click()
    await expect(page.locator(f"#hit-{case.delivery_id}")).to_be_visible()
    assert "?" not in page.url and learner.claim.full_name not in page.url
    await console.check(page, name="where-found")
    await page.get_by_label("Nội dung").fill("Không Có Ai Tên Này")
    await page.get_by_role("button", name="Tìm", exact=True).click()
    await expect(page.get_by_label("Nội dung gửi đơn vị cung cấp LMS")).to_have_value(
        re.compile("Không Có Ai Tên Này")
    )
    await console.check(page, name="where-none")


async def test_the_keyboard_alone_is_enough(console):
    """From the list to a case and its numbers, with nothing but Tab and Enter."""
    await listed(console.world)
    page = await console.open("sogddt", "/console/failures")

    async def tab_to(selector: str) -> None:
        for _ in range(80):
            await page.keyboard.press("Tab")
            if await page.evaluate("s => document.activeElement.matches(s)", selector):
                return
        pytest.fail(f"{selector} cannot be reached by keyboard")

    await tab_to(".cause h2 a")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/failures/*")
    await tab_to("td a[href^='/console/cases/']")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/cases/*")
    await tab_to("details.confirm summary")
    await page.keyboard.press("Enter")
    await tab_to("details.confirm form button:not([data-close])")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Mã số đầy đủ")).to_be_visible()
    await console.check(page, name="case-numbers")


async def test_an_operator_sees_where_it_stands_and_no_person(console):
    """State, reason, owner and history; no name, no number, not even masked."""
    case = await one_of(console.world, *CURABLE, "registry.not_found", "format.length")
    learner = await sent(console.world, case.delivery_id)
    page = await console.open("vanhanh", f"/console/cases/{case.delivery_id}")
    await expect(page.get_by_role("heading", level=1)).to_have_text(f"Biên nhận {case.delivery_id}")
    assert learner.claim.full_name not in await page.content()
    await console.check(page, name="case-operator")


async def test_a_list_can_be_taken_along_as_excel(console):
    """A download with the cause's name and today's date, made for the level above."""
    await listed(console.world)
    page = await console.open("sogddt", "/console/failures")
    await page.locator(".cause h2 a").first.click()
    async with page.expect_download() as download:
        await page.get_by_role("link", name="Tải danh sách Excel").click()
    file = await download.value
    assert file.suggested_filename.startswith("Danh sách chờ xử lý") and file.suggested_filename.endswith(
        ".xlsx"
    )


async def test_an_approver_closes_a_case_and_opens_it_again(console):
    """With a note each time; without a script's help; the list of causes follows."""
    case = await one_of(console.world, "registry.inactive", "registry.not_found")
    page = await console.open("pheduyet", f"/console/cases/{case.delivery_id}")
    await page.locator("summary", has_text="Đóng trường hợp này").click()
    await console.check(page, name="case-ruling")
    await page.locator("#f-note-reject").fill("Đã nghỉ hưu trước khi học xong")
    await page.get_by_role("button", name="Đóng trường hợp này").click()
    ruled = page.get_by_role("heading", name="Kết luận của đơn vị").locator("..")
    await expect(ruled).to_contain_text("Đã nghỉ hưu trước khi học xong")
    await page.locator("summary", has_text="Mở lại").click()
    await page.locator("#f-note-reopen").fill("Xem lại hồ sơ")
    await page.get_by_role("button", name="Mở lại").click()
    await expect(ruled).to_contain_text("Xem lại hồ sơ")


async def test_then_and_now_is_one_link_away(console):
    """From the history to the stored verification beside today's, in both languages."""
    case = await one_of(console.world, *CURABLE, "registry.inactive", "registry.status_unclear")
    page = await console.open("sogddt", f"/console/cases/{case.delivery_id}")
    await page.locator(".history a").first.click()
    await expect(page.get_by_role("heading", name="Bây giờ", exact=True)).to_be_visible()
    await console.check(page, name="then")
    await page.get_by_role("button", name="English").click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Then and now")
