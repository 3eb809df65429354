"""Accounts and the audit in a browser: a commune's admin gives a school its first account."""

from playwright.async_api import expect

from tests.browser.looking import Console


async def test_a_commune_gives_its_school_an_account(console: Console) -> None:
    """From the list of schools to a one-time password, with every dialog open for axe."""
    world = console.world
    page = await console.open("ubnd", "/console/users")
    await console.check(page, name="users-below")
    school = next(iter(await page.locator(f'a[href$="unit={world.school}"]').all()))
    await school.click()
    await page.get_by_label("Họ và tên").fill("Đặng Thùy Dương")
    await page.get_by_label("Tên đăng nhập", exact=True).fill("duong.dt")
    await page.get_by_label("Vai trò").select_option("viewer")
    await page.get_by_role("button", name="Tạo tài khoản").click()
    await expect(page.get_by_role("status")).to_contain_text("Mật khẩu dùng một lần cho Đặng Thùy Dương")
    await console.check(page, name="users-given")
    row = page.get_by_role("row", name="duong.dt")
    await row.get_by_text("Cấp lại mật khẩu").click()
    await expect(row.get_by_role("button", name="Xác nhận").first).to_be_visible()
    await console.check(page, name="users-reset")
    await page.keyboard.press("Escape")
    await row.get_by_text("Dừng", exact=True).click()
    await row.get_by_role("button", name="Xác nhận").last.click()
    await expect(page.get_by_role("status")).to_contain_text("Đã dừng tài khoản duong.dt")


async def test_an_auditor_reads_acts_and_nothing_else(console: Console) -> None:
    """The menu has the audit; a click on a name follows that person."""
    page = await console.open("kiemtra", "/console/audit")
    await console.check(page, name="audit")
    menu = page.get_by_role("navigation", name="Danh mục").get_by_role("link")
    assert [await one.inner_text() for one in await menu.all()] == ["Tổng quan", "Nhật ký"]
    await page.get_by_role("link", name="kiemtra").first.click()
    await expect(page.get_by_label("Người thực hiện")).to_have_value("kiemtra")
