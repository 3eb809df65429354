"""Callbacks over real sockets: registered, proved, signed as the public library verifies, never lost."""

import asyncio
import dataclasses
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import orjson
import pytest
import time_machine
from aiohttp import web
from standardwebhooks import Webhook

from gateway.model.reasons import REASONS
from gateway.outbound.guard import Guard
from gateway.outbound.guarded import Poster
from gateway.queue.retry import JITTER
from gateway.queue.vendors import add_vendor
from gateway.sandbox.app import make_sandbox
from gateway.sandbox.server import serving
from gateway.stages.calling import AHEAD, SCHEDULE_S, Calling
from gateway.stages.following import EVENTS
from gateway.storage.leases import acquire, release
from tests.builders import steady
from tests.integration.test_following_api import BASE, move, publish_moves, read
from tests.integration.test_pipeline import ROSTER, Lab, running_gateway, viettel, wait_for
from tests.listening import Desk, an_item, open_desk, until


class Receiver:
    """An LMS's endpoint: verifies each message with the public library and answers as a test says."""

    def __init__(self) -> None:
        self.secret: str | None = None
        self.status = 200
        self.headers: dict[str, str] = {}
        self.answers_challenges = True
        self.only_fail: str | None = None
        self.release: asyncio.Event | None = None
        self.seen: list[tuple[str, dict]] = []
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        message = orjson.loads(body)
        if self.secret is not None:
            at = int(request.headers["webhook-timestamp"])
            with time_machine.travel(at, tick=False):
                assert Webhook(self.secret).verify(body, dict(request.headers)) == message
        if message["type"] == "callback.challenge":
            told = {"challenge": message["data"]["challenge"] if self.answers_challenges else "?"}
            return web.json_response(told, status=self.status)
        if self.release is not None:
            await self.release.wait()
        self.seen.append((request.headers["webhook-id"], message))
        fails = self.only_fail == message["data"]["event_id"]
        return web.Response(status=500 if fails else self.status, headers=self.headers)

    def told(self) -> list[tuple[str, str]]:
        return [(message["data"]["event_id"], message["type"]) for _, message in self.seen]


@asynccontextmanager
async def a_receiver():
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/hook", receiver.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}/hook"
    try:
        yield receiver
    finally:
        await runner.cleanup()


@pytest.fixture
async def receiver():
    async with a_receiver() as receiver:
        yield receiver


@dataclasses.dataclass
class Lines:
    """A desk whose operator allows this machine, and the duty that a leader would run."""

    desk: Desk
    calling: Calling

    async def add(self, receiver: Receiver, *events: str) -> str:
        """Registers and proves. Returns: the callback's id."""
        answer = await self.desk.post({"url": receiver.url, "events": list(events)}, path=f"{BASE}/callbacks")
        assert answer.status == 201, answer.body
        receiver.secret = answer.json()["secret"]
        id_ = str(answer.json()["callback_id"])
        assert (await self.act(id_, "prove")).json() == {"callback_id": id_, "state": "active"}
        return id_

    async def act(self, id_: str, what: str):
        return await self.desk.post({"callback_id": id_, "act": what}, path=f"{BASE}/callbacks/{id_}")

    async def turn(self) -> None:
        """What has moved is published, then every callback is served to its end."""
        await publish_moves(self.desk)
        lease = await acquire(self.desk.gateway.db, self.desk.clock, "leader", "test", 30_000)
        assert lease is not None
        await self.calling.run(lease)
        while self.calling._busy:
            await self.calling.run(lease)
        await release(self.desk.gateway.db, lease)

    async def shown(self, id_: str) -> dict:
        return (await read(self.desk, f"callbacks/{id_}")).json()

    def wait(self, s: float) -> None:
        """Beyond `s` seconds, jitter included."""
        self.desk.clock.advance(s=int(s * (1 + JITTER)) + 1)


@pytest.fixture
async def lines(database_url, tmp_path):
    env = {"GATEWAY_CALLBACK_ALLOW": "127.0.0.1/32"}
    async with open_desk(database_url, tmp_path, env=env) as desk:
        g = desk.gateway
        yield Lines(desk, Calling(g.db, desk.clock, g.vault, g.poster, jitter=steady(), ttl_ms=30_000))


