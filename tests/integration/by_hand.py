"""The pipeline taken one step at a time: a real database, the sandbox over HTTP, a clock that stands still."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import orjson

from gateway.app import Gateway, Pipeline, open_gateway, open_pipeline
from gateway.outbound.breaker import BreakerLimits
from gateway.queue.lanes import FIXED
from gateway.queue.vendors import add_vendor
from gateway.sandbox.app import make_sandbox
from gateway.sandbox.roster import StaffRow
from gateway.sandbox.server import serving
from gateway.security.keys import KeyRing
from gateway.settings import load
from gateway.storage.engine import open_database
from gateway.storage.schema import migrate
from tests.builders import FakeClock
from tests.moves import guard_moves

ROSTER = [
    StaffRow(f"31000000{n:02d}", f"Nguyễn Thị Hòa {n}", "1985-03-05", unit_code="31000717", role="GV")
    for n in range(40)
]
LANES = (*FIXED, 101, 102)


def completion(n: int, *, event: str | None = None, revision: int = 1, code: str = "GVPT 03", score=8.5):
    """One Viettel completion of person `n` of the roster."""
    return {
        "eventId": event or f"evt-{n}",
        "eventType": "COURSE_COMPLETED",
        "revision": revision,
        "occurredAt": 1_773_032_400_000,
        "user": {
            "userId": f"{n:024x}",
            "fullName": ROSTER[n].full_name,
            "birthday": "05/03/1985",
            "sectorCode": ROSTER[n].sector_id,
            "schoolCode": "31000717",
            "position": "GV",
        },
        "course": {"courseId": code, "courseCode": code, "courseName": "x", "schoolYear": "2025-2026"},
        "result": {"score": score, "maxScore": 10, "passed": True},
    }


class Hand:
    """Steps of the stages, each called by a test."""

    def __init__(self, gateway: Gateway, pipeline: Pipeline, http: httpx.AsyncClient, clock: FakeClock) -> None:
        self.gateway = gateway
        self.pipeline = pipeline
        self.http = http
        self.clock = clock
        self.db = gateway.db

    async def send(self, *items) -> list[int]:
        """Accepts items of viettel. Returns: delivery ids."""
        vendor = await self.gateway.vendors.find("viettel")
        receipts = await self.gateway.receive.receive(vendor, orjson.dumps(list(items)))
        return [receipt.delivery_id for receipt in receipts]

    async def verify(self, *, hand_over: bool = False) -> int:
        """Verifies what is due; with `hand_over` delivers it in the same lease. Returns: rows claimed."""
        if not hand_over:
            self.pipeline.temis_gate.paused = True  # then nothing is handed over
        try:
            return await self._steps(self.pipeline.verify)
        finally:
            self.pipeline.temis_gate.paused = False

    async def deliver(self) -> int:
        """Delivers what is due. Returns: rows claimed."""
        return await self._steps(self.pipeline.deliver)

    async def _steps(self, stage) -> int:
        return sum([await stage.step(state, lane) for state in stage.states for lane in LANES])

    async def rows(self, sql: str, **parameters):
        async with self.db.read() as tx:
            return list(await tx.rows(sql, **parameters))

    async def row(self, id_: int):
        [found] = await self.rows("SELECT * FROM deliveries WHERE id = :id", id=id_)
        return found

    async def states(self) -> dict[int, str]:
        return {r.id: r.state for r in await self.rows("SELECT id, state FROM deliveries ORDER BY id")}

    async def shown(self) -> list[dict]:
        """TEMIS's records."""
        answer = await self.http.get("/_control/temis/records")
        return [orjson.loads(line) for line in answer.content.splitlines()]

    async def faults(self, *faults: dict) -> None:
        (await self.http.put("/_control/faults", json=list(faults))).raise_for_status()

    async def account(self, n: int, state: str) -> None:
        """Changes the TEMIS account of person `n` of the roster."""
        path = f"/_control/temis/accounts/{ROSTER[n].sector_id}"
        (await self.http.put(path, json={"state": state})).raise_for_status()


@asynccontextmanager
async def by_hand(database_url: str, tmp_path: Path, clock: FakeClock, **env: str) -> AsyncIterator[Hand]:
    """A gateway with vendors viettel and vnpt whose worker does not run."""
    keys = tmp_path / "keys.json"
    KeyRing.generate(keys)
    db = open_database(database_url)
    await migrate(db)
    await guard_moves(db)
    await db.close()
    async with serving(make_sandbox(ROSTER)) as base, httpx.AsyncClient(base_url=base) as http:
        settings = load(
            {
                "GATEWAY_DATA_DIR": str(tmp_path / "data"),
                "GATEWAY_DATABASE_URL": database_url,
                "GATEWAY_KEYS_FILE": str(keys),
                "GATEWAY_TOKEN_URL": f"{base}/oauth/token",
                "GATEWAY_TEMIS_URL": f"{base}/temis",
                "GATEWAY_REGISTRY_URL": f"{base}/registry",
                "GATEWAY_REGISTRY_CHANGES_POLL_S": "0",
                **env,
            }
        )
        async with open_gateway(settings, clock=clock) as gateway:
            for name in ("viettel", "vnpt"):
                await add_vendor(gateway.db, gateway.vault, clock, name, name)
            async with open_pipeline(gateway, limits=BreakerLimits(probe_s=0.0)) as pipeline:
                yield Hand(gateway, pipeline, http, clock)
