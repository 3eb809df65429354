"""Signing in, as people do it: a first password, wrong ones, a code from the phone, the way out."""

import base64

from playwright.async_api import Page, expect

from gateway.cli.demonstration import office
from gateway.security import totp
from gateway.stages.users import Actor
from gateway.storage.users import NewUser, find_user
from tests.browser.looking import Console
from tests.browser.world import OWN_PASSWORD, now_ms

ACTOR = Actor("machine:test")


async def a_login(console: Console, login: str, role: str = "unit_admin", unit: str | None = "31") -> str:
    """A new account -> its one-time password."""
    gateway = console.world.gateway
    [handed] = await gateway.users.make(ACTOR, [NewUser(login, "Trần Thị Hoà", role, unit)])
    return handed.password


async def send(page: Page, login: str, password: str) -> None:
    await page.get_by_label("Tên đăng nhập").fill(login)
    await page.get_by_label("Mật khẩu", exact=True).fill(password)
    await page.get_by_role("button", name="Đăng nhập").click()


async def change(page: Page, old: str, new: str, again: str | None = None) -> None:
    await page.get_by_label("Mật khẩu dùng một lần").fill(old)
    await page.get_by_label("Mật khẩu mới", exact=True).fill(new)
    await page.get_by_label("Nhập lại mật khẩu mới").fill(again or new)
    await page.get_by_role("button", name="Đổi mật khẩu").click()


async def test_a_department_signs_in_for_the_first_time(console: Console, stranger: Page) -> None:
    """One-time password, own password, second factor, and only then the page that was wanted."""
    password = await a_login(console, "lan.dau")
    page = stranger
    await page.goto("/console/account")
    await expect(page).to_have_url(f"{console.world.address}/console/sign-in?next=%2Fconsole%2Faccount")
    await console.check(page, name="sign-in")
    await send(page, "lan.dau", password)
    await expect(page.get_by_role("heading", level=1)).to_have_text("Đổi mật khẩu")
    await console.check(page, name="password")
    await change(page, password, "Abc@1234567")
    await expect(page.get_by_role("alert")).to_contain_text("rất dễ đoán")
    await change(page, password, OWN_PASSWORD, "khác hẳn câu trên")
    await expect(page.get_by_role("alert")).to_contain_text("không giống nhau")
    await change(page, password, OWN_PASSWORD)
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Bảo vệ tài khoản")
    await console.check(page, name="second-factor")
    await page.get_by_label("Mã 6 chữ số").fill("000000")
    await page.get_by_role("button", name="Bật mã xác thực").click()
    await expect(page.get_by_role("alert")).to_contain_text("Mã chưa đúng")
    typed = (await page.locator(".secret").inner_text()).replace(" ", "")
    assert await factor_of(console, "lan.dau") is None, "nothing is in use before a code proves it"
    secret = base64.b32decode(typed)
    assert totp.written(secret) == typed
    await page.get_by_label("Mã 6 chữ số").fill(office.code_now(secret, now_ms()))
    await page.get_by_role("button", name="Bật mã xác thực").click()
    await expect(page).to_have_url(f"{console.world.address}/console/account")
    await expect(page.get_by_role("status")).to_contain_text("Đã bật mã xác thực")


async def factor_of(console: Console, login: str) -> bytes | None:
    """The second factor in use."""
    found = await find_user(console.world.gateway.db, console.world.gateway.vault, login)
    assert found is not None
    return found.totp_secret


async def test_wrong_passwords_say_the_same_of_everybody_and_then_pause(
    console: Console, stranger: Page
) -> None:
    """Nobody learns from sign-in which logins exist, not even from the pause."""
    await a_login(console, "khoa.lai", "unit_admin", console.world.school)
    told = []
    for login in ("khoa.lai", "khong.co"):
        await stranger.goto("/console/sign-in")
        for _ in range(5):
            await send(stranger, login, "chắc chắn là sai")
        await expect(stranger.get_by_role("alert")).to_contain_text("Xin chờ khoảng 1 phút")
        await send(stranger, login, "chắc chắn là sai")
        told.append(await stranger.get_by_role("alert").inner_text())
    assert told[0] == told[1]


async def test_a_code_is_asked_for_after_the_password(console: Console, stranger: Page) -> None:
    """The password alone opens nothing for an operator; the code does, and the way out closes it."""
    page, login = stranger, console.world.logins["kiemtra"]
    await send(page, "kiemtra", OWN_PASSWORD)
    await expect(page.get_by_role("heading", level=1)).to_have_text("Mã xác thực")
    await console.check(page, name="code")
    await page.goto("/console/account")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Mã xác thực")
    assert login.secret
    step = now_ms() // (totp.STEP_S * 1000) + 1  # the next one: this moment's may have been used
    await page.get_by_label("Mã 6 chữ số").fill(totp.code_at(login.secret, step))
    await page.get_by_role("button", name="Tiếp tục").click()
    await expect(page).to_have_url(f"{console.world.address}/console/account")
    await page.get_by_role("button", name="Đăng xuất").click()
    await expect(page.get_by_role("status")).to_contain_text("đã đăng xuất")
    await page.goto("/console/account")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Đăng nhập")


async def test_it_is_all_done_with_the_keyboard(console: Console, stranger: Page) -> None:
    """From the address to the start page without a mouse; the first stop leads past the frame."""
    password = await a_login(console, "ban.phim", "unit_admin", console.world.school)
    page = stranger
    await page.keyboard.press("Tab")
    await expect(page.locator(":focus")).to_have_text("Đến nội dung chính")
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await expect(page.get_by_label("Tên đăng nhập")).to_be_focused()
    await page.keyboard.type("ban.phim")
    await page.keyboard.press("Tab")
    await page.keyboard.type(password)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Đổi mật khẩu")
    await page.get_by_label("Mật khẩu dùng một lần").focus()
    for text in (password, OWN_PASSWORD, OWN_PASSWORD):
        await page.keyboard.type(text)
        await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Xin chào")
