"""`gateway deadlines`: dates that letters set, and how many results would miss them at the present rate."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.opened import on_gateway
from gateway.cli.output import Json, invocation
from gateway.model.clock import iso

if TYPE_CHECKING:
    from gateway.app import Gateway
    from gateway.bdtx.deadlines import Deadline
    from gateway.stages.deadline_watch import Forecast

APP = typer.Typer(help="Dates that letters set, and how many results would miss them at the present rate.")

Id = Annotated[int, typer.Argument(metavar="ID", help="The deadline's id.")]
_LINE = ("id", "kind", "school_year", "unit", "wording", "stated", "waiting", "held", "late")


@APP.command()
def add(
    ctx: typer.Context,
    kind: Annotated[str, typer.Argument(metavar="KIND", help="What has to be done by then.")],
    school_year: Annotated[str, typer.Argument(metavar="SCHOOL_YEAR", help="For example 2025-2026.")],
    before: Annotated[str | None, typer.Option(help="Too late from this day or moment on.")] = None,
    by: Annotated[str | None, typer.Option(help="This day, or this minute, still counts.")] = None,
    unit: Annotated[str | None, typer.Option(help="Only for this unit and below; an earlier date.")] = None,
    json: Json = False,
) -> None:
    """Set a deadline, in Việt Nam's time."""
    from gateway.bdtx.deadlines import DeadlineKind, Wording, add_deadline
    from gateway.model.errors import ConfigError
    from gateway.storage.audit import machine

    run = invocation(ctx)
    if kind not in list(DeadlineKind):
        raise ConfigError(run.text("deadlines.add.bad_kind", found=kind, known=", ".join(DeadlineKind)))
    if (before is None) is (by is None):
        raise ConfigError(run.text("deadlines.add.which"))
    stated, wording = (before, Wording.BEFORE) if before is not None else (by, Wording.BY)

    async def added(gateway: "Gateway") -> "Deadline":
        units = await gateway.units.current()
        args = (DeadlineKind(kind), school_year, str(stated), wording)
        return await add_deadline(gateway.db, gateway.clock, units, *args, unit_code=unit, by=machine())

    told = _told(on_gateway(run, added), None)
    out = run.output(json)
    out.say("deadlines.add.done", id=told["id"], at=told["too_late_from"])
    out.data(told)


@APP.command("list")
def list_deadlines(ctx: typer.Context, json: Json = False) -> None:
    """List deadlines that are not over, the nearest first, with the forecast."""
    run = invocation(ctx)

    async def read(gateway: "Gateway") -> "tuple[list[Deadline], dict[int, Forecast]]":
        from gateway.bdtx.deadlines import upcoming
        from gateway.stages.deadline_watch import read_forecasts

        return await upcoming(gateway.db, gateway.clock.now_ms()), await read_forecasts(gateway.db)

    found, forecasts = on_gateway(run, read)
    rows = [_told(deadline, forecasts.get(deadline.id)) for deadline in found]
    out = run.output(json)
    if rows:
        out.table(
            [f"deadlines.column.{name}" for name in _LINE], [[row[name] for name in _LINE] for row in rows]
        )
    else:
        out.say("deadlines.list.none")
    out.data({"deadlines": rows})


@APP.command()
def show(
    ctx: typer.Context,
    deadline: Id,
    unit: Annotated[str | None, typer.Option(help="Only what waits in this unit and below.")] = None,
    after: Annotated[int, typer.Option(min=0, help="Only deliveries above this id: the next page.")] = 0,
    json: Json = False,
) -> None:
    """Show one deadline and the deliveries that may miss it, page by page."""
    run = invocation(ctx)

    async def read(gateway: "Gateway") -> "tuple[Deadline, Forecast | None, list[int]]":
        from gateway.bdtx.deadlines import upcoming
        from gateway.model.errors import NotFound
        from gateway.stages.deadline_watch import at_risk, forecast_of_unit, read_forecasts

        found = next((d for d in await upcoming(gateway.db, 0) if d.id == deadline), None)
        if found is None:
            raise NotFound(f"there is no deadline {deadline}")
        made = (await read_forecasts(gateway.db)).get(deadline)
        parts = gateway.db, gateway.clock, gateway.units
        if unit is not None:
            made = await forecast_of_unit(*parts, found, unit, made.rate_per_s if made else 0.0)
        return found, made, await at_risk(*parts, unit or found.unit_code, after=after)

    found, made, risky = on_gateway(run, read)
    told = _told(found, made) | {"deliveries": risky, "after": risky[-1] if len(risky) == 50 else None}
    out = run.output(json)
    shown = [(run.text(f"deadlines.column.{name}"), told[name]) for name in _LINE if told[name] is not None]
    shown.append((run.text("deadlines.column.deliveries"), ", ".join(map(str, risky))))
    out.table(["deadlines.column.what", "deadlines.column.value"], shown)
    out.data(told)


@APP.command()
def remove(ctx: typer.Context, deadline: Id, json: Json = False) -> None:
    """Take a deadline back."""
    run = invocation(ctx)

    async def removed(gateway: "Gateway") -> None:
        from gateway.bdtx.deadlines import remove_deadline
        from gateway.storage.audit import machine

        await remove_deadline(gateway.db, gateway.clock, deadline, by=machine())

    on_gateway(run, removed)
    out = run.output(json)
    out.say("deadlines.remove.done", id=deadline)
    out.data({"id": deadline, "removed": True})


def _told(deadline: "Deadline", made: "Forecast | None") -> dict[str, Any]:
    return {
        "id": deadline.id,
        "kind": deadline.kind.value,
        "school_year": deadline.school_year,
        "unit": deadline.unit_code,
        "wording": deadline.wording.value,
        "stated": deadline.stated,
        "too_late_from": iso(deadline.at_ms),
        "waiting": made.waiting if made else None,
        "held": made.held if made else None,
        "late": made.late if made else None,
        "rate_per_s": made.rate_per_s if made else None,
    }


__all__ = ["APP"]
