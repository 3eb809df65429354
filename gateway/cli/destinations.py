"""`gateway destinations`: how TEMIS and the sector database stand; pause, resume, announced maintenance."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.opened import on_gateway
from gateway.cli.output import Json, invocation
from gateway.model.clock import ICT, iso

if TYPE_CHECKING:
    from gateway.app import Gateway
    from gateway.outbound.destinations import Standing
    from gateway.outbound.maintenance import Window
    from gateway.stages.status import Component

APP = typer.Typer(help="How TEMIS and the sector database stand; pause, resume, announced maintenance.")
WINDOW = typer.Typer(help="Announced maintenance.")
APP.add_typer(WINDOW, name="window", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="DESTINATION", help="temis or registry.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would happen; change nothing.")]
_FORMATS = ["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"]
_LINE = ("destination", "state", "since", "waiting", "oldest", "rate_per_s", "contact")
_WINDOW = ("id", "destination", "from", "to", "reason", "made_by")


@APP.command()
def status(ctx: typer.Context, json: Json = False) -> None:
    """Show how each destination stands, since when, and what waits for it."""
    run = invocation(ctx)

    async def read(gateway: "Gateway") -> "tuple[list[Component], dict[str, Standing], int]":
        from gateway.outbound.destinations import read_standings
        from gateway.stages.status import StatusBoard

        settings = gateway.settings
        contacts = {"temis": settings.temis.contact, "registry": settings.registry.contact}
        board = StatusBoard(gateway.db, gateway.clock, contacts)
        return await board.components(), await read_standings(gateway.db), gateway.clock.now_ms()

    from gateway.stages.status import age

    components, standings, now = on_gateway(run, read)
    rows = [_told(component, standings[component.name]) for component in components]
    out = run.output(json)
    shown = [
        row
        | {
            "state": run.text(f"destinations.state.{row['state']}"),
            "oldest": age(now - c.oldest_ms, run.lang) if c.oldest_ms is not None else None,
            "contact": c.contacts[run.lang],
        }
        for row, c in zip(rows, components, strict=True)
    ]
    out.table(
        [f"destinations.column.{name}" for name in _LINE], [[row[name] for name in _LINE] for row in shown]
    )
    for component in components:
        if component.state != "up" or component.window is not None:
            out.say("destinations.line", text=component.message(run.lang))
    out.data({"destinations": rows})


@APP.command()
def pause(
    ctx: typer.Context,
    destination: Name,
    reason: Annotated[str, typer.Option(help="Why; goes into the audit.")],
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Stop every call to a destination until it is resumed; what waits is kept."""
    run = invocation(ctx)

    async def paused(gateway: "Gateway") -> "Standing":
        from gateway.outbound.destinations import pause as pause_destination
        from gateway.outbound.destinations import standing_of
        from gateway.storage.audit import machine

        if dry_run:
            return await standing_of(gateway.db, destination)
        return await pause_destination(gateway.db, gateway.clock, destination, by=machine(), reason=reason)

    found = on_gateway(run, paused)
    out = run.output(json)
    out.say(f"destinations.pause.{'dry' if dry_run else 'done'}", destination=found.name)
    out.data({"destination": found.name, "paused": found.paused_at_ms is not None, "dry_run": dry_run})


@APP.command()
def resume(
    ctx: typer.Context,
    destination: Name,
    rate: Annotated[
        float | None, typer.Option(min=0.001, max=100_000, help="Calls a second; by default as configured.")
    ] = None,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Let calls go on, at a rate of your choice; what waited drains at it."""
    run = invocation(ctx)

    async def resumed(gateway: "Gateway") -> "Standing":
        from gateway.outbound.destinations import resume as resume_destination
        from gateway.outbound.destinations import standing_of
        from gateway.storage.audit import machine

        if dry_run:
            return await standing_of(gateway.db, destination)
        return await resume_destination(gateway.db, gateway.clock, destination, by=machine(), rate_per_s=rate)

    found = on_gateway(run, resumed)
    out = run.output(json)
    out.say(f"destinations.resume.{'dry' if dry_run else 'done'}", destination=found.name)
    told = {"destination": found.name, "paused": found.paused_at_ms is not None}
    out.data(told | {"rate_per_s": found.rate_per_s, "dry_run": dry_run})


@WINDOW.command("add")
def add(
    ctx: typer.Context,
    destination: Name,
    start: Annotated[datetime, typer.Argument(metavar="FROM", formats=_FORMATS, help="Begins, in Việt Nam.")],
    end: Annotated[datetime, typer.Argument(metavar="TO", formats=_FORMATS, help="Ends, in Việt Nam.")],
    reason: Annotated[str, typer.Option(help="Why, as it was announced.")],
    json: Json = False,
) -> None:
    """Announce a maintenance: people are told before, and its outage raises no alarm."""
    run = invocation(ctx)

    async def added(gateway: "Gateway") -> "Window":
        from gateway.outbound.maintenance import add_window
        from gateway.storage.audit import machine

        bounds = _ms(start), _ms(end)
        return await add_window(gateway.db, gateway.clock, destination, *bounds, reason=reason, by=machine())

    told = _window(on_gateway(run, added))
    out = run.output(json)
    out.say("destinations.window.add.done", id=told["id"], begins=told["from"], ends=told["to"])
    out.data(told)


@WINDOW.command("list")
def list_windows(ctx: typer.Context, json: Json = False) -> None:
    """List maintenance that has been announced and is not over."""
    run = invocation(ctx)

    async def read(gateway: "Gateway") -> "list[Window]":
        from gateway.outbound.maintenance import windows

        return await windows(gateway.db, gateway.clock.now_ms())

    rows = [_window(window) for window in on_gateway(run, read)]
    out = run.output(json)
    if rows:
        columns = [f"destinations.column.{name}" for name in _WINDOW]
        out.table(columns, [[row[name] for name in _WINDOW] for row in rows])
    else:
        out.say("destinations.window.list.none")
    out.data({"windows": rows})


@WINDOW.command("remove")
def remove(
    ctx: typer.Context,
    window: Annotated[int, typer.Argument(metavar="ID", help="The window's id.")],
    json: Json = False,
) -> None:
    """Take an announcement back."""
    run = invocation(ctx)

    async def removed(gateway: "Gateway") -> None:
        from gateway.outbound.maintenance import remove_window
        from gateway.storage.audit import machine

        await remove_window(gateway.db, gateway.clock, window, by=machine())

    on_gateway(run, removed)
    out = run.output(json)
    out.say("destinations.window.remove.done", id=window)
    out.data({"id": window, "removed": True})


def _ms(at: datetime) -> int:
    return int(at.replace(tzinfo=ICT).timestamp() * 1000)


def _told(component: "Component", standing: "Standing") -> dict[str, Any]:
    return {
        "destination": component.name,
        "state": component.state,
        "since": None if component.since_ms is None else iso(component.since_ms),
        "error": standing.error,
        "http_status": standing.http_status,
        "paused_by": standing.paused_by,
        "paused_reason": standing.paused_reason,
        "rate_per_s": standing.rate_per_s,
        "waiting": component.waiting,
        "oldest_received_at": None if component.oldest_ms is None else iso(component.oldest_ms),
        "window": None if component.window is None else _window(component.window),
        "contact": dict(component.contacts),
    }


def _window(window: "Window") -> dict[str, Any]:
    return {
        "id": window.id,
        "destination": window.destination,
        "from": iso(window.from_ms),
        "to": iso(window.to_ms),
        "reason": window.reason,
        "made_by": window.made_by,
    }


__all__ = ["APP"]
