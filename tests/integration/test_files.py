"""Files of completions: checked offline, taken once however often they are run."""

import asyncio
import csv
import io
from pathlib import Path

import orjson
import pytest
import xlsxwriter

from gateway.app import open_gateway
from gateway.cli import run
from gateway.connectors import discover
from gateway.queue.balance import balance
from gateway.queue.streams import Place, open_stream
from gateway.settings import load
from gateway.stages.dropped import Dropped
from gateway.stages.stream_run import Cut
from tests.listening import an_item

HEADINGS = ["STT", "eventId", "eventType", "occurredAt", "userId", "fullName", "sectorCode", "courseId",
            "courseCode", "schoolYear", "passed", "score", "maxScore"]  # fmt: skip


def a_row(n: int, **changes: str) -> list[str]:
    row = {
        "STT": str(n), "eventId": f"row-{n}", "eventType": "COURSE_COMPLETED", "occurredAt": "1773032400000",
        "userId": f"u{n}", "fullName": "Nguyễn Thị Hòa", "sectorCode": "03100000001", "courseId": "c-1",
        "courseCode": "GVPT 03", "schoolYear": "2025-2026", "passed": "true", "score": "8.5", "maxScore": "10",
    }  # fmt: skip
    return [({**row, **changes})[heading] for heading in HEADINGS]


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    found = {
        "GATEWAY_DATA_DIR": str(tmp_path / "data"),
        "GATEWAY_KEYS_FILE": str(tmp_path / "keys" / "keys.json"),
        "LANG": "en_US.UTF-8",
    }
    assert run(["init"], found) == 0
    assert run(["vendors", "add", "viettel"], found) == 0
    return found


@pytest.fixture
def command(env, capsys):
    """Runs a command; returns its exit status and what it printed."""

    def call(*argv: str) -> tuple[int, bytes]:
        capsys.readouterr()
        status = run(argv, env)
        return status, capsys.readouterr().out.encode()

    return call


def a_table(path: Path, rows: list[list[str]]) -> Path:
    if path.suffix == ".csv":
        text = io.StringIO()
        csv.writer(text).writerows(rows)
        path.write_text(text.getvalue(), "utf-8-sig")
    else:
        book = xlsxwriter.Workbook(str(path))
        sheet = book.add_worksheet()
        for n, row in enumerate(rows):
            sheet.write_row(n, 0, row)
        book.close()
    return path


async def received(env: dict[str, str]) -> dict[str, int]:
    async with open_gateway(load(env)) as gateway:
        sheet = await balance(gateway.db)
    assert sheet.closes
    return {kind: n for kind, n in sheet.total.arrived.items() if n}


def test_a_file_is_checked_without_a_gateway(tmp_path, capsys):
    """Each line that holds an item is told, every fault at once; no keys, no database are needed."""
    bad = {"eventId": "x", "eventType": "COURSE_COMPLETED"}
    file = tmp_path / "night.ndjson"
    lines = [orjson.dumps(an_item()), b"", orjson.dumps(bad), b"{", orjson.dumps({"eventType": "LOGIN"})]
    file.write_bytes(b"\n".join(lines))
    assert run(["check", str(file), "--vendor", "viettel", "--json"], {}) == 1
    told = [orjson.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["line"], one["ok"]) for one in told] == [(1, True), (3, False), (4, False), (5, False)]
    assert {error["path"] for error in told[1]["errors"]} == {"$.occurredAt", "$.user", "$.course"}
    assert [one["errors"][0]["code"] for one in told[2:]] == ["item.not_json", "unsupported"]
    assert all(error["message"] for one in told for error in one["errors"])
    file.write_bytes(lines[0])
    assert run(["check", str(file), "--vendor", "viettel", "--json"], {}) == 0
    assert run(["check", str(file), "--vendor", "nobody"], {}) == 2


