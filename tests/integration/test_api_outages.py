"""What vendors and watchers meet when the database is blocked, a system is down or the process ends."""

import asyncio
import dataclasses
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import structlog

from gateway.api.app import make_app, serve_routes
from gateway.api.context import Drain
from gateway.api.routes import Route
from gateway.api.server import listening
from gateway.api.write_path import WritePath
from gateway.cli.exits import Exit
from gateway.cli.serving.process import work_until_drained
from gateway.model.errors import CredentialsRefused, Throttled, Unanswered
from gateway.model.states import State
from gateway.outbound.breaker import Breaker
from gateway.outbound.gate import Gate
from gateway.outbound.limiter import Limiter
from gateway.queue.worker import Worker
from tests.conftest import ENGINES
from tests.listening import Desk, a_database, an_item, open_desk, until


@pytest.fixture(params=ENGINES)
async def desk(request, tmp_path):
    url = await a_database(request.param, tmp_path, lambda: request.getfixturevalue("postgres_url"))
    async with open_desk(url, tmp_path) as desk:
        yield desk


@pytest.fixture
async def hasty(tmp_path):
    """A gateway without patience, on SQLite: what takes a moment is too slow."""
    url = await a_database("sqlite", tmp_path, None)
    async with open_desk(url, tmp_path, patience_s=0.05) as desk:
        yield desk


async def in_commit_and_waiting(desk: Desk) -> list[asyncio.Task]:
    """Sends `first`, which is in the blocked commit, and `second`, which waits for the next."""
    first = asyncio.create_task(desk.post(an_item("first")))
    await until(lambda: desk.context.drain.is_busy)
    second = asyncio.create_task(desk.post(an_item("second")))
    await until(lambda: desk.gateway.acceptor.waiting == 1)
    return [first, second]


async def test_202_waits_for_the_commit(desk: Desk):
    """While nothing can be committed nothing is answered; then both requests are, and both rows are there."""
    await desk.post(an_item())
    async with desk.blocked_database():
        sending = await in_commit_and_waiting(desk)
        assert not any(task.done() for task in sending)
        assert await desk.count("first") == 0
    assert [(await task).status for task in sending] == [202, 202]
    assert (await desk.count("first"), await desk.count("second")) == (1, 1)


async def test_a_full_queue_is_503_with_the_time_to_wait(desk: Desk):
    """When the oldest request has waited too long, new ones are told to come back and are not stored."""
    await desk.post(an_item())
    async with desk.blocked_database():
        sending = await in_commit_and_waiting(desk)
        desk.clock.advance(ms=desk.gateway.settings.accept_queue_max_age_ms + 1)
        refused = await desk.post(an_item("refused"))
    assert (refused.status, refused.code) == (503, "overloaded")
    assert int(refused.headers["Retry-After"]) > 0
    assert [(await task).status for task in sending] == [202, 202]
    assert await desk.count("refused") == 0


async def test_a_commit_that_does_not_come_is_503_and_sent_again_a_duplicate(hasty: Desk):
    """The answer says that it is open whether it was stored; sending it again settles that."""
    async with hasty.blocked_database():
        slow = await hasty.post(an_item("slow"))
        assert (slow.status, slow.code, slow.headers["Retry-After"]) == (503, "storage.slow", "30")
    await hasty.gateway.acceptor.drain()
    assert (await hasty.post(an_item("slow"))).json()["receipts"][0]["status"] == "duplicate"


async def test_a_body_that_drips_is_408(hasty: Desk):
    """A slow sender cannot hold a place for ever."""

    async def drip():
        yield b"["
        await until(lambda: answered)

    answered: list[int] = []
    sending = asyncio.create_task(
        hasty.ask("POST", "/v1/vendors/viettel/completions", data=drip(), headers=hasty.signed(b""))
    )
    answer = await sending
    answered.append(answer.status)
    assert (answer.status, answer.code) == (408, "body.too_slow")


async def test_a_database_that_is_gone_is_503_and_no_detail(tmp_path):
    """Whatever the engine says stays inside; the sender is told to come back."""
    url = await a_database("sqlite", tmp_path, None)
    async with open_desk(url, tmp_path) as desk:
        async with desk.gateway.db.engine.connect() as connection:
            await connection.exec_driver_sql("ALTER TABLE intake RENAME TO elsewhere")
            await connection.commit()
        answer = await desk.post(an_item())
        assert (answer.status, answer.code) == (503, "storage.unavailable")
        assert b"intake" not in answer.body
        assert int(answer.headers["Retry-After"]) > 0


