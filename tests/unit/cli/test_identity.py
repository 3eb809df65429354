"""`gateway identity check`: what it prints, in order, for people and for scripts."""

import json
from pathlib import Path

import pytest

from gateway.cli import run

ROSTER = """sector_id,full_name,birth_date,gender,citizen_id,unit_code,unit_name,role,status,status_since
3101234567,Nguyễn Thị Hòa,1985-03-12,Nữ,031185012345,31000717,THPT,GV,Đang làm việc,2010-09-01
310123,Sai Mã,,,,,,,,
"""
CLAIMS = """{"id":"b","identifier":"03101234567","full_name":"NGUYỄN THỊ HOÀ","birth_date":"12/03/1985"}
nonsense
{"id":"a","identifier":"3199999999","full_name":"Nguyễn Thị Hòa"}
{"id":"\\ud800","identifier":null}
"""


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    roster, claims = tmp_path / "roster.csv", tmp_path / "claims.ndjson"
    roster.write_text(ROSTER, "utf-8")
    claims.write_text(CLAIMS, "utf-8")
    return ["identity", "check", "--roster", str(roster), "--claims", str(claims)]


def test_json_is_one_line_for_each_claim_in_order(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Scripts join the results to their claims by line; a bad line has its error in its place."""
    assert run([*files, "--json"], {}) == 0
    out, err = capsys.readouterr()
    results = [json.loads(line) for line in out.splitlines()]
    assert [result["id"] for result in results] == ["b", None, "a", "\ud800"]
    assert [result.get("reason") for result in results] == [None, None, "registry.not_found", "format.missing"]
    assert (results[0]["verdict"], results[0]["rung"]) == ("verified", 2)
    assert results[1]["line"] == 2
    assert "line 3: sector_id" in err


@pytest.mark.parametrize(
    ("lang", "words"),
    [
        ("vi", ["Đã xác thực 1", "Quản trị trường", "registry.not_found"]),
        ("en", ["1 verified", "School admin"]),
    ],
)
def test_people_read_causes_with_their_next_step(
    files: list[str], lang: str, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Without --json the causes are counted, each with who acts and what to do, and no personal value."""
    assert run([*files, "--lang", lang], {}) == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in words)
    assert "Hòa" not in shown
    assert "3199999999" not in shown


def test_a_roster_without_its_columns_is_a_usage_error(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Running it again changes nothing, so the exit status says so and the message names the columns."""
    Path(files[3]).write_text("a,b\n", "utf-8")
    assert run(files, {}) == 2
    assert "sector_id, full_name" in capsys.readouterr().err


def test_a_roster_in_another_encoding_is_a_usage_error(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A file saved in an old code page is refused whole: damaged names would be compared otherwise."""
    Path(files[3]).write_bytes("sector_id,full_name\n3101234567,Nguyễn\n".encode("utf-16"))
    assert run(files, {}) == 2
    assert "UTF-8" in capsys.readouterr().err
