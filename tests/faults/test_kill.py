"""kill -9 at random moments, while TEMIS misbehaves: nothing accepted is lost, nothing is doubled.

Real processes: `gateway serve` and `gateway work` on one SQLite file, a client that posts over HTTP, and the
sandbox. What counts is what the client was told (202) and what TEMIS shows in the end.
"""

import asyncio
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import orjson
import pytest

from gateway.model.clock import SystemClock
from gateway.queue.balance import balance
from gateway.queue.vendors import add_vendor
from gateway.sandbox.app import make_sandbox
from gateway.sandbox.roster import StaffRow
from gateway.sandbox.server import serving
from gateway.security.keys import KeyRing
from gateway.security.signatures import sign
from gateway.security.vault import Vault
from gateway.storage.data_keys import ensure_data_keys
from gateway.storage.engine import Database, open_database
from gateway.storage.schema import migrate
from tests.builders import free_port

ROUNDS = 20
PEOPLE = 60
MODULES = 15
FAULTS = [
    {"target": "temis", "mode": "status", "status": 500, "probability": 0.1},
    {"target": "temis", "mode": "reset", "probability": 0.1},
    {"target": "temis", "mode": "silent", "probability": 0.2},
]
ROSTER = [
    StaffRow(
        f"31000000{n:02d}", f"Trần Thị Hoa {n}", f"1985-03-{n % 28 + 1:02}", unit_code="31000717", role="GV"
    )
    for n in range(PEOPLE)
]


def item(n: int) -> dict:
    """The n-th completion: people and modules repeat, so that retakes compete for one record."""
    person, module = ROSTER[n % PEOPLE], n // PEOPLE % MODULES + 1
    return {
        "eventId": f"evt-{n}",
        "eventType": "COURSE_COMPLETED",
        "revision": 1,
        "occurredAt": 1_773_032_400_000 + n,
        "user": {
            "userId": f"{n % PEOPLE:024x}",
            "fullName": person.full_name if n % 50 else "Lê Văn Khác",
            "birthday": "/".join(reversed(person.birth_date.split("-"))),
            "sectorCode": "0" + person.sector_id,
            "schoolCode": "31000717",
            "position": "GV",
        },
        "course": {
            "courseId": f"c{module}",
            "courseCode": f"GVPT {module:02}",
            "courseName": "Bồi dưỡng",
            "schoolYear": "2025-2026",
            "periods": 40,
        },
        "result": {"score": n % 50 / 10 + 5, "maxScore": 10, "passed": True, "certificateNo": f"C{n}"},
    }


class Vendor:
    """Posts batches until each is answered with 202; remembers the receipts."""

    def __init__(self, address: str, secret: str) -> None:
        self._address = address
        self._secret = secret
        self.receipts: dict[str, str] = {}
        self.sent = 0

    async def post(self, http: httpx.AsyncClient, start: int, count: int) -> None:
        body = orjson.dumps([item(n) for n in range(start, start + count)])
        while True:
            headers = sign(self._secret, f"msg-{start}", int(SystemClock().now_ms() / 1000), body)
            try:
                answer = await http.post(
                    f"{self._address}/v1/vendors/viettel/completions",
                    content=body,
                    headers={**headers, "content-type": "application/json"},
                )
            except httpx.TransportError:
                await asyncio.sleep(0.05)  # the server is dead just now: a vendor sends again
                continue
            if answer.status_code == 202:
                for receipt in answer.json()["receipts"]:
                    assert receipt["status"] in ("accepted", "duplicate"), receipt
                    self.receipts[receipt["event_id"]] = receipt["delivery_id"]
                self.sent += count
                return
            assert answer.status_code == 503, answer.text
            await asyncio.sleep(0.05)

    async def stream(self, stop: asyncio.Event) -> None:
        async with httpx.AsyncClient(timeout=10) as http:
            start = 0
            while not stop.is_set():
                await self.post(http, start, 10)
                start += 10


@asynccontextmanager
async def process(*arguments: str, env: dict[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    """One `gateway …` process, killed with SIGKILL when the block ends."""
    with Path(env["LOG"]).open("ab") as log:
        started = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gateway", *arguments, env=env, stdout=asyncio.subprocess.DEVNULL, stderr=log
        )
    try:
        yield started
    finally:
        if started.returncode is None:
            started.send_signal(signal.SIGKILL)
        await started.wait()


async def until_ready(address: str) -> None:
    async with httpx.AsyncClient(timeout=2) as http, asyncio.timeout(30):
        while True:
            try:
                if (await http.get(f"{address}/healthz")).status_code == 200:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.02)


async def settled(db: Database) -> None:
    async with asyncio.timeout(90):
        while (await balance(db)).total.in_flight:
            await asyncio.sleep(0.1)


