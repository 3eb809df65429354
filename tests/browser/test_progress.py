"""Overview and progress by unit: figures, drill-down, what is sent to others."""

import io

from playwright.async_api import expect
from python_calamine import CalamineWorkbook

from gateway.storage.audit import read_audit
from tests.browser.looking import Console


async def test_the_overview_says_where_ones_people_stand(console: Console) -> None:
    """For a school and for a department: people, share, what needs work and why, without a click."""
    for login in ("truong", "sogddt"):
        page = await console.open(login, "/console")
        await expect(page.locator(".figure").first).to_be_visible()
        told = (await (await page.request.get("/console/api")).json())["progress"]
        await expect(page.locator(".figure b").nth(1)).to_have_text(f"{told['total']['percent']} %")
        assert told["total"]["people"] == sum(told["total"][k] for k in ("verified", "waiting", "to_do"))
        await console.check(page, name=f"overview-{login}")


async def test_a_role_without_people_has_no_figures(console: Console) -> None:
    """An auditor sees no case, so no count of cases either."""
    page = await console.open("kiemtra", "/console")
    assert (await (await page.request.get("/console/api")).json())["progress"] is None
    await expect(page.locator(".figure")).to_have_count(0)


async def test_from_the_department_down_to_one_school(console: Console) -> None:
    """Each step shows the units below; the way back stands above; the lines add up."""
    page = await console.open("sogddt", "/console/progress")
    await console.check(page, name="progress-department")
    told = await (await page.request.get("/console/api/progress")).json()
    assert sum(line["people"] for line in told["lines"]) == told["total"]["people"] + told["twice"]
    busy = max((line for line in told["lines"] if line["is_open"]), key=lambda line: line["people"])
    await page.get_by_role("row").get_by_role("link", name=busy["name"], exact=True).first.click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(f"Tiến độ: {busy['name']}")
    await console.check(page, name="progress-commune")
    above = page.get_by_role("navigation", name="Đơn vị cấp trên").get_by_role("link")
    await expect(above).to_have_text(told["name"])


async def test_a_school_sees_no_other_units_figures(console: Console) -> None:
    """By no address, twin or file; the attempt stands in the audit."""
    page = await console.open("truong", "/console")
    other = next(one.unit_code for one in console.world.people if one.unit_code != console.world.school)
    for path in (
        "/console/progress",
        "/console/api/progress",
        "/console/progress/table",
        "/console/progress/upwards",
    ):
        answer = await page.request.get(f"{path}?unit={other}")
        assert (path, answer.status) == (path, 404)
    refused = [
        act for act in await read_audit(console.world.gateway.db) if act.detail.get("code") == "out_of_scope"
    ]
    assert any(other in act.object for act in refused)


async def test_the_digest_is_copied_and_names_nobody(console: Console) -> None:
    """One button; what lands in the clipboard has units and figures only."""
    page = await console.open("sogddt", "/console/progress", permissions=["clipboard-read", "clipboard-write"])
    await page.get_by_role("button", name="Sao chép").click()
    await expect(page.get_by_text("Đã sao chép.")).to_be_visible()
    text = await page.evaluate("navigator.clipboard.readText()")
    assert text.startswith("TIẾN ĐỘ XÁC THỰC")
    assert [
        one.full_name for one in console.world.people if one.full_name in text or one.sector_id in text
    ] == []


async def test_files_for_others(console: Console) -> None:
    """The table adds up; the list upwards is for roles that may export, and each download is logged."""
    page = await console.open("sogddt", "/console/progress")
    async with page.expect_download() as started:
        await page.get_by_role("link", name="Bảng tiến độ").click()
    rows = CalamineWorkbook.from_path(await (await started.value).path()).get_sheet_by_index(0).to_python()
    *lines, total = rows[4:]
    assert len(lines) > 1
    assert total[3] <= sum(line[3] for line in lines)
    content = await (await page.request.get("/console/progress/upwards")).body()
    assert CalamineWorkbook.from_filelike(io.BytesIO(content)).sheet_names
    exported = [act for act in await read_audit(console.world.gateway.db) if act.object == "progress.upwards"]
    assert [act.actor for act in exported] == ["sogddt"]
    other = await console.open("vanhanh", "/console/progress")
    assert (await other.request.get("/console/progress/upwards")).status == 403


async def test_a_school_states_how_many_people_it_has(console: Console) -> None:
    """From then on the share is of its whole staff; a file that is no such table changes nothing."""
    page = await console.open("truong", "/console/progress")
    for text, said in (
        ("Họ tên\nLê An\n", "Không đọc được"),
        (f"Mã trường;Số người\n{console.world.school};40\n", "40"),
    ):
        file = {"name": "so-nguoi.csv", "mimeType": "text/csv", "buffer": text.encode()}
        await page.set_input_files("input[type=file]", file)
        await page.get_by_role("button", name="Tải lên").click()
        await expect(page.get_by_role("status").first).to_contain_text(said)
    told = await (await page.request.get("/console/api/progress")).json()
    assert told["total"]["expected"] == 40
    assert told["total"]["percent"] == f"{told['total']['verified'] / 40 * 100:g}".replace(".", ",")
    await console.check(page, name="progress-school")
    viewer = await console.open("vanhanh", "/console/account")
    token = await viewer.locator("[name=csrf]").first.get_attribute("value")
    assert (await viewer.request.post("/console/progress/headcounts", form={"csrf": token or ""})).status == 403


async def test_a_cause_leads_to_its_list(console: Console) -> None:
    """From a bar of the overview to the people behind it."""
    page = await console.open("sogddt", "/console")
    told = (await (await page.request.get("/console/api")).json())["progress"]
    first = told["causes"][0]
    await page.get_by_role("link", name=first["text"], exact=True).click()
    await expect(page).to_have_url(
        f"{console.world.address}/console/failures/{first['code']}?unit={told['unit']}"
    )
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert "404" not in await page.inner_text("main")
