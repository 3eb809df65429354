"""Where a demonstration lives: never among anything that is there already."""

import sys
from pathlib import Path

import pytest

from gateway.cli.demonstration.place import Place, make_place
from gateway.model.errors import ConfigError
from gateway.settings import load, require_destinations


def test_a_folder_that_holds_anything_is_refused(tmp_path: Path) -> None:
    """A demonstration must never join, or spoil, real data."""
    (tmp_path / "gateway.db").write_bytes(b"")
    with pytest.raises(ConfigError, match="not an empty folder"):
        make_place(tmp_path, "vi")
    with pytest.raises(ConfigError, match="not an empty folder"):
        make_place(tmp_path / "gateway.db", "vi")


def test_its_settings_are_whole_and_take_the_place_of_all_others() -> None:
    """What the caller has set for a real gateway must not leak into the demonstration."""
    place = Place(Path("/somewhere/demo"), 8080, 9200, "en")
    real = {"GATEWAY_DATABASE_URL": "postgresql://real/gateway", "GATEWAY_PORT": "80", "PATH": "/bin"}
    env = place.environment(real)
    settings = load(env)
    require_destinations(settings)
    assert (settings.database_url, settings.port, settings.lang) == (None, 8080, "en")
    assert env["PATH"] == "/bin"


def test_its_environment_can_be_sourced(tmp_path: Path) -> None:
    """The commands it tells to try work as they stand, whatever the folder is called."""
    place = make_place(tmp_path / "a demo's folder", "vi")
    lines = place.env_file.read_text("utf-8").splitlines()
    assert lines[0] == f'export PATH={Path(sys.executable).parent}:"$PATH"'
    assert [line.partition("=")[0] for line in lines[1:]] == [f"export {name}" for name in place.settings()]
    assert "'\"'\"'" in next(line for line in lines if "GATEWAY_DATA_DIR" in line)
