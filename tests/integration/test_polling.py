"""Vendors that are asked: a page and how far it was read are one commit, whatever dies in between."""

import asyncio
import contextlib
import dataclasses
import io
import os
import signal
import sys

import httpx
import orjson
import pytest

from gateway.app import open_gateway
from gateway.cli import run
from gateway.connectors.lists import discover as discover_lists
from gateway.model.errors import LeaseLost
from gateway.outbound.http import Caller
from gateway.outbound.static_key import StaticKey
from gateway.queue.balance import balance
from gateway.queue.polls import Poll, Position, end_poll, read_polls, set_poll
from gateway.queue.vendors import add_vendor
from gateway.sandbox.app import make_sandbox
from gateway.sandbox.server import serving
from gateway.settings import load
from gateway.stages.polling import Polling
from gateway.storage.leases import acquire
from tests.listening import a_database, an_item, open_desk

TTL_MS = 30_000


def vnpt_item(n: int) -> dict:
    return {
        "ma_su_kien": f"sk-{n}",
        "loai": "hoan_thanh",
        "thoi_gian": "2026-03-09T12:00:00+07:00",
        "hoc_vien": {"ma_nguoi_dung": f"n-{n}"},
        "khoa_hoc": {"ma": "k-1"},
    }


class Office:
    """A gateway, the vendors' list APIs, and the duty that asks them."""

    def __init__(self, desk, base, http) -> None:
        self.desk, self.base, self.http = desk, base, http
        g = desk.gateway
        self.polling = Polling(
            g.db, desk.clock, g.vault, g.vendors, g.receive, discover_lists(), self.way, ttl_ms=TTL_MS
        )
        self.lease = None

    def way(self, poll: Poll) -> Caller:
        return Caller(poll.url, token=StaticKey(poll.key), timeout_s=5, clock=self.desk.clock)

    async def hold(self, vendor: str, *items) -> None:
        """The LMS has these from now on."""
        answer = await self.http.post(f"/_control/lists/{vendor}", content=orjson.dumps(list(items)))
        answer.raise_for_status()

    async def set(self, vendor: str, vendor_id: int, **changes) -> None:
        poll = Poll(vendor_id, f"{self.base}/{vendor}", "key", page_items=4, per_min=6_000)
        await set_poll(self.desk.gateway.db, self.desk.gateway.vault, dataclasses.replace(poll, **changes))

    async def ask(self) -> None:
        """One turn of the leader, when every vendor is due."""
        self.desk.clock.advance(s=61)
        self.lease = await acquire(self.desk.gateway.db, self.desk.clock, "leader", "me", TTL_MS) or self.lease
        await self.polling.run(self.lease)

    async def poll(self, vendor_id: int = 1) -> Poll:
        found = await read_polls(self.desk.gateway.db, self.desk.gateway.vault)
        return next(poll for poll in found if poll.vendor_id == vendor_id)


@pytest.fixture(params=["sqlite", "postgresql"])
async def office(request, tmp_path):
    url = await a_database(request.param, tmp_path, lambda: str(request.getfixturevalue("postgres_url")))
    async with (
        open_desk(url, tmp_path) as desk,
        serving(make_sandbox(clock=desk.clock)) as base,
        httpx.AsyncClient(base_url=base, trust_env=False) as http,
    ):
        g = desk.gateway
        await add_vendor(g.db, g.vault, desk.clock, "vnpt", "vnpt")
        desk.clock.advance(s=3)
        found = Office(desk, base, http)
        yield found
        await found.polling.aclose()


async def test_both_vendors_are_read_page_by_page(office):
    """Every item of every page arrives once, also those that came since the last round."""
    await office.set("viettel", 1, overlap_s=60)
    await office.set("vnpt", 2, overlap_s=60)
    await office.hold("viettel", *(an_item(f"v-{n}") for n in range(10)))
    await office.hold("vnpt", *(vnpt_item(n) for n in range(5)))
    await office.ask()
    assert await office.desk.arrived() == {"received": 15}
    assert {poll.fault for poll in (await office.poll(1), await office.poll(2))} == {None}
    await office.hold("viettel", an_item("v-10"), {"eventId": "bad", "eventType": "COURSE_COMPLETED"})
    await office.hold("vnpt", vnpt_item(5))
    await office.ask()
    arrived = await office.desk.arrived()
    assert arrived == {"received": 17, "invalid": 1}