async def test_an_error_nobody_foresaw_is_500_without_detail(desk: Desk):
    """The answer holds a correlation id and nothing of the error."""

    async def fail(request):
        raise RuntimeError("person 0310000000199 'Nguyễn Thị Hòa'")

    route = Route("GET", "/fail", fail, name="fail", summary="", answers={})
    async with listening(serve_routes(desk.context, [route]), "127.0.0.1", 0) as desk.address:
        answer = await desk.ask("GET", "/fail")
    assert (answer.status, answer.code) == (500, "internal.error")
    assert b"0310" not in answer.body
    assert "RuntimeError" not in answer.body.decode()


# --- health ---------------------------------------------------------------------------------------------------


async def test_a_process_that_works_is_ready(desk: Desk):
    """Without a worker there is only the database to speak of."""
    assert (await desk.ask("GET", "/healthz")).json() == {"status": "alive"}
    answer = await desk.ask("GET", "/readyz")
    assert answer.status == 200
    assert answer.json() == {"status": "ready", "components": {"database": {"status": "up", "state": "up"}}}


async def test_a_database_that_takes_no_writes_is_not_ready(desk: Desk):
    """The process is alive all the same: restarting it would mend nothing."""
    hasty = dataclasses.replace(desk.context, write_path=WritePath(desk.gateway.db, patience_s=0.05))
    async with listening(make_app(hasty), "127.0.0.1", 0) as desk.address:
        async with desk.blocked_database():
            answer = await desk.ask("GET", "/readyz")
            assert (answer.status, answer.json()["status"]) == (503, "unready")
            assert answer.json()["components"]["database"]["status"] == "down"
            assert (await desk.ask("GET", "/healthz")).status == 200
        await until_ready(desk)


async def test_a_full_disk_is_not_ready_and_loses_nothing(tmp_path):
    """Files cannot grow, as on a full disk: 503 for vendors and readiness, until there is room again."""
    url = await a_database("sqlite", tmp_path, None)
    async with open_desk(url, tmp_path) as desk:
        eager = dataclasses.replace(desk.context, write_path=WritePath(desk.gateway.db, fresh_s=0))
        async with listening(make_app(eager), "127.0.0.1", 0) as desk.address:
            assert (await desk.post(an_item("before"))).status == 202
            with structlog.testing.capture_logs() as lines, no_room():
                ready = await desk.ask("GET", "/readyz")
                assert (ready.status, ready.json()["status"]) == (503, "unready")
                refused = await desk.post(an_item("meanwhile"))
                assert (refused.status, refused.code) == (503, "storage.unavailable")
            assert {"database.down", "storage.unavailable"} <= {line["event"] for line in lines}
            assert (await desk.ask("GET", "/readyz")).status == 200
            assert (await desk.post(an_item("meanwhile"))).json()["receipts"][0]["status"] == "accepted"
            assert (await desk.count("before"), await desk.count("meanwhile")) == (1, 1)
            assert (await desk.arrived())["received"] == 2


