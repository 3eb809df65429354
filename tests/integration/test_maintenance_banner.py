"""The console tells of an announced maintenance a day ahead, on both engines."""

from gateway.model.clock import DAY_MS, HOUR_MS
from gateway.outbound.maintenance import add_window
from tests.integration.test_console import desk  # noqa: F401 - the fixture is used by its name
from tests.listening import Desk
from tests.visiting import an_account, visiting


async def test_everybody_reads_of_a_maintenance_a_day_ahead(desk: Desk) -> None:  # noqa: F811 - the fixture
    """When it begins and ends; what lies further ahead, or is over, is on no page; the reason stays inside."""
    now = desk.clock.now_ms()
    for start in (now + 2 * HOUR_MS, now + 5 * DAY_MS):
        db, end = desk.gateway.db, start + HOUR_MS
        await add_window(db, desk.clock, "temis", start, end, reason="vá lỗi", by="ops")
    await an_account(desk, "hoa", unit="31312401")
    async with visiting(desk, "hoa") as hoa:
        told = (await hoa.get("/console/account")).body.decode()
        assert told.count("TEMIS bảo trì theo thông báo") == 1
        assert "từ 14:00 09/03/2026 đến 15:00 09/03/2026" in told
        assert "vá lỗi" not in told
        desk.clock.advance(s=4 * 3600)
        assert "bảo trì" not in (await hoa.get("/console/account")).body.decode()