async def test_a_round_overlaps_the_last_one(office):
    """What the vendor's own commit brought late is found, and what was read before is only a duplicate."""
    await office.set("viettel", 1, overlap_s=100)
    await office.hold("viettel", an_item("v-1"))
    await office.ask()
    at = (await office.poll()).position
    assert at.token is None
    assert at.since_ms == office.desk.clock.now_ms()
    await office.ask()
    assert await office.desk.arrived() == {"received": 1, "duplicate": 1}
    await office.ask()  # the overlap does not reach back so far any more
    assert await office.desk.arrived() == {"received": 1, "duplicate": 1}


async def test_a_leader_no_more_moves_nothing(office):
    """A process that lost the lease stores neither the page nor the position."""
    await office.set("viettel", 1)
    await office.hold("viettel", an_item("v-1"))
    await office.ask()
    await office.hold("viettel", an_item("v-2"))
    before = (await office.poll()).position
    office.desk.clock.advance(ms=TTL_MS * 4)
    assert await acquire(office.desk.gateway.db, office.desk.clock, "leader", "another", TTL_MS) is not None
    with pytest.raises(LeaseLost):
        await office.polling.run(office.lease)
    assert (await office.poll()).position == before
    assert await office.desk.arrived() == {"received": 1}


async def test_a_round_that_breaks_off_goes_on_at_its_page(office):
    """What fails is told, costs no other vendor its turn, and nothing is read twice for it."""
    await office.set("viettel", 1)
    await office.set("vnpt", 2)
    await office.hold("viettel", *(an_item(f"v-{n}") for n in range(10)))
    await office.hold("vnpt", vnpt_item(1))
    api = discover_lists()["viettel"]
    asked = []

    class Breaking:
        """Its third page is garbage."""

        def asked(self, since_ms, token, limit):
            asked.append(token)
            return api.asked(since_ms, token, limit)

        def read(self, body):
            if len(asked) == 3:
                raise ValueError
            return api.read(body)

    office.polling._apis = discover_lists() | {"viettel": Breaking()}
    await office.ask()
    poll = await office.poll()
    assert (poll.fault, poll.position.token) == ("upstream.garbled", "8")
    assert await office.desk.arrived() == {"received": 9}
    await office.ask()
    assert asked == [None, "4", "8", "8"]
    poll = await office.poll()
    assert (poll.fault, poll.position.token) == (None, None)
    assert (await office.desk.arrived())["received"] == 11


async def test_a_page_that_is_refused_begins_the_round_anew(office):
    """A vendor that has forgotten its cursor is read from where the round had begun; nothing is left out."""
    await office.set("viettel", 1)
    await office.hold("viettel", *(an_item(f"v-{n}") for n in range(6)))
    db = office.desk.gateway.db
    await db.write(lambda tx: tx.run("UPDATE polls SET token = 'gone', until_ms = 5 WHERE vendor_id = 1"))
    await office.ask()
    poll = await office.poll()
    assert poll.fault is not None
    assert poll.position == Position(0)
    await office.ask()
    assert await office.desk.arrived() == {"received": 6}


async def test_who_is_paused_is_not_asked(office):
    """A pause holds for being asked as for sending; so does the end of an agreement."""
    await office.set("viettel", 1)
    await office.hold("viettel", an_item("v-1"))
    db = office.desk.gateway.db
    await db.write(lambda tx: tx.run("UPDATE vendors SET paused_at_ms = 1 WHERE id = 1"))
    await office.ask()
    await db.write(lambda tx: tx.run("UPDATE vendors SET paused_at_ms = NULL, valid_to = 1 WHERE id = 1"))
    await office.ask()
    assert await office.desk.arrived() == {}
    await end_poll(db, 1)
    assert [poll.vendor_id for poll in await read_polls(db, office.desk.gateway.vault)] == []


