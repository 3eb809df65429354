"""The whole pipeline on a real database and the sandbox over real HTTP."""

import asyncio
from contextlib import asynccontextmanager
from datetime import date

import httpx
import orjson
import pytest

from gateway.app import Gateway, open_gateway, open_pipeline
from gateway.outbound.breaker import BreakerLimits
from gateway.queue.acts import withdraw
from gateway.queue.balance import balance
from gateway.queue.vendors import add_vendor
from gateway.sandbox.app import make_sandbox
from gateway.sandbox.roster import StaffRow
from gateway.sandbox.server import serving
from gateway.security.keys import KeyRing
from gateway.settings import load
from gateway.storage.engine import open_database
from gateway.storage.schema import migrate
from tests.moves import guard_moves

QUICK = BreakerLimits(probe_s=0.1, credentials_probe_s=0.1, throttle_s=0.1)
ROSTER = [
    StaffRow(
        f"31000000{n:02d}", f"Nguyễn Thị Hòa {n}", f"1985-03-{n % 28 + 1:02}", unit_code="31000717", role="GV"
    )
    for n in range(40)
]


def viettel(n: int, *, event: str | None = None, revision: int = 1, code: str = "GVPT 03", **result):
    """One Viettel completion of person `n` of the roster."""
    person = ROSTER[n]
    return {
        "eventId": event or f"evt-{n}",
        "eventType": "COURSE_COMPLETED",
        "revision": revision,
        "occurredAt": 1_773_032_400_000,
        "user": {
            "userId": f"{n:024x}",
            "fullName": person.full_name,
            "birthday": date.fromisoformat(person.birth_date).strftime("%d/%m/%Y"),
            "sectorCode": "0" + person.sector_id,
            "schoolCode": "31000717",
            "position": "GV",
        },
        "course": {
            "courseId": f"course-{code}",
            "courseCode": code,
            "courseName": "Bồi dưỡng",
            "schoolYear": "2025-2026",
            "periods": 40,
        },
        "result": {"score": 8.5, "maxScore": 10, "passed": True, "certificateNo": "C1", **result},
    }


class Lab:
    """A gateway, a running worker and the sandbox, for one test."""

    def __init__(self, gateway: Gateway, base: str, http: httpx.AsyncClient) -> None:
        self.gateway = gateway
        self.base = base
        self.http = http

    async def send(self, *items):
        vendor = await self.gateway.vendors.find("viettel")
        return await self.gateway.receive.receive(vendor, orjson.dumps(list(items)))

    async def until_settled(self) -> None:
        """Waits until nothing is accepted or verified any more."""
        async with asyncio.timeout(20):
            while (await balance(self.gateway.db)).total.in_flight:
                await asyncio.sleep(0.02)

    async def states(self) -> dict[str, int]:
        sheet = await balance(self.gateway.db)
        assert sheet.closes
        return {state: n for state, n in sheet.total.states.items() if n}

    async def records(self):
        answer = await self.http.get("/_control/temis/records")
        return [orjson.loads(line) for line in answer.content.splitlines()]

    async def standing_records(self) -> int:
        """How many records TEMIS shows, withdrawn ones left out."""
        return sum(not record.get("withdrawn") for record in await self.records())

    async def writes(self):
        answer = await self.http.get("/_control/temis/writes")
        return [orjson.loads(line) for line in answer.content.splitlines()]

    async def reason(self, event_id: str) -> tuple[str, str | None]:
        async with self.gateway.db.read() as tx:
            [row] = await tx.rows(
                "SELECT state, reason FROM deliveries WHERE event_id = :e ORDER BY revision DESC LIMIT 1",
                e=event_id,
            )
        return row.state, row.reason


@pytest.fixture
async def lab(database_url, tmp_path):
    async with (
        serving(make_sandbox(ROSTER)) as base,
        httpx.AsyncClient(base_url=base) as http,
        running_gateway(database_url, tmp_path, base) as gateway,
    ):
        yield Lab(gateway, base, http)


