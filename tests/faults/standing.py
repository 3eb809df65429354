"""A gateway whose time stands in a test's hand: clock, breakers and rates follow it; nothing waits for real."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path

import httpx
import orjson

from gateway.app import Gateway, Pipeline, open_gateway, open_pipeline
from gateway.model.states import State
from gateway.outbound.breaker import Breaker
from gateway.outbound.limiter import Limiter
from gateway.queue.balance import balance
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

LANES = (*FIXED, 101)
MODULES = 15


def people(n: int) -> list[StaffRow]:
    """So many people of one school."""
    return [
        StaffRow(f"31{i:08d}", f"Trần Thị Hoa {i}", f"1985-03-{i % 28 + 1:02}", unit_code="31000717", role="GV")
        for i in range(n)
    ]


def item(roster: Sequence[StaffRow], n: int) -> dict:
    """The n-th completion: each another record, of person and module."""
    person, module = roster[n // MODULES % len(roster)], n % MODULES + 1
    return {
        "eventId": f"evt-{n}",
        "eventType": "COURSE_COMPLETED",
        "revision": 1,
        "occurredAt": 1_773_032_400_000 + n,
        "user": {
            "userId": f"{n // MODULES % len(roster):024x}",
            "fullName": person.full_name,
            "birthday": date.fromisoformat(person.birth_date).strftime("%d/%m/%Y"),
            "sectorCode": person.sector_id,
            "schoolCode": "31000717",
            "position": "GV",
        },
        "course": {
            "courseId": f"c-{module}",
            "courseCode": f"GVPT {module:02}",
            "courseName": "x",
            "schoolYear": "2025-2026",
        },
        "result": {"score": 8.5, "maxScore": 10, "passed": True},
    }


class Standing:
    """One process. Every method returns when its work is done; time passes only by `clock`."""

    def __init__(
        self, gateway: Gateway, pipeline: Pipeline, http: httpx.AsyncClient, clock: FakeClock, roster
    ) -> None:
        self.gateway, self.pipeline, self.http, self.clock, self.roster = gateway, pipeline, http, clock, roster
        self.db = gateway.db
        for gate, rate in zip(pipeline.gates, (gateway.settings.registry, gateway.settings.temis), strict=True):
            gate.breaker = Breaker(self.now_s)
            gate._limiter = Limiter(
                rate_per_s=rate.rate_per_s, concurrency=rate.concurrency, now=self.now_s, sleep=self.pass_s
            )

    def now_s(self) -> float:
        return self.clock.now_ms() / 1000

    async def pass_s(self, seconds: float) -> None:
        self.clock.advance(ms=max(1, round(seconds * 1000)))
        await asyncio.sleep(0)

    async def send(self, first: int, n: int) -> None:
        """Takes completions first .. first + n - 1."""
        vendor = await self.gateway.vendors.find("viettel")
        for start in range(first, first + n, 500):
            part = [item(self.roster, i) for i in range(start, min(start + 500, first + n))]
            receipts = await self.gateway.receive.receive(vendor, orjson.dumps(part))
            assert {receipt.status for receipt in receipts} == {"accepted"}

    async def faults(self, *faults: dict) -> None:
        (await self.http.put("/_control/faults", json=list(faults))).raise_for_status()

    async def turn(self) -> int:
        """Each stage once for each lane with something due. Returns: rows claimed."""
        return await self.verify() + await self.deliver()

    async def verify(self) -> int:
        """Verifies one batch; nothing is handed over to delivery."""
        gate = self.pipeline.temis_gate
        gate.paused = True
        try:
            stage = self.pipeline.verify
            return sum([await stage.step(state, lane) for state in stage.states for lane in LANES])
        finally:
            gate.paused = False

    async def deliver(self) -> int:
        """Delivers one batch."""
        return sum([await self.pipeline.deliver.step(State.VERIFIED, lane) for lane in LANES])

    async def drain(self, *, within_s: int) -> float:
        """Works until nothing is in flight. Returns: seconds that passed on the clock."""
        began = self.now_s()
        while await self.in_flight():
            if not await self.turn():
                await self.pass_s(max(1.0, *(gate.wait_s() for gate in self.pipeline.gates)))
            assert self.now_s() - began <= within_s, await self.states()
        return self.now_s() - began

    async def drain_verification(self) -> None:
        """Verifies until nothing is accepted any more."""
        while await self.rows("SELECT 1 FROM deliveries WHERE state = 'accepted' LIMIT 1"):
            if not await self.verify():
                await self.pass_s(1)

    def forget_tokens(self) -> None:
        """The next call needs a new token."""
        for caller in self._callers():
            caller._token._token = None

    def patience(self, seconds: float) -> None:
        """How long a call may take, really."""
        for caller in self._callers():
            caller.timeout_s = caller._token._timeout_s = seconds

    def _callers(self):
        return self.pipeline.temis._caller, self.pipeline.authority.registry._registry._caller

    async def outcomes(self, first: int, n: int) -> set[str]:
        """Outcome codes in the attempt log of these completions."""
        ids = ", ".join(str(row.id) for row in await self.deliveries(first, n))
        rows = await self.rows(f"SELECT DISTINCT outcome FROM attempts WHERE delivery_id IN ({ids})")
        return {row.outcome for row in rows}

    async def deliveries(self, first: int, n: int):
        events = ", ".join(f"'evt-{i}'" for i in range(first, first + n))
        return await self.rows(f"SELECT id, state, tries FROM deliveries WHERE event_id IN ({events})")

    async def in_flight(self) -> bool:
        async with self.db.read() as tx:
            found = await tx.rows("SELECT 1 FROM deliveries WHERE state IN ('accepted', 'verified') LIMIT 1")
        return bool(found)

    async def states(self) -> dict[str, int]:
        sheet = await balance(self.db)
        assert sheet.closes
        return {state: n for state, n in sheet.total.states.items() if n}

    async def writes(self) -> list[str]:
        """What TEMIS did to records, in order."""
        answer = await self.http.get("/_control/temis/writes")
        return [orjson.loads(line)["op"] for line in answer.content.splitlines()]

    async def rows(self, sql: str, **fill):
        async with self.db.read() as tx:
            return list(await tx.rows(sql, **fill))


@asynccontextmanager
async def standing(
    database_url: str, folder: Path, clock: FakeClock, roster: Sequence[StaffRow], **env: str
) -> AsyncIterator[Standing]:
    """Opens it over a sandbox of its own."""
    keys = folder / "keys" / "keys.json"
    keys.parent.mkdir()
    KeyRing.generate(keys)
    db = open_database(database_url)
    await migrate(db)
    await guard_moves(db)
    await db.close()
    async with serving(make_sandbox(roster)) as base, httpx.AsyncClient(base_url=base, timeout=60) as http:
        settings = load(
            {
                "GATEWAY_DATA_DIR": str(folder / "data"),
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
            await add_vendor(gateway.db, gateway.vault, clock, "viettel", "viettel")
            async with open_pipeline(gateway) as pipeline:
                yield Standing(gateway, pipeline, http, clock, roster)