PROCESS = "import sys; from gateway.__main__ import main; sys.argv[1:] = ['work']; main()"


async def test_kill_9_between_page_and_commit_loses_and_doubles_nothing(tmp_path):
    """A real worker is killed again and again while it reads: in the end each item is one delivery."""
    total = 400
    async with (
        serving(make_sandbox()) as base,
        httpx.AsyncClient(base_url=base, trust_env=False) as http,
    ):
        env = {
            "GATEWAY_DATA_DIR": str(tmp_path / "data"),
            "GATEWAY_KEYS_FILE": str(tmp_path / "keys" / "keys.json"),
            "GATEWAY_TOKEN_URL": f"{base}/oauth/token",
            "GATEWAY_TEMIS_URL": f"{base}/temis",
            "GATEWAY_REGISTRY_URL": f"{base}/registry",
            "GATEWAY_REGISTRY_CHANGES_POLL_S": "0",
        }
        assert await asyncio.to_thread(run, ["init"], env) == 0
        async with open_gateway(load(env)) as gateway:
            await add_vendor(gateway.db, gateway.vault, gateway.clock, "viettel", "viettel")
            poll = Poll(1, f"{base}/viettel", "key", every_s=1, overlap_s=3_600, page_items=10, per_min=60_000)
            await set_poll(gateway.db, gateway.vault, poll)
            items = [an_item(f"k-{n}") for n in range(total)]
            (await http.post("/_control/lists/viettel", content=orjson.dumps(items))).raise_for_status()
            pages = 0
            for kill in range(4):
                worker = await asyncio.create_subprocess_exec(
                    sys.executable, "-c", PROCESS, env=os.environ | env, stderr=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.DEVNULL,
                )  # fmt: skip
                wanted = total if kill == 3 else min(total - 10, (kill + 1) * 50)
                async with asyncio.timeout(60):
                    while (await balance(gateway.db)).total.received < wanted:
                        await asyncio.sleep(0.005)
                worker.send_signal(signal.SIGTERM if kill == 3 else signal.SIGKILL)
                await worker.wait()
                # The dead leader's lease is given back, so that the next need not wait for its end.
                await gateway.db.write(lambda tx: tx.run("UPDATE leases SET until_ms = 0"))
                sheet = await balance(gateway.db)
                assert sheet.closes
                [found] = await read_polls(gateway.db, gateway.vault)
                pages = max(pages, sheet.total.received)
            async with gateway.db.read() as tx:
                [row] = await tx.rows(
                    "SELECT COUNT(DISTINCT event_id) AS events, COUNT(*) AS n FROM payloads p "
                    "JOIN deliveries d ON d.id = p.delivery_id"
                )
            assert (row.events, row.n, pages) == (total, total, total)
            assert found.fault is None


def test_the_commands_set_show_and_end_a_poll(tmp_path, capsys, monkeypatch):
    """The key comes by standard input and is never shown; a vendor without a list API is refused."""
    env = {
        "GATEWAY_DATA_DIR": str(tmp_path / "data"),
        "GATEWAY_KEYS_FILE": str(tmp_path / "keys" / "keys.json"),
        "LANG": "en_US.UTF-8",
    }
    with contextlib.redirect_stdout(io.StringIO()):
        assert run(["init"], env) == 0
        assert run(["vendors", "add", "viettel"], env) == 0
    monkeypatch.setattr("sys.stdin", io.StringIO("s3cret-key\n"))
    assert run(["polls", "set", "viettel", "https://lms.example/list", "--every-s", "30"], env) == 0
    assert run(["polls", "list", "--json"], env) == 0
    printed = capsys.readouterr().out
    assert "s3cret" not in printed
    [row] = orjson.loads(printed[printed.index("{") :])["polls"]
    assert (row["vendor"], row["url"], row["every_s"]) == ("viettel", "https://lms.example/list", 30)
    assert run(["polls", "set", "viettel", "lms.example"], env) == 2
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    assert run(["polls", "set", "viettel", "https://lms.example/list"], env) == 2
    assert run(["polls", "end", "viettel"], env) == 0
    assert run(["polls", "end", "viettel"], env) == 4
