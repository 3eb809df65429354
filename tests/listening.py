"""The real HTTP floor on a real socket over a real database, and a vendor who signs: for tests of the API."""

import asyncio
import dataclasses
import itertools
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import aiohttp
import asyncpg
import orjson
from sqlalchemy.engine import make_url

from gateway.api.app import make_app
from gateway.api.context import Context, Drain
from gateway.api.server import listening
from gateway.app import Gateway, open_authority, open_gateway
from gateway.cli.serving.process import context_of, parts_of
from gateway.console.mount import mount
from gateway.queue.balance import balance
from gateway.queue.vendors import add_vendor
from gateway.security.keys import KeyRing
from gateway.security.signatures import sign
from gateway.settings import load
from gateway.storage.engine import open_database
from gateway.storage.schema import migrate
from tests.builders import FakeClock

_ids = itertools.count(1)
POST_PATH = "/v1/vendors/viettel/completions"


def an_item(event_id: str | None = None, **changes: Any) -> dict[str, Any]:
    """One valid Viettel item, its event id new unless given; `changes` replace whole members."""
    return {
        "eventId": event_id or f"event-{next(_ids)}",
        "eventType": "COURSE_COMPLETED",
        "revision": 1,
        "occurredAt": 1_773_032_400_000,
        "user": {"userId": "5f0a" * 6, "fullName": "Nguyễn Thị Hòa", "sectorCode": "03100000001"},
        "course": {"courseId": "course-1", "courseCode": "GVPT 03", "schoolYear": "2025-2026", "periods": 40},
        "result": {"score": 8.5, "maxScore": 10, "passed": True},
        **changes,
    }


@dataclasses.dataclass
class Answer:
    """What came back, read to its end."""

    status: int
    headers: Any
    body: bytes

    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def code(self) -> str:
        """The code of a problem; asserts that it is one, whole and consistent."""
        assert self.headers["Content-Type"] == "application/problem+json", self.body
        problem = self.json()
        assert problem["status"] == self.status
        assert problem["type"] == f"urn:lms-temis-gateway:problem:{problem['code']}"
        assert problem["title"] and problem["detail"], problem
        assert problem["instance"] == self.headers["X-Correlation-Id"]
        return str(problem["code"])


class Desk:
    """A gateway that listens, and the vendor `viettel` in front of it."""

    def __init__(
        self, gateway: Gateway, clock: FakeClock, context: Context, address: str, secret: str,
        session: aiohttp.ClientSession,
    ) -> None:  # fmt: skip
        self.gateway = gateway
        self.clock = clock
        self.context = context
        self.address = address
        self.secret = secret
        self._session = session

    async def ask(self, method: str, path: str, **options: Any) -> Answer:
        async with self._session.request(method, self.address + path, **options) as answer:
            return Answer(answer.status, answer.headers, await answer.read())

    def signed(self, body: bytes, **how: Any) -> dict[str, str]:
        """Headers of a signed request. `how`: secret, message_id, at_s, headers to add or (None) to drop."""
        headers = sign(
            how.pop("secret", self.secret),
            how.pop("message_id", None) or f"msg_{next(_ids)}",
            how.pop("at_s", self.clock.now_ms() // 1000),
            body,
        )
        headers["Content-Type"] = "application/json"
        for name, value in how.pop("headers", {}).items():
            headers.pop(name, None)
            if value is not None:
                headers[name] = value
        assert not how, how
        return headers

    async def post(self, content: Any, *, path: str = POST_PATH, **how: Any) -> Answer:
        """Sends bytes as they are, or anything else as JSON; signed."""
        body = content if isinstance(content, bytes) else orjson.dumps(content)
        return await self.ask("POST", path, data=body, headers=self.signed(body, **how))

    async def delete(self, event_id: str, **how: Any) -> Answer:
        """Withdraws an event; the address may be percent-encoded, the body names it as it is."""
        body = orjson.dumps({"event_id": unquote(event_id)})
        return await self.ask("DELETE", f"{POST_PATH}/{event_id}", data=body, headers=self.signed(body, **how))

    async def arrived(self) -> dict[str, int]:
        """The ledger's counts so far; the balance must close at every moment."""
        sheet = await balance(self.gateway.db)
        assert sheet.closes
        return {kind: n for kind, n in sheet.total.arrived.items() if n}

    async def count(self, event_id: str) -> int:
        """Rows of this event, read on another connection than the writer's."""
        async with self.gateway.db.read() as tx:
            [row] = await tx.rows("SELECT COUNT(*) AS n FROM deliveries WHERE event_id = :e", e=event_id)
        return int(row.n)

    @asynccontextmanager
    async def blocked_database(self) -> AsyncIterator[None]:
        """While the block runs, every other write waits."""
        held, release, loop = asyncio.Event(), asyncio.Event(), asyncio.get_running_loop()
        in_thread = threading.Event()  # SQLite runs a transaction in a thread of its own

        async def hold(tx):
            if tx.dialect == "postgresql":
                await tx.run("LOCK TABLE vendors, deliveries, intake, leases IN EXCLUSIVE MODE")
                held.set()
                await release.wait()
            else:
                loop.call_soon_threadsafe(held.set)
                assert in_thread.wait(30)

        holding = asyncio.create_task(self.gateway.db.write(hold))
        await held.wait()
        try:
            yield
        finally:
            release.set()
            in_thread.set()
            await holding


async def until(is_so: Any) -> None:
    """Waits for a condition that other tasks bring about."""
    async with asyncio.timeout(10):
        while not is_so():
            await asyncio.sleep(0.002)


async def a_database(engine: str, folder: Path, postgres_url: Any) -> str:
    """An empty database of its own. `postgres_url` is called only for PostgreSQL."""
    if engine == "sqlite":
        return f"sqlite:///{folder / 'gateway.db'}"
    name = f"api_{next(_ids)}"
    connection = await asyncpg.connect(postgres_url())
    await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    return make_url(postgres_url()).set(database=name).render_as_string(hide_password=False)


@asynccontextmanager
async def open_desk(
    url: str, folder: Path, *, env: Mapping[str, str] | None = None, **changes: Any
) -> AsyncIterator[Desk]:
    """A gateway without a worker, one vendor in it. `env` adds settings, `changes` go to its Context."""
    keys = folder / "keys.json"
    KeyRing.generate(keys)
    settings = load(
        {
            "GATEWAY_DATA_DIR": str(folder / "data"),
            "GATEWAY_DATABASE_URL": url,
            "GATEWAY_KEYS_FILE": str(keys),
            **(env or {}),
        }
    )
    db = open_database(url)
    await migrate(db)
    await db.close()
    clock = FakeClock()
    async with (
        open_gateway(settings, clock=clock) as gateway,
        open_authority(gateway) if settings.registry.url else nullcontext() as authority,
    ):
        secret = await add_vendor(gateway.db, gateway.vault, clock, "viettel", "viettel")
        context = dataclasses.replace(context_of(gateway, None, Drain(), authority), **changes)
        app = make_app(context)
        mount(app, parts_of(gateway, None, authority))
        async with (
            listening(app, "127.0.0.1", 0) as address,
            aiohttp.ClientSession(auto_decompress=False) as session,
        ):
            yield Desk(gateway, clock, context, address, secret, session)
