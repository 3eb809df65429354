"""The commands an operator types, on a real database of both engines, with results that really went through."""

import asyncio
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.app import Gateway, open_gateway, open_pipeline
from gateway.cli import run
from gateway.queue.balance import balance
from gateway.queue.vendors import read_vendors
from gateway.sandbox.app import make_sandbox
from gateway.sandbox.roster import StaffRow
from gateway.sandbox.server import serving
from gateway.security.keys import KeyRing
from gateway.security.vault import Vault
from gateway.settings import load
from gateway.storage.data_keys import ensure_data_keys, load_data_keys
from gateway.storage.engine import open_database
from tests.builders import FakeClock

Command = Callable[..., Any]
NAMES = ("Nguyễn Thị Hòa", "Trần Văn Nam", "Lê Thị Mai", "Phạm Minh Đức")
ROSTER = [StaffRow(f"310000000{n}", name, "1985-03-09", role="GV") for n, name in enumerate(NAMES)]


def an_item(
    n: int, event: str, *, course: str = "GVPT 03", name: str | None = None, **changes: Any
) -> dict[str, Any]:
    """One Viettel completion of person `n` of the roster."""
    return {
        "eventId": event,
        "eventType": "COURSE_COMPLETED",
        "revision": 1,
        "occurredAt": 1_773_032_400_000,
        "user": {
            "userId": f"{n:024x}",
            "fullName": name or NAMES[n],
            "birthday": "09/03/1985",
            "sectorCode": ROSTER[n].sector_id,
            "position": "GV",
        },
        "course": {
            "courseId": course,
            "courseCode": course,
            "courseName": "Giới tính",
            "schoolYear": "2025-2026",
        },
        "result": {"score": 8.5, "maxScore": 10, "passed": True},
        **changes,
    }


