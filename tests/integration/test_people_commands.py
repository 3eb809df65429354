"""`gateway units` and `gateway users` as an operator types them, on a real database of both engines."""

import csv
import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher

from gateway.cli import run
from gateway.model.errors import Refused
from gateway.security import passwords
from gateway.storage.users import add_user
from tests.generated import ROOT

Command = Callable[..., Any]
UNITS = str(ROOT / "contracts/units/samples/units.csv")
USERS = str(ROOT / "contracts/users/samples/users.csv")


@pytest.fixture
def command(database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs one command with --json -> what it printed; `status` is the exit status it must end with."""
    env = {
        "GATEWAY_DATA_DIR": str(tmp_path / "data"),
        "GATEWAY_DATABASE_URL": database_url,
        "GATEWAY_KEYS_FILE": str(tmp_path / "keys" / "keys.json"),
        "LANG": "en_US.UTF-8",
    }
    assert run(["init"], env) == 0

    def call(*argv: str, status: int = 0, json_too: bool = True) -> Any:
        capsys.readouterr()
        assert run([*argv, "--json"] if json_too else [*argv], env) == status
        printed = capsys.readouterr()
        if not json_too or status not in (0, 1):
            return printed.out + printed.err
        return json.loads(printed.out)

    return call


def test_units_come_in_by_a_file_and_answer_by_day(command: Command) -> None:
    """Preview writes nothing, the same file again changes nothing; a school's path follows the day."""
    assert len(command("units", "import", UNITS, "--preview")["new"]) == 456
    assert command("units", "list")["units"] == []
    assert len(command("units", "import", UNITS)["new"]) == 456
    again = command("units", "import", UNITS)
    assert (again["new"], again["changed"], again["edges"], again["same"]) == ([], [], [], 456)
    before = command("units", "show", "31312401", "--on", "2025-06-30")
    after = command("units", "show", "31312401", "--on", "2025-07-01")
    assert [unit["code"] for unit in before["path"]] == ["31312401", "31312", "31", "BGDDT"]
    assert [unit["code"] for unit in after["path"]] == ["31312401", "11617", "31", "BGDDT"]
    assert before["in_charge_today"]["code"] == "11617"
    assert [edge["to"] for edge in command("units", "show", "31312")["successors"]] == [
        "11581",
        "11593",
        "11617",
    ]
    assert {unit["level"] for unit in command("units", "list", "--under", "11617")["units"]} == {"school"}
    command("units", "show", "99999999", status=4)


def test_bad_rows_are_listed_with_their_remedy_in_the_readers_language(
    command: Command, tmp_path: Path
) -> None:
    """Exit 1, the good rows are in; people read line, column and what to do."""
    file = tmp_path / "units.csv"
    file.write_text("Mã,Tên,Cấp,Mã cấp trên\n31,Sở Hải Phòng,Sở,\n1158,UBND xã X,xã,31\n", "utf-8")
    found = command("units", "import", str(file), status=1)
    assert [unit["code"] for unit in found["new"]] == ["31"]
    assert [(fault["line"], fault["field"], fault["code"]) for fault in found["faults"]] == [
        (3, "code", "code_lost_zero")
    ]
    told = command("units", "import", str(file), "--lang", "vi", status=1, json_too=False)
    assert "số 0 ở đầu" in told
    (tmp_path / "no.csv").write_text("a,b\n", "utf-8")
    assert "Mã đơn vị" in command("units", "import", str(tmp_path / "no.csv"), status=2)


def test_accounts_are_made_from_a_file_in_the_scope_of_who_acts(command: Command, tmp_path: Path) -> None:
    """First account on the machine, then a commune's own; passwords in a file of mode 0600, once."""
    command("units", "import", UNITS)
    first = command(
        "users", "add", "xa.anhai", "--role", "unit_admin", "--unit", "11617", "--name", "Người Mẫu"
    )
    assert len(first["one_time_password"]) == 19
    result = tmp_path / "handed.csv"
    made = command("users", "import", USERS, "--as", "xa.anhai", "--result", str(result), status=1)
    assert [user["login"] for user in made["new"]] == ["adong.qt1", "adong.qt2"]
    assert [fault["code"] for fault in made["faults"]] == ["out_of_scope"]
    assert stat.S_IMODE(result.stat().st_mode) == 0o600
    with result.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["login"] for row in rows] == ["adong.qt1", "adong.qt2"]
    assert len({row["one_time_password"] for row in rows}) == 2
    listed = command("users", "list", "--unit", "31312401")["users"]
    assert [(user["login"], user["state"]) for user in listed] == [
        ("adong.qt1", "one_time"),
        ("adong.qt2", "one_time"),
    ]
    again = command("users", "import", USERS, "--result", str(tmp_path / "second.csv"))
    assert (again["same"], [user["login"] for user in again["new"]]) == (2, ["anhai.xem"])


def test_refusals_and_ends(command: Command) -> None:
    """A school's admin hands out nothing; an ended account acts no more; a wrong wish says what is wrong."""
    command("units", "import", UNITS)
    for login, unit in (("truong.1", "31312401"), ("truong.2", "31312401")):
        command("users", "add", login, "--role", "unit_admin", "--unit", unit, "--name", "Người Mẫu")
    assert "outside the scope" in command("users", "reset", "truong.2", "--as", "truong.1", status=4)
    reset = command("users", "reset", "truong.2")
    assert len(reset["one_time_password"]) == 19
    command("users", "end", "truong.1")
    command("users", "list", "--as", "truong.1", status=4)
    assert "unit" in command("users", "add", "x.y", "--role", "viewer", "--unit", "99", "--name", "A", status=2)
    assert "--result" in command("users", "import", USERS, status=2)


def test_a_large_file_that_fails_later_hands_out_only_what_was_made(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first 200 stand, with their passwords; of the others there is neither account nor password."""
    command("units", "import", UNITS)
    logins = [f"nguoi.{n:03}" for n in range(250)]
    rows = "".join(f"{login},Người Mẫu,31312401,Quản trị đơn vị\n" for login in logins)
    people, result = tmp_path / "people.csv", tmp_path / "handed.csv"
    people.write_text("Tên đăng nhập,Họ và tên,Mã đơn vị,Vai trò\n" + rows, "utf-8")
    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gateway.stages.users.users.add_user", _refusing("nguoi.220"))
        told = command("users", "import", str(people), "--result", str(result), status=4)
    assert "200" in told and "250" in told
    with result.open(encoding="utf-8-sig", newline="") as file:
        assert [row["login"] for row in csv.DictReader(file)] == logins[:200]
    assert [user["login"] for user in command("users", "list")["users"]] == logins[:200]
    command("users", "import", str(people), "--result", str(tmp_path / "rest.csv"))
    assert len(command("users", "list")["users"]) == 250


def _refusing(login: str) -> Any:
    """`add_user` of a database in which somebody takes this login at the same moment."""

    async def add(tx: Any, vault: Any, new: Any, password_hash: str, now: int) -> None:
        await add_user(tx, vault, new, password_hash, now)
        if new.login == login:
            raise Refused(f"the login {login} is taken", "login_taken")

    return add
