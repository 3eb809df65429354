"""The balance line by line: a table for people, JSON, or a file that a spreadsheet opens."""

import csv
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from gateway.cli.exits import Exit
from gateway.cli.opened import on_gateway
from gateway.cli.output import Invocation
from gateway.model.errors import ConfigError
from gateway.model.sheet_cells import plain_cell

if TYPE_CHECKING:
    from gateway.app import Gateway

LINE = ("vendor", "course", "title", "module", "day")


def show_lines(run: Invocation, by: str, day: int | None, file: Path | None, json: bool) -> None:
    """Raises: ConfigError for an unknown word in `by`; Exit 1 when a line does not close."""
    from gateway.queue.balance_sheet import BY

    wanted = [word.strip() for word in by.split(",") if word.strip()]
    if not wanted or set(wanted) - set(BY):
        raise ConfigError(run.text("balance.by_what", known=", ".join(BY)))

    async def read(gateway: "Gateway") -> list[dict[str, Any]]:
        return await lines(gateway, wanted, day)

    found = on_gateway(run, read)
    out = run.output(json)
    is_open = [line for line in found if not line["closes"]]
    if file is not None:
        file.write_text(as_csv(found), "utf-8-sig")
        out.say("balance.written", file=file, n=len(found))
    else:
        columns = [*(name for name in LINE if any(line[name] is not None for line in found))]
        counts = ("received", "delivered", "held", "accepted", "verified", "dead", "voided", "difference")
        out.table(
            [f"balance.column.{name}" for name in (*columns, *counts)],
            [[line[name] for name in (*columns, *counts)] for line in found],
        )
    out.say("balance.lines_open" if is_open else "balance.lines_close", n=len(found), open=len(is_open))
    out.data({"closes": not is_open, "by": wanted, "lines": found})
    if is_open:
        raise typer.Exit(Exit.FAULT)


async def lines(gateway: "Gateway", by: list[str], day: int | None) -> list[dict[str, Any]]:
    """One object a line: vendor, course, title, module, day and the counts of a sheet."""
    from gateway.queue.balance_sheet import named_courses, sheets

    span = {} if day is None else {"first_day": day, "last_day": day}
    found = await sheets(gateway.db, by, **span)
    names = await named_courses(gateway.db)
    told = []
    for key, sheet in found.items():
        course = names.get(key.course or 0)
        number = None if not key.course else f"#{key.course:012x}"  # nobody has looked it up yet
        told.append(
            {
                "vendor": key.vendor,
                "course": course.course_id if course else number,
                "title": course.title if course else None,
                "module": course.module_code if course else None,
                "day": None
                if key.day is None
                else f"{key.day // 10_000}-{key.day // 100 % 100:02}-{key.day % 100:02}",
                **sheet.as_dict(),
            }
        )
    return told


def as_csv(found: list[dict[str, Any]]) -> str:
    """A header and a line each, for a spreadsheet: nothing in it runs as a formula."""
    text = StringIO()
    writer = csv.writer(text)
    header = list(found[0]) if found else list(LINE)
    writer.writerow(header)
    writer.writerows([plain_cell(line[name]) for name in header] for line in found)
    return text.getvalue()