@pytest.fixture
async def place(tmp_path: Path):
    """Keys, an empty database with one vendor, the sandbox, and the environment of the processes."""
    (tmp_path / "keys").mkdir(mode=0o700)
    keys = tmp_path / "keys" / "keys.json"
    keyring = KeyRing.generate(keys)
    db = open_database(f"sqlite:///{tmp_path / 'gateway.db'}")
    await migrate(db)
    vault, clock = Vault(keyring), SystemClock()
    await ensure_data_keys(db, vault, clock)
    secret = await add_vendor(db, vault, clock, "viettel", "viettel")
    port = free_port()
    async with serving(make_sandbox(ROSTER, seed=7)) as base:
        env = os.environ | {
            "LOG": str(tmp_path / "gateway.log"),
            "GATEWAY_DATA_DIR": str(tmp_path / "data"),
            "GATEWAY_DATABASE_URL": f"sqlite:///{tmp_path / 'gateway.db'}",
            "GATEWAY_KEYS_FILE": str(keys),
            "GATEWAY_PORT": str(port),
            "GATEWAY_TOKEN_URL": f"{base}/oauth/token",
            "GATEWAY_TEMIS_URL": f"{base}/temis",
            "GATEWAY_REGISTRY_URL": f"{base}/registry",
            "GATEWAY_TEMIS_TIMEOUT_S": "1",
            "GATEWAY_REGISTRY_TIMEOUT_S": "1",
            "GATEWAY_TEMIS_RATE_PER_S": "1000",
            "GATEWAY_TEMIS_PROBE_S": "0.2",
            "GATEWAY_LEASE_MS": "6000",
            "GATEWAY_TEMIS_BATCH_ITEMS": "20",
            "GATEWAY_CLAIM_ROWS": "50",
        }
        yield db, secret, base, f"http://127.0.0.1:{port}", env
    await db.close()


async def test_twenty_kills_lose_and_double_nothing(place):
    """Every receipt ends as one TEMIS record, superseded by a better one, or an explained hold."""
    db, secret, base, address, env = place
    chance = random.Random(2026)
    vendor, stop = Vendor(address, secret), asyncio.Event()
    async with httpx.AsyncClient(base_url=base) as control:
        await control.put("/_control/faults", json=FAULTS)
        stream = asyncio.create_task(vendor.stream(stop))
        for round_ in range(ROUNDS):
            # In turn: the web process alone dies, the worker alone, both, and one that is both.
            web = ["serve"] if round_ % 4 == 3 else ["serve", "--no-worker"]
            async with process(*web, env=env) as serving_process, process("work", env=env) as working:
                await until_ready(address)
                before = vendor.sent
                async with asyncio.timeout(30):
                    while vendor.sent < before + 20:
                        await asyncio.sleep(0.005)
                await asyncio.sleep(chance.uniform(0, 0.8))
                first, second = (serving_process, working) if round_ % 2 else (working, serving_process)
                first.send_signal(signal.SIGKILL)
                await asyncio.sleep(chance.uniform(0, 0.3))
                second.send_signal(signal.SIGKILL)
        await control.delete("/_control/faults")
        async with process("serve", env=env) as last:
            await until_ready(address)
            stop.set()
            await stream
            await settled(db)
            last.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(last.wait(), 30) == 0
        await check(db, vendor, control)


async def check(db: Database, vendor: Vendor, control: httpx.AsyncClient) -> None:
    """Compares what the vendor was told, what our rows say and what TEMIS shows."""
    assert vendor.sent >= ROUNDS * 20
    sheet = await balance(db)
    assert sheet.closes
    assert sheet.total.received == len(vendor.receipts) == vendor.sent
    async with db.read() as tx:
        rows = {r.event_id: r for r in await tx.rows("SELECT * FROM deliveries WHERE kind = 'completion'")}
    assert {event: str(row.id) for event, row in rows.items()} == vendor.receipts
    ends = Counter((row.state, row.reason) for row in rows.values())
    assert ends.keys() <= {
        ("delivered", None),
        ("voided", "superseded"),
        ("held", "attribute.name_mismatch"),
    }, ends
    assert len(ends) == 3, "each way to end is met"
    records = [
        orjson.loads(line) for line in (await control.get("/_control/temis/records")).content.splitlines()
    ]
    assert len(records) == ends["delivered", None]
    best: dict[tuple[str, str], int] = {}
    for n in range(vendor.sent):
        if n % 50 == 0:
            continue
        key = (ROSTER[n % PEOPLE].sector_id, f"GVPT{n // PEOPLE % MODULES + 1:02}")
        if key not in best or (n % 50, n) > (best[key] % 50, best[key]):
            best[key] = n
    shown = {(r["sector_id"], r["module_code"]): r["certificate_no"] for r in records}
    assert shown == {key: f"C{n}" for key, n in best.items()}
    writes = [orjson.loads(line) for line in (await control.get("/_control/temis/writes")).content.splitlines()]
    created = Counter(str(w["key"]) for w in writes if w["op"] == "created")
    assert set(created.values()) == {1}, "one created per key"
    assert all(w["old_digest"] != w["new_digest"] for w in writes), "no content-equal second write"


async def test_the_balance_does_not_close_when_a_row_is_deleted_by_hand(place):
    """The check can fail: a delivery that vanishes is missed by its vendor's sheet."""
    db, secret, _, address, env = place
    vendor = Vendor(address, secret)
    async with process("serve", "--no-worker", env=env), httpx.AsyncClient() as http:
        await until_ready(address)
        await vendor.post(http, 0, 10)
    assert (await balance(db)).closes
    await db.write(lambda tx: tx.run("DELETE FROM deliveries WHERE event_id = 'evt-3'"))
    assert not (await balance(db)).closes