def test_an_array_is_checked_item_by_item(tmp_path, capsys):
    """What was sent as a batch can be checked as it is; a line is then the place in the array."""
    file = tmp_path / "batch.json"
    file.write_bytes(orjson.dumps([an_item(), {"eventId": 1.5}], option=orjson.OPT_INDENT_2))
    assert run(["check", str(file), "--vendor", "viettel", "--json"], {}) == 1
    assert [orjson.loads(line)["ok"] for line in capsys.readouterr().out.splitlines()] == [True, False]


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_a_table_is_taken_row_by_row(tmp_path, env, command, suffix):
    """Rows keep their numbers; those that cannot be taken stand in a file beside it, with what is wrong."""
    rows = [
        ["Danh sách"],
        HEADINGS,
        a_row(1),
        a_row(2, eventType="X"),
        a_row(3, occurredAt="hôm nay"),
        a_row(4),
    ]
    file = a_table(tmp_path / f"class{suffix}", rows)
    status, printed = command("ingest", str(file), "--vendor", "viettel", "--json")
    assert status == 1
    told = orjson.loads(printed)
    assert (told["accepted"], told["others"], told["line"]) == (2, {"unsupported": 1, "invalid": 1}, 6)
    with Path(told["results"]).open(encoding="utf-8-sig", newline="") as results:
        found = list(csv.DictReader(results))
    assert [(row["line"], row["event_id"], row["status"], row["code"]) for row in found] == [
        ("4", "row-2", "unsupported", ""),
        ("5", "row-3", "invalid", "time.not_epoch_ms"),
    ]
    assert asyncio.run(received(env)) == {"received": 2, "unsupported": 1, "invalid": 1}


def test_the_same_file_again_goes_on_where_it_was(tmp_path, env, command):
    """Broken off anywhere and run again: each line is taken once, and a third run takes nothing."""
    file = tmp_path / "night.ndjson"
    file.write_bytes(b"".join(orjson.dumps(an_item(f"f-{n}")) + b"\n" for n in range(1_200)))

    class Breaking:
        """The file up to the middle of a line, as a process that died had read it."""

        def __init__(self) -> None:
            self.pieces = [file.read_bytes()[:200_000]]

        async def read(self) -> bytes:
            if not self.pieces:
                raise Cut
            return self.pieces.pop()

    async def told(line, receipts):
        assert receipts

    async def broken_off() -> int:
        async with open_gateway(load(env)) as gateway:
            [vendor] = await gateway.vendors.all()
            name = Dropped(file, discover()["viettel"]).stream_name()
            stream = await open_stream(gateway.db, gateway.clock, vendor.id, name)
            place = Place(stream.id, stream.epoch, 0)
            never = asyncio.Event().wait
            ended = await gateway.streaming.take(vendor, place, Breaking(), told, stopping=never, idle_s=60)
        return ended.line

    line = asyncio.run(broken_off())
    assert 0 < line < 1_200
    for begun_after, accepted in ((line, 1_200 - line), (1_200, 0)):
        status, printed = command("ingest", str(file), "--vendor", "viettel", "--json")
        told_now = orjson.loads(printed)
        assert (status, told_now["begun_after"], told_now["accepted"]) == (0, begun_after, accepted)
        assert (told_now["line"], told_now["results"]) == (1_200, None)
    assert asyncio.run(received(env)) == {"received": 1_200}


def test_a_table_without_the_columns_needed_says_which(tmp_path, command):
    """A class list of another form is refused as a whole, and nothing is taken."""
    file = a_table(tmp_path / "other.csv", [["Họ tên", "Điểm"], ["Nguyễn Văn A", "9"]])
    assert command("ingest", str(file), "--vendor", "viettel")[0] == 2


def test_after_the_end_of_an_agreement_nothing_is_taken(tmp_path, env, command):
    """A file is no way around the terms on which a source may send."""
    assert command("sources", "set", "viettel", "--valid-to", "2020-01-01")[0] == 0
    file = tmp_path / "late.ndjson"
    file.write_bytes(orjson.dumps(an_item()))
    assert command("ingest", str(file), "--vendor", "viettel")[0] == 4
    assert asyncio.run(received(env)) == {}