@contextmanager
def no_room() -> Iterator[None]:
    """No file of this process can be written beyond its first 4 KiB."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_asking_for_readiness_all_the_time_costs_one_commit(desk: Desk):
    """Anybody may ask, and a commit waits for the disk: that it works is good for a second."""
    for _ in range(20):
        assert (await desk.ask("GET", "/readyz")).status == 200
    async with desk.gateway.db.read() as tx:
        [row] = await tx.rows("SELECT fence FROM leases WHERE name = 'write_path'")
    assert row.fence < 5


async def until_ready(desk: Desk) -> None:
    async with asyncio.timeout(10):
        while (await desk.ask("GET", "/readyz")).status != 200:
            pass


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Unanswered("-"), {"status": "down", "state": "open", "retry_in_s": 30.0}),
        (CredentialsRefused("-"), {"status": "down", "state": "paused", "retry_in_s": 60.0}),
        (Throttled("-", retry_after_s=70), {"status": "degraded", "state": "delayed", "retry_in_s": 70.0}),
    ],
    ids=["outage", "credentials", "throttle"],
)
async def test_an_outage_outside_is_told_and_accepting_goes_on(desk: Desk, error, told):
    """`degraded` is 200: the queue waits for TEMIS and the registry, vendors need not."""
    now = time.monotonic()
    gates = tuple(
        Gate(name, Breaker(lambda: now), Limiter(rate_per_s=10, concurrency=1))
        for name in ("registry", "temis")
    )
    for _ in range(5):
        gates[1].failed(error)
    async with listening(
        make_app(dataclasses.replace(desk.context, gates=gates)), "127.0.0.1", 0
    ) as desk.address:
        answer = await desk.ask("GET", "/readyz")
        assert (answer.status, answer.json()["status"]) == (200, "degraded")
        assert answer.json()["components"]["registry"] == {"status": "up", "state": "closed"}
        assert answer.json()["components"]["temis"] == told
        assert (await desk.post(an_item())).status == 202
        text = (await desk.ask("GET", "/metrics")).body.decode()
    assert f'gateway_breaker_state{{destination="temis"}} {0.0 if told["state"] == "delayed" else 2.0}' in text
    assert f'gateway_destination_paused{{destination="temis"}} {float(told["state"] == "paused")}' in text


async def test_work_in_hand_is_not_waited_for_for_ever(desk: Desk):
    """After `drain_s` the process ends all the same: what was not answered is sent again by the vendor."""
    settings = desk.gateway.settings.model_copy(update={"drain_s": 0})
    drain = Drain()
    drain.enter()
    drain.begin()
    with structlog.testing.capture_logs() as lines:
        gateway = dataclasses.replace(desk.gateway, settings=settings)
        assert await work_until_drained(gateway, None, drain) == Exit.OK
    assert [line["event"] for line in lines] == ["drain.begun", "drain.cut_short"]


class Bystander:
    """Runs beside the stages until it is told to stop."""

    def __init__(self) -> None:
        self.told = asyncio.Event()

    async def run(self) -> None:
        await self.told.wait()

    def stop(self) -> None:
        self.told.set()


class Busy:
    """A stage with a batch in hand that ends only after the worker was told to stop."""

    name, states = "busy", (State.ACCEPTED,)

    def __init__(self, told: asyncio.Event) -> None:
        self._told = told
        self.has_begun = self.has_finished = False

    def wait_s(self) -> float:
        return 0.0

    async def step(self, state: State, lane: int) -> int:
        self.has_begun = True
        await self._told.wait()
        self.has_finished = True
        return 1


class Broken:
    """A stage that dies of something no loop expects, while the other one is busy."""

    name, states = "broken", (State.VERIFIED,)

    def __init__(self, busy: Busy) -> None:
        self._busy = busy

    def wait_s(self) -> float:
        if self._busy.has_begun:
            raise RuntimeError
        return 0.01

    async def step(self, state: State, lane: int) -> int:
        return 0


async def test_a_worker_that_dies_ends_its_process_in_order(desk: Desk):
    """Half a process must not go on: batches in hand are finished, the death is logged, the status is no 0."""
    await desk.post(an_item())
    vendor = await desk.gateway.vendors.find("viettel")
    bystander, drain = Bystander(), Drain()
    busy = Busy(bystander.told)

    async def lanes() -> list[int]:
        return [vendor.lane]

    stages = [(busy, 1), (Broken(busy), 1)]
    worker = Worker(desk.gateway.db, desk.clock, lanes, stages, [bystander])
    with structlog.testing.capture_logs() as lines:
        assert await work_until_drained(desk.gateway, worker, drain) == Exit.BUG
    assert [line["event"] for line in lines] == ["worker.died", "drain.begun", "drain.done"]
    assert isinstance(lines[0]["exc_info"], RuntimeError)
    assert busy.has_finished
    assert drain.has_begun


# --- draining -------------------------------------------------------------------------------------------------


async def test_a_process_that_ends_takes_nothing_new_and_finishes_what_it_has(desk: Desk):
    """Requests in hand are answered after their commit; new ones are sent elsewhere, and readiness says so."""
    async with desk.blocked_database():
        in_hand = asyncio.create_task(desk.post(an_item("in-hand")))
        await until(lambda: desk.context.drain.is_busy)
        desk.context.drain.begin()
        refused = await desk.post(an_item("late"))
        assert (refused.status, refused.code, refused.headers["Retry-After"]) == (503, "draining", "5")
        assert refused.headers["Connection"] == "close"
        withdrawal = await desk.delete("in-hand")
        assert (withdrawal.status, withdrawal.code) == (503, "draining")
        emptied = asyncio.create_task(desk.context.drain.empty())
        await asyncio.sleep(0)
        assert not emptied.done()
    assert (await in_hand).status == 202
    await emptied
    assert (await desk.count("in-hand"), await desk.count("late")) == (1, 0)
    ready = await desk.ask("GET", "/readyz")
    assert (ready.status, ready.json()["status"]) == (503, "draining")
    assert (await desk.ask("GET", "/healthz")).status == 200