@asynccontextmanager
async def running_gateway(database_url, tmp_path, base, **env):
    keys = tmp_path / "keys" / "keys.json"
    keys.parent.mkdir()
    KeyRing.generate(keys)
    settings = load(
        {
            "GATEWAY_DATA_DIR": str(tmp_path / "data"),
            "GATEWAY_DATABASE_URL": database_url,
            "GATEWAY_KEYS_FILE": str(keys),
            "GATEWAY_TOKEN_URL": f"{base}/oauth/token",
            "GATEWAY_TEMIS_URL": f"{base}/temis",
            "GATEWAY_REGISTRY_URL": f"{base}/registry",
            "GATEWAY_TEMIS_RATE_PER_S": "10000",
            "GATEWAY_REGISTRY_RATE_PER_S": "10000",
            "GATEWAY_TEMIS_TIMEOUT_S": "2",
            "GATEWAY_REGISTRY_CHANGES_POLL_S": "0",
            **env,
        }
    )
    db = open_database(database_url)
    await migrate(db)
    await guard_moves(db)
    await db.close()
    async with open_gateway(settings) as gateway:
        for name in ("viettel", "vnpt"):
            await add_vendor(gateway.db, gateway.vault, gateway.clock, name, name)
        async with open_pipeline(gateway, limits=QUICK) as pipeline:
            work = asyncio.create_task(pipeline.worker.run())
            yield gateway
            pipeline.worker.stop()
            await work


async def test_a_completion_becomes_a_record(lab):
    """What a vendor sends stands in TEMIS, with our revision and the module's canonical code."""
    receipts = await lab.send(viettel(1), viettel(2), viettel(2))
    assert [r.status for r in receipts] == ["accepted", "accepted", "duplicate"]
    await lab.until_settled()
    assert await lab.states() == {"delivered": 2}
    records = {r["sector_id"]: r for r in await lab.records()}
    assert records["3100000001"]["module_code"] == "GVPT03"
    assert records["3100000001"]["score"] == 8.5
    assert records["3100000001"]["revision"] == 1


async def test_what_cannot_be_credited_is_held_with_its_reason(lab):
    """Each hold names what is wrong; nothing is guessed."""
    stranger, other_name, unstated = viettel(3), viettel(4), viettel(5)
    stranger["user"]["sectorCode"] = "9999999999"
    other_name["user"]["fullName"] = "Trần Văn Nam"
    del unstated["result"]["passed"]
    weak = viettel(6, score=3.0)
    unmapped = viettel(7, code="KHOA-TU-CHON")
    await lab.send(stranger, other_name, unstated, weak, unmapped)
    await lab.until_settled()
    assert await lab.reason("evt-3") == ("held", "registry.not_found")
    assert await lab.reason("evt-4") == ("held", "attribute.name_mismatch")
    assert await lab.reason("evt-5") == ("held", "result.unstated")
    assert await lab.reason("evt-6") == ("held", "result.contradictory")
    assert await lab.reason("evt-7") == ("held", "course.unmapped")
    _, woken = await lab.gateway.wake.map_course(1, "course-KHOA-TU-CHON", "GVPT05")
    assert woken == 1
    await wait_for(lab, "evt-7", "delivered")


async def wait_until(lab, ask, expected) -> None:
    async with asyncio.timeout(20):
        while await ask() != expected:
            await asyncio.sleep(0.02)


async def wait_for(lab, event_id: str, state: str) -> None:
    async with asyncio.timeout(20):
        while (await lab.reason(event_id))[0] != state:
            await asyncio.sleep(0.02)


async def test_a_fixed_person_is_credited_without_the_vendor(lab):
    """The registry is corrected, the wake re-judges exactly that person's deliveries, asked live."""
    item = viettel(8)
    item["user"]["fullName"] = "Lê Thị Mới"
    await lab.send(item)
    await lab.until_settled()
    assert await lab.reason("evt-8") == ("held", "attribute.name_mismatch")
    await lab.http.patch("/_control/registry/staff/3100000008", json={"full_name": "Lê Thị Mới"})
    assert await lab.gateway.wake.person_changed("3100000008") == 1
    await wait_for(lab, "evt-8", "delivered")


