"""What the doctor finds on this machine, and how it tells it."""

import json
import sqlite3
from pathlib import Path

import pytest

from gateway.cli import run
from gateway.cli.diagnosis import local
from gateway.settings import load


def test_a_sqlite_that_can_lose_writes_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library is a fact of the installation, not of the settings, so only a look at it can tell."""
    assert local.sqlite_library().status == "ok"
    monkeypatch.setattr(sqlite3, "sqlite_version", "3.46.1")
    found = local.sqlite_library()
    assert (found.status, found.fill) == ("fault", {"version": "3.46.1"})


def test_a_full_disk_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes in must be stored before it is answered; without room nothing can come in."""
    assert local.disk(tmp_path).fill["folder"] == tmp_path
    monkeypatch.setattr(local, "LEAST_FREE_BYTES", 1 << 60)
    found = local.disk(tmp_path)
    assert (found.status, found.detail) == ("fault", "doctor.disk.full")


def test_a_folder_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    """Before `gateway init`, or with a wrong GATEWAY_DATA_DIR."""
    found = local.disk(tmp_path / "nowhere")
    assert (found.status, found.detail) == ("fault", f"{tmp_path / 'nowhere'}: No such file or directory")


def test_a_keys_file_that_others_may_read_is_a_fault(tmp_path: Path) -> None:
    """Its mode is looked at before its content, and the message says what to type."""
    keys = tmp_path / "keys.json"
    keys.write_text("{}")
    keys.chmod(0o640)
    ring, found = local.keys_file(load({"GATEWAY_KEYS_FILE": str(keys)}))
    assert ring is None
    assert (found.status, found.detail) == (
        "fault",
        f"{keys} has mode 0640, expected 0600 or 0400: run `chmod 600 {keys}`",
    )


def test_figures_are_written_as_the_reader_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A decimal comma in Vietnamese, a point in English."""
    for lang, sign in (("vi", ","), ("en", ".")):
        env = {"GATEWAY_DATA_DIR": str(tmp_path), "GATEWAY_KEYS_FILE": str(tmp_path.parent / "none.json")}
        assert run(["doctor", "--json", "--lang", lang], env) == 1
        checks = {c["name"]: c for c in json.loads(capsys.readouterr().out)["checks"]}
        figure = checks["disk"]["detail"].removeprefix(f"{tmp_path}: ")
        assert sign in figure.split(" GB")[0]
        assert checks["keys"]["status"] == "fault"