# --- registering ---------------------------------------------------------------------------------------------


async def test_nothing_is_told_before_ownership_is_proved(lines, receiver):
    """Whoever registers somebody else's URL makes us send it one challenge, and no completion."""
    answer = await lines.desk.post({"url": receiver.url, "events": list(EVENTS)}, path=f"{BASE}/callbacks")
    assert (answer.status, answer.json()["state"]) == (201, "unproved")
    id_ = answer.json()["callback_id"]
    receiver.answers_challenges = False
    assert (await lines.act(id_, "prove")).code == "callback.unproved"
    receiver.answers_challenges, receiver.status = True, 500
    assert (await lines.act(id_, "prove")).code == "callback.unproved"
    await lines.desk.post(an_item("a"))
    await move(lines.desk, "a", "delivered", "temis.created", stage="deliver")
    await lines.turn()
    assert receiver.seen == []
    assert (await lines.shown(id_))["state"] == "unproved"


async def test_a_callback_is_told_only_what_comes_after_its_proof(lines, receiver):
    """Old changes are read from the feed; a new callback is not flooded with a year of them."""
    await lines.desk.post([an_item("old"), an_item("new")])
    await move(lines.desk, "old", "delivered", "temis.created", stage="deliver")
    await publish_moves(lines.desk)
    await lines.add(receiver, "completion.delivered")
    await move(lines.desk, "new", "delivered", "temis.created", stage="deliver")
    await lines.turn()
    assert receiver.told() == [("new", "completion.delivered")]


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"url": "https://10.0.0.1/"}, "callback.url_refused"),
     ({"url": "http://lms.example.vn/"}, "callback.url_refused"),
     ({"events": []}, "body.not_contract"), ({"events": ["completion.sold"]}, "body.not_contract"),
     ({"url": 7}, "body.not_contract"), ({"more": 1}, "body.not_contract")],
)  # fmt: skip
async def test_what_cannot_be_a_callback_is_refused(lines, receiver, changes, code):
    """Private addresses, unknown events, other members: refused before anything is stored."""
    body = {"url": receiver.url, "events": ["completion.held"], **changes}
    assert (await lines.desk.post(body, path=f"{BASE}/callbacks")).code == code
    assert (await read(lines.desk, "callbacks")).json() == {"callbacks": []}


async def test_a_vendor_has_five_callbacks_and_sees_no_others(lines, receiver):
    """The sixth is refused until one is removed; another vendor's is not found; no secret is shown again."""
    body = {"url": receiver.url, "events": ["completion.held"]}
    for _ in range(5):
        assert (await lines.desk.post(body, path=f"{BASE}/callbacks")).status == 201
    assert (await lines.desk.post(body, path=f"{BASE}/callbacks")).code == "callback.too_many"
    assert (await lines.act("1", "remove")).json()["state"] == "removed"
    assert (await lines.act("1", "prove")).code == "not_found"
    assert (await lines.desk.post(body, path=f"{BASE}/callbacks")).status == 201
    listed = await read(lines.desk, "callbacks")
    assert len(listed.json()["callbacks"]) == 5
    assert b"whsec_" not in listed.body
    other = await add_vendor(lines.desk.gateway.db, lines.desk.gateway.vault, lines.desk.clock, "vnpt", "vnpt")
    lines.desk.clock.advance(s=3)
    theirs = await lines.desk.post(
        {"callback_id": "2", "act": "remove"}, path="/v1/vendors/vnpt/callbacks/2", secret=other
    )
    assert theirs.code == "not_found"
    crossed = await lines.desk.post({"callback_id": "3", "act": "remove"}, path=f"{BASE}/callbacks/2")
    assert crossed.code == "callback.mismatch"


# --- telling -------------------------------------------------------------------------------------------------


