"""A vendor's own totals beside ours. Received: each event counted once, whatever was sent again."""

import csv
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from gateway.cli.exits import Exit
from gateway.cli.opened import on_gateway
from gateway.cli.output import Invocation
from gateway.model.errors import ConfigError

if TYPE_CHECKING:
    from gateway.app import Gateway

_COLUMNS = ("vendor", "course", "day", "theirs", "ours", "difference")


def show_comparison(run: Invocation, file: Path, vendor: str | None, json: bool) -> None:
    """Raises: ConfigError naming the line that cannot be read; Exit 1 when a total differs."""
    stated = read_totals(run, file, vendor)

    async def look(gateway: "Gateway") -> list[dict[str, Any]]:
        from gateway.cli.sheet.lines import lines

        by = ["vendor", *(name for name in ("course", "day") if any(one[name] for one in stated))]
        ours = await lines(gateway, by, None)
        return [_beside(one, ours) for one in stated]

    found = on_gateway(run, look)
    out = run.output(json)
    out.table(
        [f"balance.column.{name}" for name in _COLUMNS], [[one[name] for name in _COLUMNS] for one in found]
    )
    differing = [one for one in found if one["difference"]]
    out.say(
        "balance.compare.differs" if differing else "balance.compare.agrees", n=len(found), m=len(differing)
    )
    out.data({"agrees": not differing, "lines": found})
    if differing:
        raise typer.Exit(Exit.FAULT)


def read_totals(run: Invocation, file: Path, vendor: str | None) -> list[dict[str, Any]]:
    """CSV with a header -> vendor, course or None, day or None, total. Raises: ConfigError."""
    from gateway.cli.balance import read_text

    text = read_text(file)
    reader = csv.DictReader(StringIO(text), delimiter=";" if ";" in text.partition("\n")[0] else ",")
    names = {name.strip().lower() for name in reader.fieldnames or ()}
    if "total" not in names or not (vendor or "vendor" in names):
        raise ConfigError(run.text("balance.compare.header", file=file))
    stated = []
    for row in reader:
        cells = {str(name).strip().lower(): (value or "").strip() for name, value in row.items() if name}
        if not cells.get("total", "").isdecimal():  # unlike isdigit, nothing that int() does not read
            raise ConfigError(run.text("balance.compare.bad_line", file=file, line=reader.line_num))
        stated.append(
            {
                "vendor": cells.get("vendor") or vendor,
                "course": cells.get("course") or None,
                "day": cells.get("day") or None,
                "theirs": int(cells["total"]),
            }
        )
    return stated


def _beside(one: dict[str, Any], ours: list[dict[str, Any]]) -> dict[str, Any]:
    """Ours of the same vendor, and of the same course and day where they are stated."""
    same = [
        line
        for line in ours
        if line["vendor"] == one["vendor"]
        and (one["course"] is None or line["course"] == one["course"])
        and (one["day"] is None or line["day"] == one["day"])
    ]
    received = sum(line["received"] for line in same)
    return one | {"ours": received, "difference": one["theirs"] - received}
