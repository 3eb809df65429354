"""`gateway sources`: terms by command, in force without a restart, told ahead of their end."""

from datetime import timedelta

import pytest

from gateway.cli import run
from gateway.model.clock import SystemClock, local_date
from tests.integration.test_commands import command, env

assert command
assert env


def day(days: int) -> str:
    """A day from now on, in Việt Nam."""
    return (local_date(SystemClock().now_ms()) + timedelta(days=days)).isoformat()


def test_a_source_is_added_with_its_terms_and_changed_piece_by_piece(command):
    """What is given changes, what is not given stays, an empty text clears."""
    added = command(
        "sources", "add", "so-hanoi", "--connector", "vnpt", "--contract-no", "12/HĐ-2026", "--area", "01",
        "--legal-basis", "NĐ 356/2025", "--data-fields", "họ tên, ngày sinh, mã", "--licence-no", "GP-7",
        "--valid-from", day(-1), "--valid-to", day(300), "--addresses", "203.0.113.0/24", "--per-min", "600",
    )  # fmt: skip
    assert added["secret"].startswith("whsec_")
    changed = command("sources", "set", "so-hanoi", "--per-min", "0", "--addresses", "")
    assert changed == {
        "source": "so-hanoi", "connector": "vnpt", "contract_no": "12/HĐ-2026", "area": "01",
        "legal_basis": "NĐ 356/2025", "data_fields": "họ tên, ngày sinh, mã", "licence_no": "GP-7",
        "valid_from": day(-1), "valid_to": day(300),
    }  # fmt: skip
    shown = command("sources", "show", "so-hanoi")
    assert {key: value for key, value in shown.items() if key != "secrets"} == changed
    assert [secret["last_used_at"] for secret in shown["secrets"]] == [None]
    assert [one["source"] for one in command("sources", "list")["sources"]] == ["viettel", "so-hanoi"]
    assert [one["vendor"] for one in command("vendors", "list")["vendors"]] == ["viettel", "so-hanoi"]


@pytest.mark.parametrize(
    "wrong",
    [("--addresses", "203.0.113.7/24"), ("--cert-sha256", "ab"),
     ("--valid-from", "2030-01-01", "--valid-to", "2029-01-01"), ("--department", "99")],
)  # fmt: skip
def test_terms_that_cannot_be_are_refused_and_nothing_changes(command, wrong):
    """A mistyped network or day is told at once; the source stays as it was."""
    before = command("sources", "show", "viettel")
    command("sources", "set", "viettel", *wrong, status=2)
    assert command("sources", "show", "viettel") == before


def test_a_source_is_given_the_department_of_its_unclaimed_cases(command, tmp_path):
    """Only a department of the units that stand today; an empty text clears."""
    file = tmp_path / "units.csv"
    file.write_text("code,name,level\n31,Sở GDĐT Hải Phòng,department\n", encoding="utf-8")
    command("units", "import", str(file))
    assert command("sources", "set", "viettel", "--department", "31")["department"] == "31"
    added = command("sources", "add", "so-hai-phong", "--connector", "vnpt", "--department", "31")
    assert command("sources", "show", added["source"])["department"] == "31"
    assert "department" not in command("sources", "set", "viettel", "--department", "")


def test_an_end_is_seen_ahead_and_can_be_made(command, env, capsys):
    """Doctor notes it within thirty days; `end` closes at once and says what goes on."""
    command("sources", "set", "viettel", "--valid-to", day(20))
    [check] = [c for c in command("doctor", status=1)["checks"] if c["name"] == "sources"]
    assert (check["status"], "viettel" in check["detail"]) == ("warning", True)
    assert command("sources", "end", "viettel", "--reason", "contract over")["valid_to"] == day(-1)
    assert run(["sources", "list"], env) == 0
    assert "ended" in capsys.readouterr().out
    [check] = [c for c in command("doctor", status=1)["checks"] if c["name"] == "sources"]
    assert check["status"] == "ok"
    command("sources", "end", "nobody", "--reason", "x", status=4)