async def test_each_event_is_told_signed_with_a_text_for_the_learner(lines, receiver):
    """The public library verifies every message; the LMS may show `learner_text` as it is."""
    await lines.add(receiver, *EVENTS)
    await lines.desk.post([an_item(name) for name in "abc"])
    await move(lines.desk, "a", "held", "registry.near_miss", reason="registry.near_miss")
    await move(lines.desk, "a", "verified", "verified")
    await move(lines.desk, "a", "delivered", "temis.created", stage="deliver")
    await move(lines.desk, "b", "dead", "temis.malformed", stage="deliver", reason="temis.malformed")
    await lines.desk.post(an_item("c", revision=2))
    await lines.turn()
    assert sorted(receiver.told()) == sorted([
        ("a", "completion.held"), ("a", "identity.failed"), ("a", "identity.verified"),
        ("a", "completion.delivered"), ("b", "completion.refused"), ("c", "completion.superseded"),
    ])  # fmt: skip
    by_type = {message["type"]: message["data"] for _, message in receiver.seen}
    assert {message["type"] for _, message in receiver.seen} == set(EVENTS)
    held = by_type["completion.held"]
    assert held["reason"]["code"] == "registry.not_found"
    assert held["learner_text"]["vi"].startswith(held["reason"]["message"]["vi"])
    assert held["learner_text"]["vi"].endswith("Thầy/Cô vui lòng liên hệ Quản trị trường để được hỗ trợ.")
    assert by_type["completion.delivered"]["learner_text"]["vi"].endswith("đã được ghi nhận trên TEMIS.")
    assert by_type["completion.superseded"]["gone"] == "replaced"
    assert all(message["data"]["learner_text"]["en"] for _, message in receiver.seen)


@pytest.mark.parametrize("code", sorted(REASONS))
async def test_no_message_tells_more_than_a_vendor_may_know(lines, receiver, code):
    """Codes leave folded here too."""
    from gateway.identity.vendor_view import fold

    await lines.add(receiver, "completion.held")
    await lines.desk.post(an_item("a"))
    await move(lines.desk, "a", "held", code, reason=code)
    await lines.turn()
    [(_, message)] = receiver.seen
    assert message["data"]["reason"]["code"] == fold(code)
    if fold(code) != code:
        assert code not in orjson.dumps(message).decode()


async def test_a_failure_is_tried_again_under_the_same_id_along_the_schedule(lines, receiver):
    """The receiver drops what it has seen by `webhook-id`; each try waits longer."""
    id_ = await lines.add(receiver, "completion.held")
    receiver.status = 503
    await lines.desk.post(an_item("a"))
    await move(lines.desk, "a", "held", "result.unstated", reason="result.unstated")
    await lines.turn()
    for tries, wait_s in enumerate(SCHEDULE_S[:3], 1):
        [message] = (await lines.shown(id_))["messages"]
        assert (message["status"], message["tries"], message["http_status"]) == ("waiting", tries, 503)
        lines.wait(wait_s)
        await lines.turn()
    receiver.status = 204
    lines.wait(SCHEDULE_S[3])
    await lines.turn()
    assert len(receiver.seen) == 5
    assert len({message_id for message_id, _ in receiver.seen}) == 1
    [message] = (await lines.shown(id_))["messages"]
    assert (message["status"], message["tries"], message["http_status"]) == ("told", 5, 204)
    await lines.turn()
    assert len(receiver.seen) == 5


async def test_retry_after_is_honoured_within_bounds(lines, receiver):
    """A receiver may ask for more time, at most twice what the schedule says."""
    id_ = await lines.add(receiver, "completion.held")
    receiver.status, receiver.headers = 429, {"Retry-After": "3600"}
    await lines.desk.post(an_item("a"))
    await move(lines.desk, "a", "held", "result.unstated", reason="result.unstated")
    await lines.turn()
    async with lines.desk.gateway.db.read() as tx:
        [row] = await tx.rows("SELECT due_at_ms, first_tried_at_ms AS at_ms FROM callback_deliveries")
    assert 2 * 5_000 * (1 - JITTER) <= row.due_at_ms - row.at_ms <= 2 * 5_000 * (1 + JITTER)
    assert (await lines.shown(id_))["state"] == "active"


