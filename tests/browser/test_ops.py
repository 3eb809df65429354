"""The operator's pages in a browser: deliveries, replays from plan to report, reconciliation."""

from collections import Counter

import httpx
import orjson
from playwright.async_api import Locator, Page, expect

from gateway.model.states import State
from gateway.queue.listing import Filter, latest_deliveries, states_of
from tests.browser.looking import Console
from tests.waiting import until


async def one_held(console: Console) -> int:
    """A held delivery of the world."""
    lines = await latest_deliveries(console.world.gateway.db, Filter(state=State.HELD), limit=1)
    return lines[0].id


async def test_an_operator_finds_a_delivery_and_reads_its_story(console: Console) -> None:
    """Filter, open by receipt, story from receipt to outcome; nobody's name, birth date or number is there."""
    page = await console.open("vanhanh", "/console/ops/deliveries?state=held")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Kết quả trên đường đi")
    await console.check(page, name="ops-deliveries")
    id_ = await one_held(console)
    await page.get_by_label("Số biên nhận hoặc mã sự kiện").fill(str(id_))
    await page.get_by_role("button", name="Lọc").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(f"Kết quả số {id_}")
    await expect(page.get_by_role("heading", name="Diễn biến")).to_be_visible()
    await console.check(page, name="ops-delivery")
    shown = await page.content()
    for person in console.world.people:
        assert person.full_name not in shown
        assert person.sector_id not in shown


async def test_an_identifier_is_looked_for_without_standing_in_an_address(console: Console) -> None:
    """By POST, through its blind index; that somebody looked is in the audit."""
    item = next(one for one in console.world.items if one.expected.fate == "delivered")
    page = await console.open("vanhanh", "/console/ops/deliveries")
    await page.get_by_text("Tìm theo mã định danh").click()
    await page.get_by_label("Mã định danh", exact=True).fill(item.expected.sector_id or "")
    await page.get_by_role("button", name="Tìm", exact=True).click()
    assert (item.expected.sector_id or "") not in page.url
    await expect(page.locator("table tbody tr").first).to_be_visible()
    async with console.world.gateway.db.read() as tx:
        rows = await tx.rows("SELECT object, detail FROM audit WHERE act = 'delivery.search'")
    assert [row.object for row in rows] == ["identifier"]
    assert (item.expected.sector_id or "?") not in rows[0].detail


async def test_a_delivery_is_discarded_with_a_reason_and_restored(console: Console) -> None:
    """By keyboard alone; the story says both, and nothing was deleted."""
    id_ = await one_held(console)
    page = await console.open("vanhanh", f"/console/ops/deliveries/{id_}")
    await page.locator("details.confirm summary").focus()
    await page.keyboard.press("Enter")
    await page.get_by_label("Lý do loại bỏ").fill("thử nghiệm")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("Đã loại bỏ. Có thể khôi phục.")).to_be_visible()
    await console.check(page, name="ops-discarded")
    await page.get_by_role("button", name="Khôi phục").click()
    await expect(page.get_by_text("Đã khôi phục; kết quả tiếp tục từ chỗ cũ.")).to_be_visible()
    await expect(page.get_by_text("Vận hành: restored")).to_be_visible()


async def test_a_replay_from_plan_to_report(console: Console) -> None:
    """Choose, see the forecast, run with a canary: strangers stay strangers, and it stops by itself."""
    page = await console.open("vanhanh", "/console/ops/replay")
    await console.check(page, name="ops-replay")
    await page.get_by_label("Trạng thái").select_option("held")
    await page.get_by_label("Mã lý do").fill("registry.not_found")
    await page.get_by_role("button", name="Xem trước").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Xem trước lần chạy lại")
    await console.check(page, name="ops-replay-plan")
    await page.get_by_role("button", name="Bắt đầu chạy lại").click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Lần chạy lại số")
    ended = page.get_by_text("tự dừng", exact=True).or_(page.get_by_text("xong", exact=True))
    await expect(ended).to_be_visible(timeout=30_000)
    await console.check(page, name="ops-replay-done")
    twin = await json_of(page, page.url.replace("/console/", "/console/api/"))
    assert twin["done"] == twin["failed"] + twin["delivered"] + twin["pending"]
    assert twin["phase"] in ("stopped", "done")


async def test_a_replay_of_nothing_is_refused(console: Console) -> None:
    """Leaving everything empty does not mean everything."""
    page = await console.open("vanhanh", "/console/ops/replay")
    await page.get_by_role("button", name="Xem trước").click()
    await expect(page.get_by_text("Hãy ghi ít nhất một điều kiện.")).to_be_visible()


