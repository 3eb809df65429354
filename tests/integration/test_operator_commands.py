"""`gateway causes`, `destinations`, `incidents`, a vendor's pause, as operators type them. Both engines."""

import asyncio
import json
from datetime import datetime, timedelta

import pytest

from gateway.app import open_gateway
from gateway.cli import run
from gateway.model.clock import ICT
from gateway.outbound.breaker import BreakerState
from gateway.outbound.destinations import pause, publish_in
from gateway.queue.cause_log import Failure, take_in
from gateway.settings import load
from gateway.stages.incidents import Incidents
from gateway.storage.leases import acquire


@pytest.fixture
def env(database_url, tmp_path):
    """An installation with the vendor viettel; it knows no outside system."""
    found = {
        "GATEWAY_DATA_DIR": str(tmp_path / "data"),
        "GATEWAY_DATABASE_URL": database_url,
        "GATEWAY_KEYS_FILE": str(tmp_path / "keys" / "keys.json"),
        "LANG": "en_US.UTF-8",
    }
    assert run(["init"], found) == 0
    assert run(["vendors", "add", "viettel"], found) == 0
    return found


@pytest.fixture
def command(env, capsys):
    """Runs one command with --json -> what it printed; `status` is the exit status it must end with."""

    def call(*argv, status=0):
        capsys.readouterr()
        assert run([*argv, "--json"], env) == status
        printed = capsys.readouterr().out
        return json.loads(printed) if printed else None

    return call


@pytest.fixture
def said(env, capsys):
    """Runs one command for people -> what it printed."""

    def call(*argv):
        capsys.readouterr()
        assert run([*argv], env) == 0
        return capsys.readouterr().out

    return call


def given(env, act) -> None:
    """Does `act(gateway)` on the installation."""

    async def opened():
        async with open_gateway(load(env)) as gateway:
            await act(gateway)

    asyncio.run(opened())


@pytest.fixture
def cause(env) -> None:
    """Three deliveries that wait for one course, and one for a name."""
    failures = [Failure(n, 1_000, "verify", "course.unmapped", "course:1:a") for n in (1, 2, 3)]
    failures.append(Failure(4, 1_000, "verify", "attribute.name_mismatch", owner="school"))
    given(env, lambda g: g.db.write(lambda tx: take_in(tx, failures, ())))


def test_causes_are_listed_shown_and_seen_to(command, said, cause):
    """From thousands of failures to a few lines, to what is done about each."""
    listed = {row["code"]: row for row in command("causes", "list")["causes"]}
    course = listed["course.unmapped"]
    assert (course["waiting"], course["subject"], course["state"]) == (3, "course:1:a", "open")
    id_ = str(course["id"])
    assert command("causes", "show", id_)["deliveries"] == [1, 2, 3]
    assert "course.unmapped" in said("causes", "show", id_)
    acked = command("causes", "ack", id_, "--note", "mapping it")
    assert (acked["state"], acked["note"]) == ("acknowledged", "mapping it")
    assert acked["acted_by"].startswith("machine")
    command("causes", "resolve", id_)
    assert [row["code"] for row in command("causes", "list")["causes"]] == ["attribute.name_mismatch"]
    assert len(command("causes", "list", "--all")["causes"]) == 2
    command("causes", "ignore", str(listed["attribute.name_mismatch"]["id"]))
    assert "There is none." in said("causes", "list")
    assert len(command("causes", "list", "--state", "ignored")["causes"]) == 1
    command("causes", "show", "99", status=4)


def test_causes_are_listed_page_by_page(command, cause):
    """A long list has a next page and an end."""
    first = command("causes", "list", "--limit", "1")
    second = command("causes", "list", "--limit", "1", "--after", str(first["after"]))
    assert first["causes"][0]["id"] < second["causes"][0]["id"]
    assert command("causes", "list", "--after", str(second["after"])) == {"causes": [], "after": None}


def test_a_destination_is_paused_and_resumed_at_a_rate(command, said):
    """Pause needs a reason, a dry run changes nothing, resume may choose the rate."""
    command("destinations", "pause", "temis", status=2)
    assert not command("destinations", "pause", "temis", "--reason", "nights", "--dry-run")["paused"]
    assert command("destinations", "pause", "temis", "--reason", "nights")["paused"]
    temis = command("destinations", "status")["destinations"][0]
    assert (temis["state"], temis["paused_reason"]) == ("paused", "nights")
    assert "TEMIS" in said("destinations", "status")
    command("destinations", "resume", "temis", "--dry-run")
    assert command("destinations", "status")["destinations"][0]["state"] == "paused"
    assert command("destinations", "resume", "temis", "--rate", "2.5")["rate_per_s"] == 2.5
    assert command("destinations", "status")["destinations"][0]["state"] == "up"
    command("destinations", "pause", "temi", "--reason", "x", status=4)