async def test_a_receiver_that_stays_down_is_paused_and_loses_nothing(lines, receiver):
    """After the last try the callback stops; what happened meanwhile is told when it is resumed."""
    id_ = await lines.add(receiver, "completion.held")
    receiver.status = 500
    await lines.desk.post([an_item("a"), an_item("b")])
    await move(lines.desk, "a", "held", "result.unstated", reason="result.unstated")
    await lines.turn()
    for wait_s in SCHEDULE_S:
        assert (await lines.shown(id_))["state"] == "active"
        lines.wait(wait_s)
        await lines.turn()
    shown = await lines.shown(id_)
    assert (shown["state"], shown["reason"]) == ("paused", "failing")
    async with lines.desk.gateway.db.read() as tx:
        [alert] = await tx.rows("SELECT kind, object FROM alerts")
    assert (alert.kind, alert.object) == ("callback.stopped", "vendor:viettel")
    tried = len(receiver.seen)
    assert tried == len(SCHEDULE_S) + 1
    await move(lines.desk, "b", "held", "result.unstated", reason="result.unstated")
    await lines.turn()
    assert len(receiver.seen) == tried
    receiver.status = 200
    assert (await lines.act(id_, "resume")).json()["state"] == "active"
    await lines.turn()
    assert receiver.told()[tried:] == [("a", "completion.held"), ("b", "completion.held")]
    assert {one["status"] for one in (await lines.shown(id_))["messages"]} == {"told"}


async def test_one_message_that_always_fails_stops_nobody_else(lines, receiver):
    """While others succeed a poisonous message is given up alone, and stays visible."""
    id_ = await lines.add(receiver, "completion.held")
    receiver.only_fail = "bad"
    await lines.desk.post([an_item("bad"), *(an_item(f"good-{n}") for n in range(len(SCHEDULE_S) + 1))])
    await move(lines.desk, "bad", "held", "result.unstated", reason="result.unstated")
    for n, wait_s in enumerate([*SCHEDULE_S, 0]):
        await move(lines.desk, f"good-{n}", "held", "result.unstated", reason="result.unstated")
        await lines.turn()
        lines.wait(wait_s)
    shown = await lines.shown(id_)
    assert shown["state"] == "active"
    statuses = [one["status"] for one in shown["messages"]]
    assert statuses.count("given_up") == 1
    assert statuses.count("told") == len(SCHEDULE_S) + 1


async def test_410_disables_until_it_is_proved_again(lines, receiver):
    """The receiver says that it is gone; nothing is lost should it come back."""
    id_ = await lines.add(receiver, "completion.held")
    receiver.status = 410
    await lines.desk.post(an_item("a"))
    await move(lines.desk, "a", "held", "result.unstated", reason="result.unstated")
    await lines.turn()
    shown = await lines.shown(id_)
    assert (shown["state"], shown["reason"]) == ("disabled", "gone")
    assert (await lines.act(id_, "resume")).code == "callback.state"
    lines.wait(100_000)
    await lines.turn()
    assert len(receiver.seen) == 1
    receiver.status = 200
    assert (await lines.act(id_, "prove")).json()["state"] == "active"
    await lines.turn()
    assert receiver.told() == [("a", "completion.held")] * 2


async def test_a_slow_receiver_keeps_no_other_waiting(lines):
    """Each callback is served by itself."""
    async with a_receiver() as slow, a_receiver() as quick:
        slow.release = asyncio.Event()
        await lines.add(slow, "completion.held")
        await lines.add(quick, "completion.held")
        await lines.desk.post(an_item("a"))
        await move(lines.desk, "a", "held", "result.unstated", reason="result.unstated")
        turn = asyncio.create_task(lines.turn())
        await until(lambda: quick.told())
        assert slow.told() == []
        slow.release.set()
        await turn
        assert slow.told() == quick.told() == [("a", "completion.held")]


async def test_what_waits_is_bounded_and_the_rest_stays_in_the_feed(lines, receiver):
    """A receiver that is down for a week does not fill a table."""
    id_ = await lines.add(receiver, "completion.held")
    receiver.status = 500
    await lines.desk.post([an_item(f"e{n}") for n in range(300)])

    async def flood(tx):
        for _ in range(6):
            await tx.run(
                "INSERT INTO attempts (delivery_id, at_ms, stage, trigger, outcome, to_state) "
                "SELECT id, 0, 'verify', 'automatic', 'result.unstated', 'held' FROM deliveries"
            )

    await lines.desk.gateway.db.write(flood)
    await lines.turn()
    async with lines.desk.gateway.db.read() as tx:
        [row] = await tx.rows("SELECT COUNT(*) AS n FROM callback_deliveries")
    assert AHEAD <= row.n < AHEAD + 500
    assert (await lines.shown(id_))["state"] == "active"


