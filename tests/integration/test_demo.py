"""`gateway demo`: real processes, real HTTP, and a comparison that can fail."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.cli import run
from gateway.cli.demonstration import cast, control, place
from gateway.cli.demonstration.serving import serving
from gateway.model.errors import ConfigError
from gateway.sandbox.item import Item
from gateway.sandbox.roster import StaffRow

ENV = {"PATH": os.environ["PATH"], "LANG": "en_US.UTF-8"}


def settings_of(folder: Path) -> dict[str, str]:
    """What the env file of a demonstration says."""
    pairs = (line.removeprefix("export ").split("=", 1) for line in (folder / "env").read_text().splitlines())
    return ENV | {name: value.strip("'") for name, value in pairs}


def is_open(address: str) -> bool:
    host, port = address.removeprefix("http://").split(":")
    with contextlib.suppress(ConnectionRefusedError), socket.create_connection((host, int(port)), 2):
        return True
    return False


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """An outage that need not be watched."""
    monkeypatch.setattr(control, "OUTAGE_S", 1.0)


@pytest.mark.usefixtures("short")
def test_every_completion_ends_as_it_must(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Duplicates, corrections, holds and an outage included; one JSON object says so, and the data stays."""
    folder = tmp_path / "demo"
    argv = ["demo", "--completions", "400", "--json", "--data-dir", str(folder)]
    assert run(argv, ENV | {"GATEWAY_PORT": "not for the demonstration"}) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["sent"], told["mismatches"]) == (400, [])
    assert told["balance"]["closes"] is True
    assert told["balance"]["arrived"] == 400
    assert told["balance"]["accepted"] == told["balance"]["verified"] == told["balance"]["dead"] == 0
    assert min(told["balance"][name] for name in ("delivered", "held", "voided", "duplicate")) > 0
    assert [story["kind"] for story in told["stories"]] == ["delivered", "held", "outage", "superseded"]
    assert all("{" not in story["text"] for story in told["stories"])
    env = settings_of(folder)
    assert run(["balance", "--json"], env) == 0
    assert json.loads(capsys.readouterr().out) == told["balance"]
    held = next(story for story in told["stories"] if story["kind"] == "held")
    assert run(["deliveries", "show", str(held["delivery"]), "--json"], env) == 0
    assert json.loads(capsys.readouterr().out)["event_id"] == held["event_id"]
    assert not is_open(told["gateway"])


@pytest.mark.usefixtures("short")
def test_a_completion_that_ends_otherwise_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The run compares each fate with what its story says: with one wrong story it must fail, and say which."""
    whole = cast.cast

    def with_a_wrong_story(completions: int) -> tuple[list[StaffRow], list[Item]]:
        people, items = whole(completions)
        place = next(n for n, item in enumerate(items) if item.expected.fate == "delivered")
        wrong = items[place].expected._replace(fate="held", reason="registry.not_found")
        items[place] = items[place]._replace(expected=wrong)
        return people, items

    monkeypatch.setattr(cast, "cast", with_a_wrong_story)
    assert run(["demo", "--completions", "20", "--data-dir", str(tmp_path / "demo")], ENV) == 1
    printed = capsys.readouterr().out
    assert "must be held registry.not_found, is delivered" in printed
    assert "NOT AS IT MUST BE" in printed
    assert "The balance closes" in printed


@pytest.fixture
def up(tmp_path: Path) -> Iterator[tuple["subprocess.Popen[str]", list[str]]]:
    """`gateway demo --serve` of few completions, as a process; and the lines it prints, as they come."""
    argv = [sys.executable, "-m", "gateway", "demo", "--serve", "--completions", "20", "--data-dir"]
    process = subprocess.Popen([*argv, str(tmp_path / "demo")], env=ENV, stdout=subprocess.PIPE, text=True)
    lines: list[str] = []
    try:
        yield process, lines
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def read_until(process: "subprocess.Popen[str]", lines: list[str], text: str) -> None:
    """Reads what is printed up to a line with `text`; a minute without it kills the process."""
    assert process.stdout is not None
    limit = threading.Timer(60, process.kill)
    limit.start()
    for line in process.stdout:
        lines.append(line)
        if text in line:
            break
    limit.cancel()
    assert text in lines[-1], "".join(lines)


def test_it_stays_up_until_it_is_stopped(up: tuple["subprocess.Popen[str]", list[str]], tmp_path: Path) -> None:
    """Gateway, console and sandbox answer where told, logins lie in a private file; a signal ends it all."""
    process, lines = up
    read_until(process, lines, "Ctrl-C")
    addresses = re.findall(r"http://127\.0\.0\.1:\d+", next(line for line in lines if "Still running" in line))
    gateway, sandbox = addresses
    with urllib.request.urlopen(f"{gateway}/readyz") as answer:
        assert answer.status == 200
    with urllib.request.urlopen(f"{sandbox}/_control/stats") as answer:
        assert json.load(answer)["temis"]["records"] > 0
    assert any("deliveries list --state held" in line for line in lines)
    with urllib.request.urlopen(f"{gateway}/console") as answer:
        assert answer.url == f"{gateway}/console/sign-in"
    logins = tmp_path / "demo" / "logins.txt"
    assert logins.stat().st_mode & 0o077 == 0
    assert any(f"  {logins.read_text().splitlines()[0]}" in line for line in lines)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert not is_open(gateway)
    assert not is_open(sandbox)


def test_stopped_in_the_middle_it_leaves_nothing_running(
    up: tuple["subprocess.Popen[str]", list[str]], tmp_path: Path
) -> None:
    """Ctrl-C at any time takes the real gateway down too; the status says that it was interrupted."""
    process, lines = up
    read_until(process, lines, "signed completions over HTTP")
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    env = settings_of(tmp_path / "demo")
    assert not is_open(f"http://127.0.0.1:{env['GATEWAY_PORT']}")
    assert "drain.done" in (tmp_path / "demo" / "serve.log").read_text()


def test_a_port_in_use_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two demonstrations at once, or one beside a gateway, must not stand in each other's way."""
    with socket.socket() as first, socket.socket() as second:
        for name, taken in (("GATEWAY_PORT", first), ("SANDBOX_PORT", second)):
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            monkeypatch.setattr(place, name, taken.getsockname()[1])
        made = place.make_place(tmp_path / "demo", "vi")
        used = {first.getsockname()[1], second.getsockname()[1]}
    assert made.port != made.sandbox_port
    assert used.isdisjoint({made.port, made.sandbox_port})


async def test_a_gateway_that_does_not_start_is_told_with_its_log(tmp_path: Path) -> None:
    """Nobody should have to look for the reason."""
    made = place.make_place(tmp_path / "demo", "en")  # without keys, so that `serve` refuses
    with pytest.raises(ConfigError, match=r"did not start.*\n(.*\n)*.*keys\.json is missing"):
        async with serving(made.environment(ENV), made.gateway, made.log_file):
            pytest.fail("it started without keys")