async def test_a_lost_record_is_found_and_sent_again(console: Console) -> None:
    """TEMIS loses one and somebody changes another: found, the first one healed, the other left to people."""
    async with httpx.AsyncClient(base_url=console.world.sandbox, trust_env=False) as http:
        lines = (await http.get("/_control/temis/records")).text.splitlines()
        records = [one for one in map(orjson.loads, lines) if not one["withdrawn"]]
        for record, method in zip(records[:2], ("DELETE", "PATCH"), strict=True):
            sent = {"json": {"score": 1.25}} if method == "PATCH" else {}
            answer = await http.request(method, f"/_control/temis/records/{record['key']}", **sent)
            assert answer.status_code == 200
    page = await console.open("vanhanh", "/console/ops/reconciliation")
    await console.check(page, name="ops-reconciliation")
    await page.get_by_role("button", name="Bắt đầu đối chiếu").click()
    await expect(page.get_by_text("xong", exact=True)).to_be_visible(timeout=40_000)
    await expect(page.get_by_text("đã gửi lại", exact=False).first).to_be_visible()
    await expect(page.get_by_text("điểm", exact=True)).to_be_visible()
    await console.check(page, name="ops-walk")
    twin = await json_of(page, page.url.replace("/console/", "/console/api/"))
    assert (twin["walk"]["missing"], twin["walk"]["healed"], twin["walk"]["different"]) == (1, 1, 1)


async def test_from_an_outage_of_one_module_to_a_balance_that_closes(console: Console) -> None:
    """TEMIS forgets a module, corrections die; mended, their cause is replayed from its list and all arrive."""
    module, ids = await refused_corrections(console)
    page = await console.open("vanhanh", f"/console/ops/deliveries/{ids[0]}")
    cause = page.get_by_role("link", name="#", exact=False)
    await until_shown(page, cause)
    await cause.click()
    await expect(page.locator("table tbody tr")).to_have_count(len(ids))
    await set_module(console, module, known=True)
    await page.get_by_role("button", name="Xem trước khi chạy lại tất cả như vậy").click()
    await expect(page.get_by_text("100 % sẽ được gửi lên TEMIS")).to_be_visible()
    await page.get_by_label("Thử trước bấy nhiêu").fill("2")
    await page.get_by_role("button", name="Bắt đầu chạy lại").click()
    await expect(page.get_by_text("xong", exact=True)).to_be_visible(timeout=40_000)
    await page.goto(f"/console/ops/deliveries/{ids[0]}")
    await until_shown(page, page.locator(".lead").get_by_text("TEMIS đã ghi nhận"))
    await expect(page.get_by_text("Gửi TEMIS: ", exact=False).first).to_be_visible()
    await page.goto("/console/ops/reconciliation")
    await expect(page.get_by_text("Mọi dòng đều khớp")).to_be_visible()


async def refused_corrections(console: Console) -> tuple[str, list[int]]:
    """Corrections of four delivered results of one module, which TEMIS does not know just now: all dead."""
    world = console.world
    plain = [
        one.expected
        for one in world.items
        if one.vendor == "viettel" and one.expected.fate == "delivered" and one.expected.story == "plain"
    ]
    module = Counter(one.module for one in plain).most_common(1)[0][0]
    chosen = {one.event_id for one in plain if one.module == module}
    bodies = {}
    for item in world.items:
        body = orjson.loads(item.body)
        if item.vendor == "viettel" and item.expected.event_id in chosen and len(bodies) < 4:
            bodies[item.expected.event_id] = body
    await set_module(console, module, known=False)
    for body in bodies.values():
        body["revision"] = 7
        body["result"]["certificateNo"] = "SUA-7"
    vendor = await world.gateway.vendors.find("viettel")
    assert vendor is not None
    receipts = await world.gateway.receive.receive(vendor, orjson.dumps(list(bodies.values())))
    ids = [one.delivery_id for one in receipts if one.delivery_id is not None]

    async def ends() -> set[State]:
        stood = set((await states_of(world.gateway.db, ids)).values())
        return set() if stood & {State.ACCEPTED, State.VERIFIED} else stood

    assert await until(ends, every_s=0.1) == {State.DEAD}
    return module, ids


async def set_module(console: Console, module: str, *, known: bool) -> None:
    async with httpx.AsyncClient(base_url=console.world.sandbox, trust_env=False) as http:
        answer = await http.put(f"/_control/temis/modules/{module}", json={"known": known})
        answer.raise_for_status()


async def until_shown(page: Page, wanted: Locator) -> None:
    """Causes and outcomes follow a moment later; the page is asked again until they are there."""

    async def is_shown() -> bool:
        if not await wanted.count():
            await page.reload()
        return bool(await wanted.count())

    await until(is_shown, every_s=0.3)


async def test_only_operators_have_these_pages(console: Console) -> None:
    """A school's admin sees neither link nor page, and the try is in the audit."""
    page = await console.open("truong", "/console")
    assert await page.get_by_role("link", name="Đối chiếu", exact=True).count() == 0
    answer = await page.goto("/console/ops/deliveries")
    assert answer is not None
    assert answer.status == 403


async def json_of(page: Page, address: str) -> dict:
    answer = await page.request.get(address)
    assert answer.status == 200
    return await answer.json()