async def test_what_a_callback_does_not_want_is_not_read_again_and_again(lines, receiver, monkeypatch):
    """Of a busy vendor whose callback hears little: how far the feed was read is written down all the same."""
    monkeypatch.setattr("gateway.stages.calling.QUIET_STEP", 1_000)
    await lines.add(receiver, "completion.refused")
    await lines.desk.post([an_item(f"e{n}") for n in range(300)])

    async def flood(tx):
        for _ in range(5):
            await tx.run(
                "INSERT INTO attempts (delivery_id, at_ms, stage, trigger, outcome, to_state) "
                "SELECT id, 0, 'verify', 'automatic', 'result.unstated', 'held' FROM deliveries"
            )

    await lines.desk.gateway.db.write(flood)
    await lines.turn()
    async with lines.desk.gateway.db.read() as tx:
        [row] = await tx.rows("SELECT position, (SELECT MAX(id) FROM attempts) AS newest FROM callbacks")
    assert row.newest - row.position < 1_000
    assert receiver.told() == []


async def test_a_name_that_leads_inside_is_never_told(lines, receiver):
    """A callback that was fine when it was registered is judged again by its address at each message."""
    await lines.add(receiver, "completion.held")
    g = lines.desk.gateway
    strict = Calling(g.db, lines.desk.clock, g.vault, Poster(Guard()), jitter=steady(), ttl_ms=30_000)
    lines.calling = strict
    await lines.desk.post(an_item("a"))
    await move(lines.desk, "a", "held", "result.unstated", reason="result.unstated")
    await lines.turn()
    assert receiver.seen == []
    [message] = (await lines.shown("1"))["messages"]
    assert (message["status"], message["error"]) == ("waiting", "callback.url_refused")


def test_the_sample_is_a_real_message():
    """contracts/callbacks shows what is sent, in today's words."""
    from gateway.model.states import State
    from gateway.queue.callbacks import Callback, Telling
    from gateway.stages.calling import message

    callback = Callback(
        1, 1, "viettel", "viettel", "https://lms.example.vn/hook", ("completion.held",), "active", None, 0, "x"
    )
    telling = Telling(
        1, 48213, "completion.held", 42, "evt-1", 1, 1, 1_773_032_400_000, State.HELD, "format.missing", 0, None
    )
    sample = Path(__file__).parents[2] / "contracts" / "callbacks" / "samples" / "completion.held.json"
    assert orjson.loads(sample.read_bytes()) == message(callback, telling)


async def test_a_real_completion_is_told_from_its_verification_to_its_record(database_url, tmp_path, receiver):
    """Everything at work: worker, leader, sandbox, socket. What is held is told, what is recorded is told."""
    async with (
        serving(make_sandbox(ROSTER)) as base,
        httpx.AsyncClient(base_url=base) as http,
        running_gateway(database_url, tmp_path, base, GATEWAY_CALLBACK_ALLOW="127.0.0.1/32") as gateway,
    ):
        lab = Lab(gateway, base, http)
        viettel_ = await gateway.vendors.find("viettel")
        id_, receiver.secret = await gateway.callbacks.add(viettel_, receiver.url, EVENTS)
        assert await gateway.callbacks.prove(viettel_, id_) == "active"
        nameless = viettel(2, event="waits")
        del nameless["user"]["sectorCode"]
        await lab.send(viettel(1, event="good"), nameless)
        await wait_for(lab, "good", "delivered")
        await until(lambda: len(receiver.seen) >= 4)
        assert sorted(receiver.told()) == [
            ("good", "completion.delivered"),
            ("good", "identity.verified"),
            ("waits", "completion.held"),
            ("waits", "identity.failed"),
        ]
        seqs = {message["type"]: int(message["data"]["seq"]) for _, message in receiver.seen}
        assert seqs["identity.verified"] < seqs["completion.delivered"]