@pytest.fixture
def env(database_url: str, tmp_path: Path) -> dict[str, str]:
    """An installation that `gateway init` made, with the vendor viettel; it knows no outside system."""
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
def command(env: dict[str, str], capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs one command with --json -> what it printed; `status` is the exit status it must end with."""

    def call(*argv: str, status: int = 0) -> Any:
        capsys.readouterr()
        assert run([*argv, "--json"], env) == status
        printed = capsys.readouterr().out
        return json.loads(printed) if printed else None

    return call


async def work(env: dict[str, str], *items: dict[str, Any]) -> None:
    """Takes `items` and works until nothing is in flight, with a sandbox that knows the roster."""
    async with serving(make_sandbox(ROSTER)) as base:
        outside = {
            "GATEWAY_TOKEN_URL": f"{base}/oauth/token",
            "GATEWAY_TEMIS_URL": f"{base}/temis",
            "GATEWAY_REGISTRY_URL": f"{base}/registry",
        }
        async with open_gateway(load(env | outside)) as gateway, open_pipeline(gateway) as pipeline:
            if items:
                await take(gateway, *items)
            working = asyncio.create_task(pipeline.worker.run())
            async with asyncio.timeout(20):
                while await is_busy(gateway):
                    await asyncio.sleep(0.02)
            pipeline.worker.stop()
            await working


async def is_busy(gateway: Gateway) -> bool:
    """Whether anything is in flight, or held and due: just woken."""
    async with gateway.db.read() as tx:
        due = await tx.rows(
            "SELECT 1 FROM deliveries WHERE state = 'held' AND due_at_ms <= :now LIMIT 1",
            now=gateway.clock.now_ms(),
        )
    return bool(due) or bool((await balance(gateway.db)).total.in_flight)


async def take(gateway: Gateway, *items: dict[str, Any]) -> None:
    vendor = await gateway.vendors.find("viettel")
    assert vendor is not None
    await gateway.receive.receive(vendor, orjson.dumps(list(items)))


async def accept(env: dict[str, str], *items: dict[str, Any]) -> None:
    """Takes `items`; nothing works on them."""
    async with open_gateway(load(env)) as gateway:
        await take(gateway, *items)


def test_a_secret_is_shown_once_and_then_only_counted(command: Command, env: dict[str, str]) -> None:
    """Whoever can list vendors must not learn how to sign for them."""
    added = command("vendors", "add", "vnpt")
    assert added["vendor"] == "vnpt"
    assert added["secret"].startswith("whsec_")
    rotated = command("vendors", "rotate", "vnpt")
    assert rotated["secret"] not in ("", added["secret"])
    listed = command("vendors", "list")
    assert "whsec_" not in json.dumps(listed)
    assert listed["vendors"][1] == {
        "vendor": "vnpt",
        "connector": "vnpt",
        "live_secrets": 2,
        "expired_secrets": 0,
        "paused": False,
    }


def test_a_leaked_secret_can_be_ended_at_once(command: Command) -> None:
    """`--overlap-h 0` leaves the new secret alone."""
    command("vendors", "rotate", "viettel", "--overlap-h", "0")
    [viettel] = command("vendors", "list")["vendors"]
    assert (viettel["live_secrets"], viettel["expired_secrets"]) == (1, 1)


WRONG_ORDERS: tuple[tuple[list[str], int, str], ...] = (
    (["vendors", "add", "third"], 2, "There is no form “third”; there are: viettel, vnpt"),
    (["vendors", "add", "Viettel/2", "--connector", "viettel"], 2, "lower-case letters"),
    (["vendors", "add", "viettel"], 4, "the vendor viettel exists"),
    (["vendors", "rotate", "vnpt"], 4, "vnpt: no such vendor (there are: viettel)"),
    (["deliveries", "show", "7"], 4, "there is no delivery 7"),
    (["deliveries", "list", "--vendor", "vnpt"], 4, "no such vendor"),
    (["deliveries", "replay"], 2, "Give ids, or both --state and --reason"),
    (["deliveries", "replay", "7", "--state", "held", "--reason", "x"], 2, "Give ids, or both"),
    (["deliveries", "replay", "--state", "held"], 2, "Give ids, or both"),
    (["deliveries", "replay", "--state", "delivered", "--reason", "x"], 2, "Only held or dead"),
    (["courses", "map", "viettel", "nope", "GVPT03"], 4, "no course with this id"),
    (["courses", "map", "viettel", "nope", "XYZ99"], 4, "no module XYZ99"),
    (["courses", "map", "viettel", "nope", "GVPT03", "--pass-mark", "5.123"], 2, "two decimals"),
)


def test_a_wrong_order_is_told_in_a_sentence(env: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    """What is wrong and what there is instead; the status tells a script which kind it is."""
    for argv, status, told in WRONG_ORDERS:
        assert run(argv, env) == status, argv
        assert told in capsys.readouterr().err, argv


async def test_a_vendor_added_while_the_gateway_runs_is_known_to_it(env: dict[str, str]) -> None:
    """Taking on a vendor needs no restart."""
    clock = FakeClock()
    async with open_gateway(load(env), clock=clock) as serving_one:
        assert await serving_one.vendors.find("second") is None
        argv = ["vendors", "add", "second", "--connector", "viettel"]
        assert await asyncio.to_thread(run, argv, env) == 0
        clock.advance(s=3)
        found = await serving_one.vendors.find("second")
        assert found is not None
        assert (found.connector, len(found.live)) == ("viettel", 1)


def test_the_balance_closes_until_a_row_is_gone(command: Command, env: dict[str, str]) -> None:
    """It is checked against the ledger, so it can fail; then the status says so."""
    asyncio.run(accept(env, an_item(0, "a"), an_item(1, "b"), an_item(1, "b")))
    closed = command("balance")
    assert (closed["received"], closed["accepted"], closed["duplicate"], closed["closes"]) == (2, 2, 1, True)
    assert closed["by_vendor"]["viettel"]["received"] == 2
    assert command("balance", "--day", "2001-01-01")["received"] == 0
    asyncio.run(execute(env, "DELETE FROM deliveries WHERE event_id = 'b'"))
    lost = command("balance", status=1)
    assert (lost["difference"], lost["closes"]) == (1, False)


async def execute(env: dict[str, str], sql: str) -> None:
    db = open_database(load(env).database)
    try:
        await db.write(lambda tx: tx.run(sql))
    finally:
        await db.close()


def test_deliveries_are_listed_by_what_is_asked_page_by_page(command: Command, env: dict[str, str]) -> None:
    """Filters hold together; the next page begins where the last one ended."""
    held = an_item(2, "c", name="Hoàng Văn Khác")
    asyncio.run(work(env, an_item(0, "a"), an_item(1, "b"), held))

    def events(*filters: str) -> list[str]:
        return [row["event_id"] for row in command("deliveries", "list", *filters)["deliveries"]]

    assert events() == ["a", "b", "c"]
    assert events("--state", "delivered") == ["a", "b"]
    assert events("--state", "held", "--reason", "attribute.name_mismatch", "--vendor", "viettel") == ["c"]
    assert events("--state", "held", "--reason", "registry.not_found") == []
    assert events("--event", "b") == ["b"]
    first = command("deliveries", "list", "--limit", "2")
    assert events("--limit", "2", "--after", str(first["after"])) == ["c"]


def test_one_delivery_is_explained_without_a_personal_value(
    command: Command, env: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """State, reason, remedy, owner, findings and attempts; whose result it is stays sealed."""
    asyncio.run(work(env, an_item(2, "c", name="Hoàng Văn Khác")))
    shown = command("deliveries", "show", "1")
    assert (shown["state"], shown["reason"], shown["owner"]) == ("held", "attribute.name_mismatch", "school")
    assert shown["reason_text"] and shown["remedy"] and shown["owner_text"] == "School admin"
    assert {"code": "attribute.name_mismatch", "effect": "holds"} in shown["verdict"]["findings"]
    assert shown["waits"]["person"] >= 1
    assert [attempt["to_state"] for attempt in shown["attempts"]] == ["held"]
    assert run(["deliveries", "show", "1", "--lang", "vi"], env) == 0
    for_people = capsys.readouterr().out
    assert "Quản trị trường" in for_people
    for personal in ("Khác", NAMES[2], ROSTER[2].sector_id, "1985"):
        assert personal not in for_people + json.dumps(shown, ensure_ascii=False)


def test_what_took_the_place_of_a_result_is_named(command: Command, env: dict[str, str]) -> None:
    """A superseded result says which one stands, whichever way it was found out."""
    worse = an_item(0, "worse", result={"score": 6, "maxScore": 10, "passed": True})
    asyncio.run(work(env, worse, an_item(0, "better")))
    asyncio.run(
        work(env, an_item(0, "better", revision=2, result={"score": 9, "maxScore": 10, "passed": True}))
    )
    by_event = {(d["event_id"], d["revision"]): d["id"] for d in command("deliveries", "list")["deliveries"]}
    worst = command("deliveries", "show", str(by_event["worse", 1]))
    old = command("deliveries", "show", str(by_event["better", 1]))
    assert (worst["state"], worst["reason"]) == ("voided", "superseded")
    assert worst["superseded_by"] in (by_event["better", 1], by_event["better", 2])
    assert (old["state"], old["superseded_by"]) == ("voided", by_event["better", 2])
    assert f"(delivery {by_event['better', 2]})" in old["reason_text"]
    stands = command("deliveries", "show", str(by_event["better", 2]))["record"]
    assert (stands["module"], stands["school_year"], stands["stands"]) == ("GVPT03", "2025-2026", True)


def test_a_replay_is_counted_first_and_then_done(command: Command, env: dict[str, str]) -> None:
    """`--dry-run` changes nothing; what is neither held nor dead is left alone and told."""
    asyncio.run(
        work(env, an_item(0, "a"), an_item(2, "c", name="Hoàng Văn Khác"), an_item(3, "d", name="Vũ Thị Xa"))
    )
    wanted = ("--state", "held", "--reason", "attribute.name_mismatch")
    dry = command("deliveries", "replay", *wanted, "--dry-run")
    assert (dry["found"], dry["replayed"], dry["dry_run"]) == (2, 0, True)
    assert command("balance")["held"] == 2
    ids = {d["event_id"]: str(d["id"]) for d in command("deliveries", "list")["deliveries"]}
    assert command("deliveries", "replay", ids["a"], ids["c"], "--dry-run", status=4)["skipped"] == [
        int(ids["a"])
    ]
    one = command("deliveries", "replay", ids["a"], ids["c"], "99", status=4)
    assert (one["replayed"], one["skipped"]) == (1, sorted([int(ids["a"]), 99]))
    rest = command("deliveries", "replay", *wanted)
    assert (rest["found"], rest["replayed"]) == (1, 1)
    assert command("balance")["accepted"] == 2
    told = command("deliveries", "show", ids["c"])["attempts"]
    assert [(a["stage"], a["trigger"]) for a in told] == [("verify", "automatic"), ("replay", "manual")]


def test_a_course_is_mapped_once_and_its_results_go_on(command: Command, env: dict[str, str]) -> None:
    """The list says how many wait and what the course may be; mapping frees exactly those."""
    asyncio.run(work(env, an_item(0, "a", course="KHOA-1"), an_item(1, "b", course="KHOA-1"), an_item(2, "c")))
    [unmapped] = command("courses", "list", "--unmapped")["courses"]
    assert (unmapped["course_id"], unmapped["waiting"], unmapped["module"]) == ("KHOA-1", 2, None)
    assert len(command("courses", "list")["courses"]) == 2
    argv = ("courses", "map", "viettel", "KHOA-1", "gvpt-5", "--pass-mark", "6.5", "--periods", "30")
    mapped = command(*argv)
    assert (mapped["module"], mapped["pass_mark"], mapped["periods"], mapped["woken"]) == ("GVPT05", 6.5, 30, 2)
    asyncio.run(work(env))
    assert command("balance")["delivered"] == 3
    assert command("courses", "list", "--unmapped")["courses"] == []


def test_the_modules_of_the_catalogue_are_listed(command: Command) -> None:
    """Whoever maps a course sees what there is to choose from."""
    listed = command("courses", "modules")
    gvpt03 = next(module for module in listed["modules"] if module["code"] == "GVPT03")
    assert (gvpt03["audience"], gvpt03["periods"]) == (["GV"], 40)
    assert listed["version"]


def test_a_new_master_key_opens_old_rows_and_wraps_new_ones(command: Command, env: dict[str, str]) -> None:
    """Rotation rewraps; nothing that is sealed has to be touched, and nothing is lost."""
    asyncio.run(accept(env, an_item(0, "before")))
    keys = Path(env["GATEWAY_KEYS_FILE"])
    rotated = command("keys", "rotate")
    assert rotated == {"master": "m2", "rewrapped": 2}
    assert [key.id for key in KeyRing.load(keys).masters] == ["m1", "m2"]
    alone = json.loads(keys.read_bytes())
    alone["master"] = alone["master"][1:]  # the new one must do without the old one
    keys.write_text(json.dumps(alone))
    asyncio.run(work(env, an_item(1, "after")))
    assert command("balance")["delivered"] == 2
    assert command("doctor", status=1)["checks"][7] == {
        "name": "key_ids",
        "status": "ok",
        "detail": "All are in the keys file.",
        "duration_ms": None,
    }


def test_a_process_that_runs_on_survives_a_rotation(command: Command, env: dict[str, str]) -> None:
    """It has the data keys open; reading them again must not fail for a master key it never saw."""

    async def rotate_meanwhile() -> None:
        db = open_database(load(env).database)
        try:
            vault = Vault(KeyRing.load(Path(env["GATEWAY_KEYS_FILE"])))
            await ensure_data_keys(db, vault, FakeClock())
            assert await asyncio.to_thread(run, ["keys", "rotate"], env) == 0
            await load_data_keys(db, vault)
            assert await read_vendors(db, vault, FakeClock())
        finally:
            await db.close()

    asyncio.run(rotate_meanwhile())


def test_two_rotations_at_once_lose_no_key(env: dict[str, str]) -> None:
    """Each would make m2 of its own; the one whose file is replaced would have wrapped with a lost key."""
    threads = [threading.Thread(target=run, args=(["keys", "rotate"], env)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ring = KeyRing.load(Path(env["GATEWAY_KEYS_FILE"]))
    assert [key.id for key in ring.masters] == ["m1", "m2", "m3"]

    async def opens() -> None:
        async with open_gateway(load(env)) as gateway:
            assert await gateway.vendors.find("viettel") is not None

    asyncio.run(opens())


async def test_the_doctor_finds_nothing_wrong_with_a_whole_installation(
    env: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Every check is made and timed where it calls somebody; the sandbox notices no write."""
    async with serving(make_sandbox(ROSTER)) as base:
        whole = env | {
            "GATEWAY_TOKEN_URL": f"{base}/oauth/token",
            "GATEWAY_TEMIS_URL": f"{base}/temis",
            "GATEWAY_REGISTRY_URL": f"{base}/registry",
        }
        capsys.readouterr()
        assert await asyncio.to_thread(run, ["doctor", "--json"], whole) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is True
    assert {check["status"] for check in found["checks"]} == {"ok"}
    timed = {check["name"] for check in found["checks"] if check["duration_ms"] is not None}
    assert timed == {"database", "temis_token", "temis", "registry_token", "registry"}


def test_the_doctor_tells_all_faults_at_once(command: Command, env: dict[str, str]) -> None:
    """One look is enough: an open keys file, a lost master key, missing addresses, an open balance."""
    asyncio.run(accept(env, an_item(0, "a")))
    asyncio.run(execute(env, "DELETE FROM deliveries"))
    Path(env["GATEWAY_KEYS_FILE"]).chmod(0o644)
    faults = {c["name"] for c in command("doctor", status=1)["checks"] if c["status"] == "fault"}
    assert faults == {"keys", "balance", "temis", "registry"}
    Path(env["GATEWAY_KEYS_FILE"]).unlink()
    KeyRing.generate(Path(env["GATEWAY_KEYS_FILE"])).with_new_master().save(Path(env["GATEWAY_KEYS_FILE"]))
    ring = json.loads(Path(env["GATEWAY_KEYS_FILE"]).read_bytes())
    ring["master"] = ring["master"][1:]
    Path(env["GATEWAY_KEYS_FILE"]).write_text(json.dumps(ring))
    missing = next(c for c in command("doctor", status=1)["checks"] if c["name"] == "key_ids")
    assert missing["detail"] == "The keys file lacks: master m1. Restore it from its copy."


def test_the_doctor_goes_on_where_one_check_makes_another_pointless(
    env: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a database the rest is skipped, not guessed; what outside systems say is told all the same."""
    none = env | {"GATEWAY_DATABASE_URL": "sqlite:////nowhere/at/all/gateway.db"}
    capsys.readouterr()
    assert run(["doctor", "--json"], none) == 1
    status = {c["name"]: c["status"] for c in json.loads(capsys.readouterr().out)["checks"]}
    assert status["database"] == "fault"
    assert status["balance"] == "skipped"
    assert status["temis"] == "fault"


def test_the_doctor_lists_every_fault_of_the_settings(
    env: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A misspelt name and a wrong value are two lines; nothing else is tried on settings that are wrong."""
    capsys.readouterr()
    assert run(["doctor", "--json"], env | {"GATEWAY_PORT": "x", "GATEWAY_LANGUAGE": "vi"}) == 1
    checks = json.loads(capsys.readouterr().out)["checks"]
    assert [(c["name"], c["status"]) for c in checks] == [
        ("settings", "fault"),
        ("settings", "fault"),
        ("rest", "skipped"),
    ]


@pytest.mark.parametrize(
    "argv", [["balance"], ["vendors", "list"], ["deliveries", "list"], ["courses", "list"]]
)
def test_a_command_before_init_says_what_to_run(
    argv: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first thing anybody meets is a missing keys file."""
    bare = {
        "GATEWAY_DATA_DIR": str(tmp_path / "data"),
        "GATEWAY_KEYS_FILE": str(tmp_path / "keys" / "keys.json"),
        "LANG": "en_US.UTF-8",
    }
    assert run(argv, bare) == 2
    assert "run `gateway init`" in capsys.readouterr().err
