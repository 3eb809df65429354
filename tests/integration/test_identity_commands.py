"""`gateway identity explain` and `recheck`: what an operator asks, no personal value in clear."""

import asyncio
import io
import json
import sys
import threading

import pytest
from python_calamine import CalamineWorkbook

from gateway.cli import run
from gateway.sandbox.app import make_sandbox
from gateway.sandbox.server import serving
from tests.integration.test_pipeline import ROSTER

PERSON = ROSTER[1]
CLAIM = {"identifier": "0" + PERSON.sector_id, "full_name": PERSON.full_name, "birth_date": PERSON.birth_date}


@pytest.fixture
def sandbox():
    """The sandbox in a thread of its own, since a command has its own loop. Yields: its address."""
    started, address = threading.Event(), []
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def serve() -> None:
        async with serving(make_sandbox(ROSTER)) as base:
            address.append(base)
            started.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    started.wait(10)
    yield address[0]
    loop.call_soon_threadsafe(stop.set)
    thread.join(10)
    loop.close()


@pytest.fixture
def call(database_url, tmp_path, sandbox, capsys, monkeypatch):
    """Runs one command with something on standard input -> (status, output)."""
    env = {
        "GATEWAY_DATA_DIR": str(tmp_path / "data"),
        "GATEWAY_DATABASE_URL": database_url,
        "GATEWAY_KEYS_FILE": str(tmp_path / "keys" / "keys.json"),
        "GATEWAY_TOKEN_URL": f"{sandbox}/oauth/token",
        "GATEWAY_REGISTRY_URL": f"{sandbox}/registry",
        "LANG": "en_US.UTF-8",
    }
    assert run(["init"], env) == 0

    def command(*argv: str, stdin: str = "", without: str = ""):
        capsys.readouterr()
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        status = run(list(argv), {name: value for name, value in env.items() if name != without})
        return status, capsys.readouterr()

    return command


def test_a_claim_is_explained_live_with_values_masked(call):
    """Verdict, and each field as sent and on file; neither names nor identifiers in clear."""
    status, printed = call("identity", "explain", "-", "--json", stdin=json.dumps(CLAIM))
    report = json.loads(printed.out)
    assert (status, report["verdict"], report["form"], report["files"]) == (0, "verified", "zero11", 1)
    fields = {row["field"]: row for row in report["fields"]}
    assert fields["sector_id"]["on_file"] == "31••••••01"
    assert fields["sector_id"]["sent"] == "03•••••••01"
    assert [finding["code"] for finding in report["findings"]] == ["identifier.leading_zero"]
    for value in (PERSON.sector_id, PERSON.full_name, PERSON.birth_date):
        assert value not in printed.out + printed.err


def test_a_contradiction_is_named_beside_its_field(call):
    """The operator sees which field differs, who has to act and how."""
    _, printed = call("identity", "explain", "-", "--json", stdin=json.dumps(CLAIM | {"full_name": "Lê Khác"}))
    report = json.loads(printed.out)
    assert (report["verdict"], report["reason"]) == ("held", "attribute.name_mismatch")
    assert {r["field"]: r["findings"] for r in report["fields"]}["full_name"] == ["attribute.name_mismatch"]
    assert report["findings"][-1]["remedy"]


@pytest.mark.parametrize(
    ("identifier", "outcome"), [(PERSON.sector_id, "found"), ("3199999999", "not_found"), ("12", "not_found")]
)
def test_an_identifier_alone_says_whether_somebody_has_it(call, identifier, outcome):
    """Without a name nothing is compared, and no other name is claimed."""
    _, printed = call("identity", "explain", "-", "--json", stdin=identifier + "\n")
    report = json.loads(printed.out)
    assert report["verdict"] == outcome
    assert not [f for f in report["findings"] if f["code"].startswith("attribute.")]


def test_people_read_a_sentence_and_a_table(call):
    """The same for human eyes."""
    status, printed = call("identity", "explain", "-", stdin=json.dumps(CLAIM))
    assert status == 0 and "Verified." in printed.out and "31••••••01" in printed.out