async def test_corrections_retakes_and_withdrawals(lab):
    """TEMIS always shows the result that stands, under a rising revision of ours."""
    await lab.send(viettel(9, event="a", score=6.0))
    await lab.until_settled()
    await lab.send(viettel(9, event="b", score=9.0))
    await lab.until_settled()
    await lab.send(viettel(9, event="c", score=7.0))
    await lab.until_settled()
    [record] = await lab.records()
    assert (record["score"], record["revision"]) == (9.0, 2)
    await lab.send(viettel(9, event="b", revision=2, score=5.5))
    await lab.until_settled()
    # The correction replaces b, downwards too; so the retake c, superseded until now, is the best.
    [record] = await lab.records()
    assert record["score"] == 7.0
    assert await lab.reason("b") == ("voided", "superseded")
    await withdraw(lab.gateway.db, lab.gateway.clock, 1, "c")
    await lab.until_settled()
    [record] = await lab.records()
    assert record["score"] == 6.0
    for event in ("a", "b"):
        await withdraw(lab.gateway.db, lab.gateway.clock, 1, event)
    await wait_until(lab, lambda: lab.standing_records(), 0)


@pytest.mark.parametrize(
    "fault",
    [
        {"target": "temis", "mode": "status", "status": 503, "probability": 0.7},
        {"target": "temis", "mode": "status", "status": 500, "probability": 0.7},
        {"target": "temis", "mode": "reset", "probability": 0.7},
        {"target": "temis", "mode": "silent", "probability": 0.7},
        {"target": "temis", "mode": "garbage", "probability": 0.7},
        {"target": "temis", "mode": "token_expired", "probability": 0.5},
        {"target": "registry", "mode": "status", "status": 503, "probability": 0.7},
        {"target": "registry", "mode": "reset", "probability": 0.7},
    ],
    ids=lambda fault: f"{fault['target']}-{fault['mode']}-{fault.get('status', '')}",
)
async def test_faults_of_the_destination_lose_and_double_nothing(lab, fault):
    """While a destination misbehaves everything waits; afterwards each record was created exactly once."""
    await lab.http.put("/_control/faults", json=[fault])
    await lab.send(*(viettel(n) for n in range(30)))
    await asyncio.sleep(0.5)
    await lab.http.delete("/_control/faults")
    await lab.until_settled()
    assert await lab.states() == {"delivered": 30}
    assert sorted(w["op"] for w in await lab.writes()) == ["created"] * 30


async def test_one_poisoned_record_steps_aside_and_the_others_are_delivered(lab):
    """A record that makes TEMIS answer 500 for each batch it is in burns only its own tries."""
    poison = {"target": "temis", "mode": "poison", "status": 500, "sector_id": ROSTER[3].sector_id}
    await lab.http.put("/_control/faults", json=[poison])
    await lab.send(viettel(20))
    await lab.until_settled()  # TEMIS is known to work
    await lab.send(*(viettel(n) for n in range(15)))
    await wait_until(lab, lambda: delivered(lab), 15)
    async with lab.gateway.db.read() as tx:
        rows = await tx.rows(
            "SELECT event_id, state, tries FROM deliveries WHERE tries > 0 OR state <> 'delivered'"
        )
    [row] = rows
    assert (row.event_id, row.state) == ("evt-3", "verified")
    assert row.tries >= 1


async def delivered(lab) -> int:
    return (await balance(lab.gateway.db)).total.states["delivered"]


