"""`gateway check FILE`: reads a file of completions as the gateway would and names every fault, offline."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.exits import Exit
from gateway.cli.output import Json, invocation
from gateway.model.errors import ConfigError

SHOWN = 50  # faulty lines for people; --json has all

File = Annotated[
    Path,
    typer.Argument(metavar="FILE", exists=True, dir_okay=False, help=".ndjson, .json, .csv, .xlsx, .xls"),
]


def check(
    ctx: typer.Context,
    file: File,
    vendor: Annotated[str, typer.Option("--vendor", help="In whose form the items are.")],
    json: Json = False,
) -> None:
    """Check a file of completions without sending it; exit 1 when a line has a fault."""
    import orjson

    from gateway.connectors import discover
    from gateway.connectors.faults import TEXTS, fault_text
    from gateway.stages.dropped import Dropped
    from gateway.stages.linting import lint

    run = invocation(ctx)
    connectors = discover()
    if vendor not in connectors:
        raise ConfigError(run.text("check.no_form", vendor=vendor, known=", ".join(connectors)))
    out = run.output(json)
    connector = connectors[vendor]
    good = bad = 0
    rows: list[tuple[object, ...]] = []
    for found in lint(connector, Dropped(file, connector).pieces()):
        good, bad = good + (not found.errors), bad + bool(found.errors)
        errors = [
            {
                "path": error.path,
                "code": error.code,
                "message": fault_text(error.code, run.lang)
                if error.code in TEXTS
                else run.text("check.unsupported"),
            }
            for error in found.errors
        ]
        if json:
            line = {"line": found.line, "ok": not errors, "errors": errors}
            sys.stdout.write(orjson.dumps(line).decode() + "\n")
        elif len(rows) < SHOWN:
            rows += [(found.line, error["path"], error["message"]) for error in errors]
    if rows:
        out.table([f"check.column.{name}" for name in ("line", "path", "fault")], rows)
    out.say("check.done" if not bad else "check.faults", good=good, bad=bad)
    if bad:
        raise typer.Exit(Exit.FAULT)


COMMAND = check
