"""`gateway init` on a real database and a real keys file."""

import asyncio
import json
import stat
from pathlib import Path

import pytest

from gateway.cli import run
from gateway.model.clock import SystemClock
from gateway.security.keys import KeyRing
from gateway.security.vault import Vault
from gateway.storage.data_keys import ensure_data_keys
from gateway.storage.engine import open_database
from gateway.storage.schema import check_schema


@pytest.fixture
def env(database_url: str, tmp_path: Path) -> dict[str, str]:
    return {
        "GATEWAY_DATA_DIR": str(tmp_path / "data"),
        "GATEWAY_DATABASE_URL": database_url,
        "GATEWAY_KEYS_FILE": str(tmp_path / "keys" / "keys.json"),
        "LANG": "en_US.UTF-8",
    }


def init(env: dict[str, str], capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    assert run(["init", "--json"], env) == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


async def use(env: dict[str, str]) -> None:
    """What any command that stores something does first."""
    db = open_database(env["GATEWAY_DATABASE_URL"])
    try:
        await check_schema(db)
        await ensure_data_keys(db, Vault(KeyRing.load(Path(env["GATEWAY_KEYS_FILE"]))), SystemClock())
    finally:
        await db.close()


def test_the_first_run_makes_keys_and_tables(env: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    """Afterwards the keys are the owner's alone and the schema is the one this program expects."""
    assert init(env, capsys) == {
        "keys_file": env["GATEWAY_KEYS_FILE"],
        "keys_created": True,
        "database_upgraded": True,
    }
    keys = Path(env["GATEWAY_KEYS_FILE"])
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600
    assert stat.S_IMODE(keys.parent.stat().st_mode) == 0o700


def test_a_second_run_changes_nothing(env: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    """`init` stands in start scripts: it must be safe on an installation that lives."""
    init(env, capsys)
    before = Path(env["GATEWAY_KEYS_FILE"]).read_bytes()
    second = init(env, capsys)
    assert second["keys_created"] is False
    assert second["database_upgraded"] is False
    assert Path(env["GATEWAY_KEYS_FILE"]).read_bytes() == before


async def test_lost_keys_are_never_replaced_by_new_ones(
    env: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """New keys over old data would start well and then find every stored row unreadable."""
    await asyncio.to_thread(init, env, capsys)
    await use(env)
    Path(env["GATEWAY_KEYS_FILE"]).rename(Path(env["GATEWAY_KEYS_FILE"]).with_name("copy.json"))
    assert await asyncio.to_thread(run, ["init"], env) == 2
    assert "restore it from its copy" in capsys.readouterr().err
    assert not Path(env["GATEWAY_KEYS_FILE"]).exists()


async def test_the_keys_of_another_installation_are_refused(
    env: dict[str, str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A keys file that cannot open this database is told at `init`, not at the first row."""
    await asyncio.to_thread(init, env, capsys)
    await use(env)
    other = tmp_path / "other.json"
    KeyRing.load(Path(env["GATEWAY_KEYS_FILE"])).with_new_master().save(other)
    ring = json.loads(other.read_bytes())
    ring["master"] = ring["master"][1:]
    other.write_text(json.dumps(ring))
    assert await asyncio.to_thread(run, ["init"], env | {"GATEWAY_KEYS_FILE": str(other)}) == 2
    assert "keys file" in capsys.readouterr().err
