"""`gateway balance` line by line, against a vendor's own totals, and the events that never arrived."""

import asyncio
import csv

import pytest

from gateway.app import open_gateway
from gateway.cli import run
from gateway.settings import load
from gateway.storage.engine import open_database
from tests.integration.test_commands import Command, accept, an_item, command, env

__all__ = ["command", "env"]


async def received(env):
    await accept(env, an_item(0, "a"), an_item(1, "b"), an_item(2, "c", course="=1+1"), an_item(0, "a"))


def lines(command: Command, *argv: str, status: int = 0):
    return command("balance", "--by", "vendor,course,day", *argv, status=status)


async def test_every_line_closes_or_the_command_ends_with_a_fault(env, command, database_url):
    """What a script asks every night."""
    await received(env)
    told = await asyncio.to_thread(lines, command)
    assert told["closes"] is True
    assert [(one["received"], one["duplicate"]) for one in told["lines"]] in (
        [(2, 1), (1, 0)],
        [(1, 0), (2, 1)],
    )
    db = open_database(database_url)
    await db.write(lambda tx: tx.run("DELETE FROM deliveries WHERE event_id = 'b'"))
    await db.close()
    told = await asyncio.to_thread(lines, command, status=1)
    assert [one["difference"] for one in told["lines"] if not one["closes"]] == [1]


async def test_the_file_opens_in_a_spreadsheet_and_runs_nothing(env, command, tmp_path):
    """A course id that looks like a formula stays text; names read well."""
    await received(env)
    async with open_gateway(load(env)) as gateway:
        await gateway.db.write(
            lambda tx: tx.run(
                "INSERT INTO courses (vendor_id, course_key, title) VALUES (1, '=1+1', 'Giới tính')"
            )
        )
    file = tmp_path / "balance.csv"
    told = await asyncio.to_thread(lines, command, "--csv", str(file))
    assert len(told["lines"]) == 2
    rows = list(csv.DictReader(file.read_text("utf-8-sig").splitlines()))
    assert {(row["course"][:1], row["received"]) for row in rows} == {("'", "1"), ("#", "2")}
    assert "Giới tính" in {row["title"] for row in rows}


async def test_a_vendors_totals_are_set_beside_ours(env, command, tmp_path):
    """Received counts each event once; a total that differs ends with a fault and says by how much."""
    await received(env)
    file = tmp_path / "totals.csv"
    file.write_text("vendor;total\nviettel;3\n", "utf-8-sig")
    told = await asyncio.to_thread(command, "balance", "compare", str(file))
    assert told["agrees"] is True
    file.write_text("total,day\n5,2000-01-01\n")
    told = await asyncio.to_thread(command, "balance", "compare", str(file), "--vendor", "viettel", status=1)
    assert [(one["ours"], one["difference"]) for one in told["lines"]] == [(0, 5)]


@pytest.mark.parametrize(
    "text", ["total\n1\n", "vendor,n\nviettel,1\n", "vendor,total\nviettel,many\n", "vendor,total\nviettel,²\n"]
)
def test_totals_that_cannot_be_read_are_refused(env, tmp_path, capsys, text):
    """Nothing is guessed from a file without the columns."""
    file = tmp_path / "totals.csv"
    file.write_text(text, "utf-8")
    assert run(["balance", "compare", str(file)], env) == 2
    assert "totals.csv" in capsys.readouterr().err


async def test_missing_events_are_named(env, command, tmp_path):
    """A vendor's own list of ids, against what arrived."""
    await received(env)
    file = tmp_path / "ids.txt"
    file.write_text("a\nb\n\nnever-1\n")
    told = await asyncio.to_thread(command, "balance", "missing", "viettel", str(file), status=1)
    assert told == {"asked": 3, "missing": ["never-1"]}


def test_an_unknown_word_is_told(env, capsys):
    """`--by school` is no line of the balance."""
    assert run(["balance", "--by", "school"], env) == 2
    assert "vendor, course, day" in capsys.readouterr().err