def test_the_status_names_contacts(command, env):
    """TEMIS's help line is known; another is a setting."""
    assert "18008000" in command("destinations", "status")["destinations"][0]["contact"]["vi"]
    env["GATEWAY_REGISTRY_CONTACT"] = "csdl@example.vn"
    assert command("destinations", "status")["destinations"][1]["contact"]["vi"] == "csdl@example.vn"


def test_maintenance_is_announced_and_taken_back(command, said):
    """What is announced is in Việt Nam's time; a window in the past or upside down is refused."""
    day = datetime.now(ICT) + timedelta(hours=2)
    start, end = f"{day:%Y-%m-%dT%H:%M}", f"{day + timedelta(hours=3):%Y-%m-%dT%H:%M}"
    made = command("destinations", "window", "add", "temis", start, end, "--reason", "upgrade")
    assert made["from"].startswith(start)
    assert made["from"].endswith("+07:00")
    assert command("destinations", "window", "list")["windows"] == [made]
    assert command("destinations", "status")["destinations"][0]["window"] == made
    assert "will be under maintenance" in said("destinations", "status")
    command("destinations", "window", "add", "temis", end, start, "--reason", "upside down", status=2)
    command("destinations", "window", "remove", str(made["id"]))
    command("destinations", "window", "remove", str(made["id"]), status=4)
    assert "None is announced." in said("destinations", "window", "list")


def test_a_vendor_is_paused_and_resumed(command):
    """Nothing of it is worked on meanwhile; a dry run changes nothing; a wrong name is refused."""
    command("vendors", "pause", "viettel", "--reason", "wrong data", "--dry-run")
    assert not command("vendors", "list")["vendors"][0]["paused"]
    command("vendors", "pause", "viettel", "--reason", "wrong data")
    assert command("vendors", "list")["vendors"][0]["paused"]
    command("vendors", "resume", "viettel", "--dry-run")
    assert command("vendors", "list")["vendors"][0]["paused"]
    command("vendors", "resume", "viettel")
    assert not command("vendors", "list")["vendors"][0]["paused"]
    command("vendors", "pause", "vietel", "--reason", "x", status=4)


def test_incidents_have_sheets(command, said, env):
    """When it began, how it ended, and whether the balance closes."""
    assert "There has been none." in said("incidents", "list")

    async def outage(gateway):
        db, clock = gateway.db, gateway.clock
        lease = await acquire(db, clock, "leader", "me", 60_000)
        duty = Incidents(db, clock, ttl_ms=60_000)
        told = {"until_ms": 0, "error": "upstream.failing", "status": 502, "holder": "me"}
        for state in (BreakerState.OPEN, BreakerState.CLOSED):
            now = clock.now_ms()
            await db.write(lambda tx, s=state, n=now: publish_in(tx, "temis", s, now=n, **told))
            await duty.run(lease)
        await duty.run(lease)
        await pause(db, clock, "registry", by="ops", reason="x")
        await duty.run(lease)

    given(env, outage)
    paused, down = command("incidents", "list")["incidents"]
    assert (paused["destination"], paused["kind"], paused["closes"]) == ("registry", "paused", None)
    assert (down["kind"], down["error"], down["closes"]) == ("down", "upstream.failing", True)
    assert command("incidents", "show", str(down["id"])) == down
    assert "upstream.failing" in said("incidents", "show", str(down["id"]))
    command("incidents", "show", "99", status=4)


def test_deadlines_are_set_listed_and_taken_back(command, said):
    """The wording of the letter decides which day still counts."""
    made = command("deadlines", "add", "bdtx_report", "2026-2027", "--by", "2099-04-23")
    assert made["too_late_from"].startswith("2099-04-24T00:00:00")
    before = command("deadlines", "add", "identifier", "2026-2027", "--before", "2099-04-23")
    assert before["too_late_from"].startswith("2099-04-23T00:00:00")
    listed = command("deadlines", "list")["deadlines"]
    assert [row["id"] for row in listed] == [before["id"], made["id"]]
    shown = command("deadlines", "show", str(made["id"]))
    assert (shown["stated"], shown["deliveries"]) == ("2099-04-23", [])
    assert "2099-04-23" in said("deadlines", "show", str(made["id"]))
    command("deadlines", "add", "report", "2026-2027", "--by", "2099-04-23", status=2)
    command("deadlines", "add", "identifier", "2026-2027", status=2)
    command("deadlines", "add", "identifier", "2026-2027", "--by", "23/4/2099", status=2)
    command("deadlines", "remove", str(made["id"]))
    command("deadlines", "show", "99", status=4)
    assert "2099" in said("deadlines", "list")
