"""`gateway balance`: what came in against what is there, by vendor, course and day, against stated totals."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.exits import Exit
from gateway.cli.opened import on_gateway, vendor_named
from gateway.cli.output import Json, Output, invocation
from gateway.model.errors import ConfigError

if TYPE_CHECKING:
    from gateway.app import Gateway
    from gateway.queue.balance import Balance

APP = typer.Typer(help="Compare what was received with what is there.")


@APP.callback(invoke_without_command=True)
def balance(
    ctx: typer.Context,
    day: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Only what was received on this day in Việt Nam."),
    ] = None,
    by: Annotated[
        str | None, typer.Option(metavar="vendor,course,day", help="A line for each; every line must close.")
    ] = None,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the lines into this file instead.")
    ] = None,
    json: Json = False,
) -> None:
    """Show what was received and what became of it; exit 1 when it does not add up."""
    if ctx.invoked_subcommand is not None:
        return
    from gateway.queue.balance import balance as read

    run = invocation(ctx)
    number = None if day is None else day.year * 10_000 + day.month * 100 + day.day
    if by is not None or csv is not None:
        from gateway.cli.sheet import show_lines

        show_lines(run, by or "vendor,course,day", number, csv, json)
        return

    async def of_the_day(gateway: "Gateway") -> "Balance":
        if number is None:
            return await read(gateway.db)
        return await read(gateway.db, first_day=number, last_day=number)

    found = on_gateway(run, of_the_day)
    out = run.output(json)
    show(out, found)
    out.data(found.as_dict())
    if not found.closes:
        raise typer.Exit(Exit.FAULT)


@APP.command()
def compare(
    ctx: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="CSV with vendor, total; course, day if stated.")
    ],
    vendor: Annotated[str | None, typer.Option(help="Of a file without a vendor column: whose it is.")] = None,
    json: Json = False,
) -> None:
    """Compare the totals that a vendor states with what was received; exit 1 when they differ."""
    from gateway.cli.sheet import show_comparison

    show_comparison(invocation(ctx), file, vendor, json)


@APP.command()
def missing(
    ctx: typer.Context,
    vendor: Annotated[str, typer.Argument(help="Whose event ids these are.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Event ids, one a line.")],
    json: Json = False,
) -> None:
    """Name the events of a vendor's own list that never arrived here; exit 1 when there are any."""
    run = invocation(ctx)
    ids = [line.strip() for line in read_text(file).splitlines() if line.strip()]

    async def look(gateway: "Gateway") -> list[str]:
        from gateway.queue.balance_sheet import missing_events

        return await missing_events(gateway.db, (await vendor_named(gateway, vendor)).id, ids)

    found = on_gateway(run, look)
    out = run.output(json)
    if found:
        out.table(["balance.missing.column"], [[event] for event in found])
    out.say("balance.missing.some" if found else "balance.missing.none", n=len(found), asked=len(set(ids)))
    out.data({"asked": len(set(ids)), "missing": found})
    if found:
        raise typer.Exit(Exit.FAULT)


def read_text(file: Path) -> str:
    """Raises: ConfigError when it is no UTF-8 text; OSError."""
    try:
        return file.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: not UTF-8 text") from error


def show(out: Output, found: "Balance") -> None:
    """One line for each count, one column for each vendor, and whether it closes."""
    from gateway.model.reasons import STATES
    from gateway.queue.balance import ARRIVALS

    sheets = [found.total, *(sheet for _, sheet in sorted(found.by_vendor.items()))]
    columns = ["balance.column.what", "balance.column.total", *sorted(found.by_vendor)]
    rows: list[list[object]] = [
        [out.run.text(f"balance.arrived.{kind}"), *(sheet.arrived[kind] for sheet in sheets)]
        for kind in ARRIVALS
        if kind == "received" or found.total.arrived[kind]
    ]
    rows += [
        [f"  {STATES[state][out.run.lang]} ({state})", *(s.states[state] for s in sheets)] for state in STATES
    ]
    if any(not sheet.closes for sheet in sheets):
        rows.append([out.run.text("balance.difference"), *(sheet.difference for sheet in sheets)])
    out.table(columns, rows)
    total = found.total
    key = "balance.closes" if found.closes else "balance.open"
    out.say(key, received=total.received, present=sum(total.states.values()))


__all__ = ["APP"]
