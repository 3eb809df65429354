"""`gateway balance`: what came in against what is there, for every vendor and together."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.exits import Exit
from gateway.cli.opened import on_gateway
from gateway.cli.output import Json, Output, invocation

if TYPE_CHECKING:
    from gateway.app import Gateway
    from gateway.queue.balance import Balance


def balance(
    ctx: typer.Context,
    day: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Only what was received on this day in Việt Nam."),
    ] = None,
    json: Json = False,
) -> None:
    """Show what was received and what became of it; exit 1 when it does not add up."""
    from gateway.queue.balance import balance as read

    run = invocation(ctx)
    number = None if day is None else day.year * 10_000 + day.month * 100 + day.day

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


COMMAND = balance
