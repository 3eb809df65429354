"""`gateway incidents`: the sheets of outages: when, how much waited, what was delivered since, the balance."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.opened import on_gateway
from gateway.cli.output import Json, invocation
from gateway.model.clock import iso

if TYPE_CHECKING:
    from gateway.app import Gateway
    from gateway.stages.incidents import Incident

APP = typer.Typer(help="The sheets of outages: when, how much waited, what was delivered since, the balance.")

_LINE = (
    "id",
    "destination",
    "kind",
    "started_at",
    "ended_at",
    "lasted_s",
    "waiting_most",
    "delivered",
    "closes",
)


@APP.command("list")
def list_incidents(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="How many at most.")] = 50,
    before: Annotated[int | None, typer.Option(min=1, help="Only ids below this one: the next page.")] = None,
    json: Json = False,
) -> None:
    """List incidents, the latest first."""
    run = invocation(ctx)

    async def page(gateway: "Gateway") -> "tuple[list[Incident], int]":
        from gateway.stages.incidents import list_incidents as read

        found = await read(gateway.db, before=before or 2**31 - 1, limit=limit)
        return found, gateway.clock.now_ms()

    found, now = on_gateway(run, page)
    rows = [_told(incident, now) for incident in found]
    following = found[-1].id if len(found) == limit else None
    out = run.output(json)
    if rows:
        out.table(
            [f"incidents.column.{name}" for name in _LINE], [[row[name] for name in _LINE] for row in rows]
        )
    else:
        out.say("incidents.list.none")
    out.data({"incidents": rows, "before": following})


@APP.command()
def show(
    ctx: typer.Context,
    incident: Annotated[int, typer.Argument(metavar="ID", help="The incident's id.")],
    json: Json = False,
) -> None:
    """Show the sheet of one incident."""
    run = invocation(ctx)

    async def find(gateway: "Gateway") -> "tuple[Incident, int]":
        from gateway.stages.incidents import find_incident

        return await find_incident(gateway.db, incident), gateway.clock.now_ms()

    told = _told(*on_gateway(run, find))
    out = run.output(json)
    rows = [(run.text(f"incidents.column.{name}"), value) for name, value in told.items() if value is not None]
    out.table(["incidents.column.what", "incidents.column.value"], rows)
    out.data(told)


def _told(incident: "Incident", now: int) -> dict[str, Any]:
    from gateway.stages.incidents import lasted_s

    difference = incident.difference
    return {
        "id": incident.id,
        "destination": incident.destination,
        "kind": incident.kind,
        "error": incident.error,
        "http_status": incident.http_status,
        "started_at": iso(incident.started_at_ms),
        "ended_at": None if incident.ended_at_ms is None else iso(incident.ended_at_ms),
        "lasted_s": lasted_s(incident, now),
        "settled_at": None if incident.settled_at_ms is None else iso(incident.settled_at_ms),
        "waiting_at_start": incident.waiting_at_start,
        "waiting_most": incident.waiting_most,
        "waiting_at_end": incident.waiting_at_end,
        "delivered": incident.delivered,
        "difference": difference,
        "closes": None if difference is None else difference == 0,
    }


__all__ = ["APP"]
