"""Bulk check as an office does it: upload, watch, download, mend."""

import io

from playwright.async_api import Page, expect
from python_calamine import CalamineWorkbook

from gateway.bdtx.workbook import WrittenBook
from gateway.model.roles import ELSEWHERE
from gateway.sandbox.roster import StaffRow
from tests.browser.looking import Console

HEADINGS = ["STT", "Họ và tên", "Ngày sinh", "Mã định danh"]


def own(console: Console) -> list[StaffRow]:
    """People of the school of the login `truong`, each with a code that nobody shares."""
    return [one for one in console.world.people if one.unit_code == console.world.school]


def workbook(people: list[StaffRow], extra: list[list[str]]) -> bytes:
    rows = [[n, one.full_name, one.birth_date, one.sector_id] for n, one in enumerate(people, start=1)]
    book = WrittenBook()
    with book:
        book.sheet("Danh sách", HEADINGS, [*rows, *extra], above=["DANH SÁCH GIÁO VIÊN"])
    return book.content()


async def upload(page: Page, content: bytes, name: str = "Danh sách.xlsx") -> None:
    await page.set_input_files(
        "input[type=file]", {"name": name, "mimeType": "application/octet-stream", "buffer": content}
    )
    await page.get_by_role("button", name="Bắt đầu kiểm tra").click()


async def test_a_school_checks_its_list_and_gets_it_back(console: Console) -> None:
    """Upload, progress, result: by the page alone, and every bad row says what to do."""
    people = own(console)
    stranger = next(one for one in console.world.people if one.unit_code != console.world.school)
    extra = [
        ["98", "Không Có Ai", "01/02/1990", "3399999999"],
        ["99", stranger.full_name, stranger.birth_date, stranger.sector_id],
    ]
    page = await console.open("truong", "/console/check")
    await console.check(page, name="check-empty")
    await upload(page, workbook(people, extra))
    await expect(page.get_by_role("heading", level=1)).to_have_text("Danh sách.xlsx")
    await expect(page.get_by_role("link", name="Tải tệp kết quả")).to_be_visible(timeout=30_000)
    await console.check(page, name="check-done")
    async with page.expect_download() as started:
        await page.get_by_role("link", name="Tải tệp kết quả").click()
    file = await (await started.value).path()
    rows = CalamineWorkbook.from_path(file).get_sheet_by_index(0).to_python()[2:]
    assert len(rows) == len(people) + 2
    assert rows[-2][4:6] == ["Cần xử lý", rows[-2][5]]
    assert rows[-2][6]
    assert rows[-1][5] == ELSEWHERE["vi"] + "."
    await page.goto("/console/check")
    await expect(page.get_by_role("link", name="Danh sách.xlsx")).to_be_visible()
    await console.check(page, name="check-list")


async def test_a_file_that_is_none_is_explained(console: Console) -> None:
    """The page says what the file lacks and keeps the form."""
    page = await console.open("truong", "/console/check")
    await upload(page, "Họ tên\nLê An\n".encode(), "x.csv")
    await expect(page.get_by_role("alert")).to_contain_text("Mã định danh")
    await console.check(page, name="check-wrong")


async def test_a_check_is_its_owners_alone(console: Console) -> None:
    """Neither the office above nor a role without the right sees or downloads it, by page or twin."""
    page = await console.open("truong", "/console/check")
    await upload(page, workbook(own(console)[:1], []))
    await expect(page.get_by_role("link", name="Tải tệp kết quả")).to_be_visible(timeout=30_000)
    address = page.url.removeprefix(console.world.address)
    for login, status in (("sogddt", 404), ("vanhanh", 403), ("kiemtra", 403)):
        other = await console.open(login, "/console/account")
        for path in (address, address + "/result", address.replace("/console/", "/console/api/")):
            answer = await other.request.get(path)
            assert (login, path, answer.status) == (login, path, status)


async def test_the_twin_tells_the_progress(console: Console) -> None:
    """What the page draws, as figures, and no person's values."""
    page = await console.open("truong", "/console/check")
    await upload(page, workbook(own(console)[:2], []))
    await expect(page.get_by_role("link", name="Tải tệp kết quả")).to_be_visible(timeout=30_000)
    path = page.url.removeprefix(console.world.address).replace("/console/", "/console/api/")
    told = await (await page.request.get(path)).json()
    assert (told["check"]["state"], told["check"]["done"], told["check"]["total"]) == ("done", 2, 2)
    assert own(console)[0].full_name not in await (await page.request.get(path)).text()


async def test_a_workbook_downloaded_opens_again(console: Console) -> None:
    """The result may itself be mended and uploaded: its headings are found below the line above them."""
    page = await console.open("truong", "/console/check")
    await upload(page, workbook(own(console)[:2], []))
    link = page.get_by_role("link", name="Tải tệp kết quả")
    await expect(link).to_be_visible(timeout=30_000)
    content = await (await page.request.get(await link.get_attribute("href") or "")).body()
    assert len(CalamineWorkbook.from_filelike(io.BytesIO(content)).sheet_names) == 2
    await page.goto("/console/check")
    await upload(page, content, "Kết quả.xlsx")
    await expect(page.get_by_role("link", name="Tải tệp kết quả")).to_be_visible(timeout=30_000)
