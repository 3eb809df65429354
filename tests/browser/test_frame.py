"""The frame around every page: what the browser is told, languages, menus, errors, narrow screens and paper."""

import pytest
from playwright.async_api import Route, expect

from gateway.console.headers import POLICY
from gateway.console.navigation import pages
from gateway.console.page import HOME, Page, Stage
from gateway.storage.audit import read_audit
from tests.browser.looking import Console, findings

OPEN_TO_ALL = [
    one.path
    for one in pages()
    if isinstance(one, Page) and one.may is None and one.stage is Stage.IN and "{" not in one.path
]


@pytest.mark.parametrize("path", OPEN_TO_ALL)
async def test_pages_for_everybody_are_sound(console: Console, path: str) -> None:
    """Readable with a screen reader, on a phone, in the dark; nothing inline, nothing from elsewhere."""
    page = await console.open("truong", path)
    await console.check(page, name=path.removeprefix(HOME).strip("/").replace("/", "-") or "start")


async def test_the_browser_is_told_to_run_nothing_but_ours(console: Console) -> None:
    """The policy stands on every answer, and an injected script does not run under it."""
    page = await console.open("truong", HOME)
    answer = await page.reload()
    assert answer is not None
    headers = await answer.all_headers()
    assert headers["content-security-policy"] == POLICY
    assert "unsafe" not in POLICY
    assert headers["cache-control"] == "no-store"
    assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "no-referrer")
    await page.evaluate(
        "() => { const made = document.createElement('script');"
        " made.textContent = 'window.ran = 1'; document.body.append(made); }"
    )
    assert await page.evaluate("window.ran") is None
    assert [one for one in console.complaints if "Content Security Policy" in one]
    console.complaints.clear()


async def test_styles_and_scripts_are_kept_for_ever(console: Console) -> None:
    """Their address changes with their content, so nobody asks for them twice."""
    page = await console.open("truong", HOME)
    link = await page.locator("link[rel=stylesheet]").get_attribute("href")
    assert link
    answer = await page.request.get(link)
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    other = await page.request.get("/console/static/0000000000000000/console.css")
    assert other.headers["cache-control"] == "no-cache"


async def test_the_language_is_switched_and_stays(console: Console) -> None:
    """Vietnamese first; English by one button, from then on everywhere, back by the same button."""
    page = await console.open("truong", "/console/account")
    await expect(page.locator("html")).to_have_attribute("lang", "vi")
    await page.get_by_role("button", name="English").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("My account")
    await page.goto(HOME)
    await expect(page.locator("html")).to_have_attribute("lang", "en")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Hello, Trần Thị Hoà")
    await page.get_by_role("button", name="Tiếng Việt").click()
    await expect(page.locator("html")).to_have_attribute("lang", "vi")


async def test_a_form_from_elsewhere_changes_nothing(console: Console) -> None:
    """Without the session's token, or from another site, a post is refused, told, and stands in the audit."""
    page = await console.open("truong", HOME)
    token = await page.locator("[name=csrf]").first.get_attribute("value")
    assert token
    without = await page.request.post("/console/sign-out", form={})
    wrong = await page.request.post("/console/sign-out", form={"csrf": "0" * 32})
    elsewhere = await page.request.post(
        "/console/sign-out", form={"csrf": token}, headers={"Origin": "https://evil.example"}
    )
    assert [one.status for one in (without, wrong, elsewhere)] == [403] * 3
    assert "Trang đã cũ" in await without.text()
    await page.reload()
    await expect(page.get_by_role("button", name="Đăng xuất")).to_be_visible()
    codes = [act.detail["code"] for act in await read_audit(console.world.gateway.db) if act.act == "refused"]
    assert {"token", "origin"} <= set(codes)


async def test_errors_are_pages_in_the_readers_language(console: Console) -> None:
    """What is not there is said kindly and with a way back."""
    page = await console.open("truong", "/console/nowhere")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Không tìm thấy")
    await console.check(page, name="not-found")
    await page.get_by_role("link", name="Về trang chính").click()
    await expect(page).to_have_url(console.world.address + HOME)


async def test_the_menu_folds_on_a_phone_and_opens_by_key(console: Console) -> None:
    """A narrow screen shows the page first; without a script the menu is simply open."""
    page = await console.open("truong", HOME, viewport={"width": 360, "height": 740})
    link = page.get_by_role("navigation", name="Danh mục").get_by_role("link", name="Tổng quan")
    await expect(link).to_be_hidden()
    await page.locator("nav.menu summary").focus()
    await page.keyboard.press("Enter")
    await expect(link).to_be_visible()
    plain = await console.open(
        "truong", HOME, viewport={"width": 360, "height": 740}, java_script_enabled=False
    )
    await expect(plain.locator("nav.menu a").first).to_be_visible()


async def test_paper_shows_the_content_and_who_printed_it(console: Console) -> None:
    """Buttons and menus stay on the screen."""
    page = await console.open("truong", "/console/account")
    await page.emulate_media(media="print")
    await expect(page.locator(".printed")).to_contain_text("truong")
    await expect(page.locator("nav.menu")).to_be_hidden()
    await expect(page.get_by_role("button", name="Đăng xuất")).to_be_hidden()


async def test_the_twin_says_what_the_page_says(console: Console) -> None:
    """The same view model by both ways; a stranger gets 401 and no page."""
    page = await console.open("truong", HOME)
    by_address = await (await page.request.get("/console/api/account")).json()
    by_header = await (
        await page.request.get("/console/account", headers={"Accept": "application/json"})
    ).json()
    assert by_address == by_header
    assert by_address["login"] == "truong"
    stranger = await console.open(None, "/console/sign-in")
    refused = await stranger.request.get("/console/api/account", max_redirects=0)
    assert (refused.status, (await refused.json())["code"]) == (401, "console.sign_in")


async def test_a_double_click_sends_a_form_once(console: Console) -> None:
    """Whoever presses twice does the thing once."""
    page = await console.open("truong", HOME)
    posts: list[str] = []

    async def stay(route: Route) -> None:
        posts.append(route.request.url)
        await route.fulfill(status=204)  # the page stays, as after a download

    await page.route("**/console/language", stay)
    await page.get_by_role("button", name="English").dblclick()
    await expect(page.locator("form[data-sent]")).to_have_count(1)
    assert len(posts) == 1
    await expect(page.locator("form[data-sent]")).to_have_count(0)
    await page.get_by_role("button", name="English").click()
    assert len(posts) == 2


async def test_the_checks_that_all_pages_pass_can_fail(console: Console) -> None:
    """A picture without words, grey on grey, something too wide: each is found."""
    page = await console.open("truong", "/console/account")
    await page.evaluate("document.querySelector('main').append(new Image())")
    assert any("image-alt" in one for one in await findings(page))
    await page.reload()
    await page.evaluate("document.querySelector('h1').style.color = '#999'")
    assert any("color-contrast" in one for one in await findings(page, "color-contrast"))
    await page.reload()
    await page.evaluate("document.querySelector('main').style.minWidth = '500px'")
    with pytest.raises(AssertionError):
        await console.check(page)