def test_identifiers_on_the_command_line_are_refused(call):
    """Whoever is on the machine can read the command line; the refusal does not repeat the value."""
    for command in ("explain", "recheck"):
        status, printed = call("identity", command, PERSON.sector_id)
        assert status == 2 and PERSON.sector_id not in printed.out + printed.err


def test_without_the_address_of_the_sector_database_it_says_what_to_set(call):
    """No traceback and no guess."""
    status, printed = call("identity", "explain", "-", stdin="3100000001", without="GATEWAY_REGISTRY_URL")
    assert status == 2 and "GATEWAY_REGISTRY_URL" in printed.err


def test_recheck_needs_no_outside_system_and_counts(call):
    """It only makes held results due; the worker asks."""
    status, printed = call("identity", "recheck", "-", "--json", stdin=f"{PERSON.sector_id}\n\n")
    assert (status, json.loads(printed.out)) == (0, {"woken": 0})
    status, printed = call("identity", "recheck", "--reason", "registry.not_found", "--json")
    assert (status, json.loads(printed.out)) == (0, {"woken": 0})
    assert call("identity", "recheck", "--reason", "no.such_code")[0] == 4
    assert call("identity", "recheck")[0] == 2
    assert call("identity", "recheck", "-", "--reason", "registry.not_found")[0] == 2


def test_who_has_to_act_is_named(call, tmp_path):
    """With the schools brought in, each finding names the unit in charge today and how to reach it."""
    units = tmp_path / "units.csv"
    units.write_text(
        "code,name,level,parent,teaches,contact\n31,Sở Hải Phòng,department,,,\n"
        "31000717,THPT Ngô Quyền,school,31,THPT,Văn phòng trường\n",
        "utf-8",
    )
    assert call("units", "import", str(units))[0] == 0
    claim = json.dumps(CLAIM | {"full_name": "Lê Khác", "unit_code": "31000717"})
    _, printed = call("identity", "explain", "-", "--json", stdin=claim)
    [named] = [f for f in json.loads(printed.out)["findings"] if f["code"] == "attribute.name_mismatch"]
    assert named["owner"]["label"] == "School admin: THPT Ngô Quyền (31000717)"
    assert named["owner"]["unit"]["contact"] == "Văn phòng trường"
    assert (
        "THPT Ngô Quyền (31000717) – Văn phòng trường" in call("identity", "explain", "-", stdin=claim)[1].out
    )


def test_a_file_is_checked_live_and_comes_back_with_reasons(call, tmp_path):
    """Counts for machines, the rows with reason and remedy in the file; no personal value is printed."""
    file, result = tmp_path / "people.csv", tmp_path / "result.xlsx"
    lines = [
        "Mã định danh;Họ tên;Ngày sinh",
        f"{PERSON.sector_id};{PERSON.full_name};{PERSON.birth_date}",
        "33;Lê An;",
    ]
    file.write_text("\n".join(lines), "utf-8")
    status, printed = call("identity", "check-file", str(file), "--out", str(result), "--json")
    report = json.loads(printed.out)
    assert (status, report["rows"], report["counts"]) == (0, 2, {"verified": 1, "format.length": 1})
    rows = CalamineWorkbook.from_path(result).get_sheet_by_index(0).to_python()
    assert [row[3] for row in rows[2:]] == ["Verified", "Needs work"]
    assert PERSON.full_name not in printed.out + printed.err


def test_a_file_without_the_columns_writes_nothing(call, tmp_path):
    """The missing heading is named, and no half result is left."""
    (tmp_path / "x.csv").write_text("Họ tên\nLê An\n", "utf-8")
    status, printed = call("identity", "check-file", str(tmp_path / "x.csv"), "--out", str(tmp_path / "r.xlsx"))
    assert status != 0
    assert "identifier" in printed.err
    assert not (tmp_path / "r.xlsx").exists()