@pytest.mark.parametrize("state", ["missing", "stopped", "unit_missing", "self_reported"])
async def test_what_somebody_outside_can_cure_is_held_and_goes_on_when_it_is(lab, state):
    """A refusal of TEMIS that a school can cure is no end: it has an owner, and the cure frees it."""
    person = ROSTER[11].sector_id
    await lab.http.put(f"/_control/temis/accounts/{person}", json={"state": state})
    await lab.send(viettel(11), viettel(12))
    await lab.until_settled()
    reason = {"missing": "account_missing", "stopped": "account_stopped"}.get(state, state)
    assert await lab.reason("evt-11") == ("held", f"temis.{reason}")
    assert await lab.reason("evt-12") == ("delivered", None)
    async with lab.gateway.db.read() as tx:
        [row] = await tx.rows(
            "SELECT owner, due_at_ms, changed_at_ms FROM deliveries WHERE event_id = 'evt-11'"
        )
    assert row.owner in ("school", "upper_unit")
    assert row.due_at_ms - row.changed_at_ms <= 1.2 * 24 * 3600 * 1000, "tried again daily"
    await lab.http.put(f"/_control/temis/accounts/{person}", json={"state": "active"})
    assert await lab.gateway.wake.person_changed(person) == 1
    await wait_for(lab, "evt-11", "delivered")


async def test_a_paused_vendor_waits_and_loses_nothing(lab):
    """Pausing holds a vendor's deliveries; the other vendor goes on; resuming delivers them."""
    await lab.gateway.db.write(lambda tx: tx.run("UPDATE vendors SET paused_at_ms = 1 WHERE name = 'viettel'"))
    await wait_until(lab, lambda: paused(lab), True)
    await lab.send(viettel(13))
    await asyncio.sleep(0.3)
    assert await lab.reason("evt-13") == ("accepted", None)
    await lab.gateway.db.write(lambda tx: tx.run("UPDATE vendors SET paused_at_ms = NULL"))
    await wait_for(lab, "evt-13", "delivered")


async def paused(lab) -> bool:
    return any(vendor.paused for vendor in await lab.gateway.vendors.all())


async def test_a_correction_that_names_another_module_moves_the_record(lab):
    """TEMIS shows the result where it belongs now, and no longer where it was."""
    await lab.send(viettel(14, code="GVPT 03"))
    await lab.until_settled()
    await lab.send(viettel(14, revision=2, code="GVPT 04"))
    await lab.until_settled()
    await wait_until(lab, lambda: lab.standing_records(), 1)
    shown = {r["module_code"]: bool(r.get("withdrawn")) for r in await lab.records()}
    assert shown == {"GVPT03": True, "GVPT04": False}
    assert (await balance(lab.gateway.db)).total.withdrawals == 1


async def test_a_summer_completion_without_a_school_year_is_held(lab):
    """July belongs to no school year by itself; it is never guessed."""
    item = viettel(15)
    item["occurredAt"] = 1_784_000_000_000  # 14 July 2026
    del item["course"]["schoolYear"]
    await lab.send(item)
    await lab.until_settled()
    assert await lab.reason("evt-15") == ("held", "course.school_year_unclear")


async def test_the_same_module_on_both_vendors_is_one_record(lab):
    """The better of two results stands, whichever LMS it came from."""
    await lab.send(viettel(16, score=6.0))
    await lab.until_settled()
    vnpt = await lab.gateway.vendors.find("vnpt")
    person = ROSTER[16]
    item = {
        "ma_su_kien": "vnpt-16",
        "loai": "hoan_thanh",
        "phien_ban": 1,
        "thoi_gian": "2026-03-10T08:00:00+07:00",
        "hoc_vien": {
            "ma_nguoi_dung": "u16",
            "ho_ten": person.full_name,
            "ngay_sinh": person.birth_date,
            "ma_dinh_danh": person.sector_id,
            "ma_truong": "31000717",
            "vai_tro": "giao_vien",
            "trang_thai_xac_thuc": "Chưa xác thực thông tin",
        },
        "khoa_hoc": {"ma": "gvpt-3", "ten": "Mô đun 3", "nam_hoc": "2025-2026", "so_tiet": 40},
        "ket_qua": {"diem": 95, "thang_diem": 100, "xep_loai": "Tốt", "so_chung_nhan": "V16"},
    }
    [receipt] = await lab.gateway.receive.receive(vnpt, orjson.dumps(item))
    assert receipt.status == "accepted"
    await lab.until_settled()
    [record] = await lab.records()
    assert (record["score"], record["vendor"], record["revision"]) == (9.5, "vnpt", 2)
    assert await lab.reason("evt-16") == ("voided", "superseded")
