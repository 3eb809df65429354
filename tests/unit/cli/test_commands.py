"""The small commands: version and settings."""

import json

import pytest

import gateway
from gateway.cli import run
from gateway.settings.load import known


def test_version_names_the_sqlite_in_use(capsys: pytest.CaptureFixture[str]) -> None:
    """The library that keeps the data is the pinned one, not the system's with the WAL-reset bug."""
    assert run(["version", "--json"], {}) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["gateway"] == gateway.__version__
    assert tuple(map(int, found["sqlite"].split("."))) >= (3, 51, 3)


def test_settings_shows_every_setting_and_where_it_comes_from(capsys: pytest.CaptureFixture[str]) -> None:
    """An operator sees what is in force without reading the model."""
    assert run(["settings", "--json"], {"GATEWAY_PORT": "9000"}) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["settings"]}
    assert rows.keys() == known().keys()
    assert rows["GATEWAY_PORT"] == {"name": "GATEWAY_PORT", "value": 9000, "set": True}
    assert rows["GATEWAY_LOG_JSON"] == {"name": "GATEWAY_LOG_JSON", "value": True, "set": False}


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_settings_masks_secrets(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """What is printed may be pasted into a ticket."""
    env = {
        "GATEWAY_TEMIS_CLIENT_SECRET": "hunter2",
        "GATEWAY_DATABASE_URL": "postgresql://u:hunter2@db/gateway",
        "GATEWAY_TEMIS_PROXY": "http://u:hunter2@proxy:3128",
    }
    assert run(["settings", *options], env) == 0
    shown = capsys.readouterr().out
    assert "hunter2" not in shown
    assert shown.count("********") == 3


def test_settings_lists_every_fault(capsys: pytest.CaptureFixture[str]) -> None:
    """The command that explains the configuration says all that is wrong with it."""
    assert run(["settings"], {"GATEWAY_PORT": "x", "GATEWAY_LANGUAGE": "vi"}) == 2
    assert [line[:17] for line in capsys.readouterr().err.splitlines()[1:]] == [
        "  - GATEWAY_LANGUAG"[:17],
        "  - GATEWAY_PORT: c"[:17],
    ]
