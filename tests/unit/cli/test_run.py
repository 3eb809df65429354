"""The `gateway` command as a whole: discovery, language, exit status, errors."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import gateway.cli
from gateway.cli import build, run
from gateway.cli.output import TEXTS, Invocation
from gateway.model.discovery import discover
from gateway.model.texts import Texts

EN = {"LANG": "en_US.UTF-8"}
COMMANDS = sorted(discover("gateway.cli", "COMMAND") | discover("gateway.cli", "APP"))


@pytest.fixture
def extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder whose modules count as commands while the test runs."""
    monkeypatch.setattr(gateway.cli, "__path__", [*gateway.cli.__path__, str(tmp_path)])
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("gateway.cli.extra_")]:
        del sys.modules[name]


def test_help_names_every_member_of_the_folder(capsys: pytest.CaptureFixture[str]) -> None:
    """A command is one file; no list of commands is kept by hand."""
    assert run(["--help"], EN) == 0
    shown = capsys.readouterr().out
    assert {"init", "sandbox", "settings", "version"} <= set(COMMANDS)
    assert all(name.replace("_", "-") in shown for name in COMMANDS)
    assert "Exit status: 0 all well" in shown


def test_every_command_and_option_is_explained_in_both_languages() -> None:
    """`--help` is a user text: Vietnamese first, English beside it."""
    texts = Texts.load(TEXTS)

    def untold(command: object, path: str) -> list[str]:
        missing = [] if texts.has(f"{path}.help") else [f"{path}.help"]
        for parameter in command.params:  # type: ignore[attr-defined]
            keys = (f"{path}.{parameter.name}", f"option.{parameter.name}")
            missing += [] if any(map(texts.has, keys)) else [keys[0]]
        for name, member in getattr(command, "commands", {}).items():
            missing += untold(member, name if path == "gateway" else f"{path}.{name}")
        return missing

    assert untold(build(Invocation({}, "vi", texts)), "gateway") == []


@pytest.mark.parametrize(
    ("argv", "env", "expected"),
    [
        (["version", "--help"], {}, "Xem phiên bản"),
        (["version", "--help"], EN, "Show the release"),
        (["--lang", "en", "version", "--help"], {}, "Show the release"),
        (["version", "--lang=vi", "--help"], EN, "Xem phiên bản"),
        (["version", "--help"], EN | {"GATEWAY_LANG": "vi"}, "Xem phiên bản"),
        (["version", "--help", "--lang", "en"], {"GATEWAY_LANG": "vi"}, "Show the release"),
    ],
)
def test_the_language_is_chosen_by_option_then_setting_then_locale(
    argv: list[str], env: dict[str, str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--lang` may stand anywhere, since nobody remembers where global options go."""
    assert run(argv, env) == 0
    assert expected in capsys.readouterr().out


@pytest.mark.parametrize("argv", [["--lang", "fr", "version"], ["version", "--lang"]])
def test_an_unknown_language_is_a_usage_error(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Silently falling back would hide the mistake."""
    assert run(argv, EN) == 2
    assert "--lang takes vi or en" in capsys.readouterr().err


def test_a_member_that_cannot_be_imported_stops_the_command(
    extra: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A command must not vanish because a library of its own is missing."""
    (extra / "extra_broken.py").write_text("import no_such_library\n")
    assert run(["version"], EN) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("Error (configuration): gateway.cli.extra_broken cannot be imported")
    assert captured.out == ""


def test_a_new_file_is_a_new_command(extra: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One file, no list to edit; underscores become hyphens."""
    (extra / "extra_new_one.py").write_text("def go() -> None:\n    print('went')\n\nCOMMAND = go\n")
    assert run(["extra-new-one"], EN) == 0
    assert capsys.readouterr().out == "went\n"


@pytest.mark.parametrize(
    ("raised", "status", "first_line"),
    [
        ("errors.ConfigError('a: bad')", 2, "Error (configuration): a: bad"),
        ("errors.ConfigError('a: bad\\nb: bad')", 2, "Error (configuration):\n  - a: bad\n  - b: bad"),
        ("errors.KeyMissing('key m1')", 2, "Error (keys file): key m1"),
        ("errors.NotFound('no such delivery')", 4, "Error (not found): no such delivery"),
        ("errors.StorageBusy('five runs')", 3, "Error (the database is busy): five runs"),
        ("errors.NotSent('temis: connect')", 3, "Error (no connection to an outside system): temis: connect"),
        ("OSError(98, 'Address already in use')", 3, "Error (operating system): Address already in use"),
    ],
)
def test_an_expected_error_is_one_clear_message_without_a_traceback(
    raised: str, status: int, first_line: str, extra: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Operators read what is wrong and what kind of trouble it is; scripts read the status."""
    body = f"from gateway.model import errors\n\ndef fail() -> None:\n    raise {raised}\n\nCOMMAND = fail\n"
    (extra / "extra_failing.py").write_text(body)
    assert run(["extra-failing"], EN) == status
    captured = capsys.readouterr()
    assert captured.err == first_line + "\n"
    assert captured.out == ""


def test_a_bug_shows_where_it_is(extra: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An error nobody foresaw keeps its traceback and a status of its own."""
    (extra / "extra_bug.py").write_text("def fail() -> None:\n    raise ZeroDivisionError\n\nCOMMAND = fail\n")
    assert run(["extra-bug"], EN) == 70
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_a_database_error_shows_neither_statement_nor_values(
    extra: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """SQLAlchemy's text quotes parameters, and those may be a person's."""
    body = (
        "from sqlalchemy.exc import OperationalError\n\ndef fail() -> None:\n"
        "    raise OperationalError('SELECT :name', {'name': 'Nguyễn'}, Exception('disk I/O error'))\n\n"
        "COMMAND = fail\n"
    )
    (extra / "extra_database.py").write_text(body)
    assert run(["extra-database"], EN) == 3
    assert capsys.readouterr().err == "Error (database): Exception: disk I/O error\n"


def test_wrong_arguments_are_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    """A typo gets a suggestion and status 2."""
    assert run(["verison"], EN) == 2
    assert "version" in capsys.readouterr().err


def test_help_imports_nothing_heavy() -> None:
    """`--help` and completion must stay quick; heavy libraries are imported inside commands."""
    heavy = {"aiohttp", "alembic", "asyncpg", "cryptography", "httpx", "pydantic", "sqlalchemy", "uvloop"}
    code = (
        "import sys\nfrom gateway.cli import run\nrun(['--help'], {})\n"
        f"sys.stderr.write(' '.join(sorted({heavy!r} & set(sys.modules))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""
