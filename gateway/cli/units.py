"""`gateway units`: schools and offices as of a day, brought in by a file."""

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.exits import Exit
from gateway.cli.opened import on_gateway
from gateway.cli.output import Invocation, Json, Output, invocation
from gateway.model.errors import NotFound

if TYPE_CHECKING:
    from gateway.app import Gateway
    from gateway.bdtx.sheets import Fault
    from gateway.bdtx.units import Edge, Unit, Units
    from gateway.bdtx.units_file import Plan

APP = typer.Typer(help="Schools and offices, and who is under whom on which day.")

_COLUMNS = ("code", "name", "level", "parent", "teaches", "valid_from", "valid_to", "contact")
_SHOWN = 50  # rows for people; --json has all

Day = Annotated[datetime | None, typer.Option("--on", formats=["%Y-%m-%d"], help="The day; today by default.")]


@APP.command("import")
def import_units(
    ctx: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help=".csv, .xlsx, .xls")
    ],
    preview: Annotated[bool, typer.Option("--preview", help="Show what would change; write nothing.")] = False,
    json: Json = False,
) -> None:
    """Bring in units from a file; rows that cannot be used are listed, the others count."""
    from gateway.bdtx.sheets import read_sheet
    from gateway.bdtx.unit_store import load_units, save
    from gateway.bdtx.units_file import COLUMNS, REQUIRED, plan_import
    from gateway.model.clock import local_date
    from gateway.storage.audit import machine

    run = invocation(ctx)
    sheet = read_sheet(file, COLUMNS, REQUIRED)

    async def planned(gateway: "Gateway") -> "Plan":
        plan = plan_import(sheet, await load_units(gateway.db), local_date(gateway.clock.now_ms()))
        if not preview:
            content = file.read_bytes()
            await save(gateway.db, gateway.clock, plan, actor=machine(), file=file.name, content=content)
        return plan

    plan = on_gateway(run, planned)
    out = run.output(json)
    _report(out, plan, preview=preview, rows=len(sheet.rows), unknown=sheet.unknown)
    if plan.faults:
        raise typer.Exit(Exit.FAULT)


@APP.command()
def show(
    ctx: typer.Context,
    code: Annotated[str, typer.Argument(metavar="CODE", help="The unit's code, in full.")],
    on: Day = None,
    json: Json = False,
) -> None:
    """Show a unit on a day: what is above it, who is in charge, what it was and became."""
    from gateway.bdtx.unit_store import load_units
    from gateway.bdtx.units import named_owner
    from gateway.model.reasons import Owner

    run = invocation(ctx)
    code = code.strip().upper()

    async def read(gateway: "Gateway") -> "tuple[Units, date]":
        return await load_units(gateway.db), _today(gateway)

    units, today = on_gateway(run, read)
    day = on.date() if on else today
    before, after = units.edges_of(code)
    if not (units.versions(code) or before or after):
        raise NotFound(run.text("units.none", code=code))
    upper = named_owner(units, Owner.UPPER_UNIT, code, today)
    told = {
        "code": code,
        "on": day.isoformat(),
        "unit": (unit := units.unit_at(code, day)) and _unit(unit),
        "path": [_unit(each) for each in units.path_at(code, day)],
        "under": len(units.descendants_at(code, day)),
        "in_charge_today": upper and _unit(upper),
        "versions": [_unit(version) for version in units.versions(code)],
        "predecessors": [_edge(edge) for edge in before],
        "successors": [_edge(edge) for edge in after],
    }
    out = run.output(json)
    out.table(*_table(run, units.versions(code)))
    path = " › ".join(f"{each.name} ({each.code})" for each in units.path_at(code, day))
    out.say("units.show.on_day", day=day.isoformat(), units=path or "–")
    out.say("units.show.in_charge", unit=f"{upper.name} ({upper.code})" if upper else "–")
    for edge in (*before, *after):
        change = run.text(f"units.change.{edge.change}")
        out.say(
            "units.show.edge", source=edge.source, target=edge.target, change=change, day=edge.on.isoformat()
        )
    out.data(told)


@APP.command("list")
def list_units(
    ctx: typer.Context,
    under: Annotated[str | None, typer.Option(metavar="CODE", help="Only what is under this unit.")] = None,
    level: Annotated[str | None, typer.Option(help="Only this level: ministry, department, …")] = None,
    on: Day = None,
    json: Json = False,
) -> None:
    """List the units valid on a day."""
    from gateway.bdtx.unit_store import load_units
    from gateway.bdtx.units import Level

    run = invocation(ctx)
    if level is not None and level not in list(Level):
        raise typer.BadParameter(run.text("units.list.bad_level", known=", ".join(Level)))

    async def read(gateway: "Gateway") -> "tuple[Units, date]":
        return await load_units(gateway.db), _today(gateway)

    units, today = on_gateway(run, read)
    day = on.date() if on else today
    codes = units.codes() if under is None else units.descendants_at(under.strip().upper(), day)
    valid = [unit for code in codes if (unit := units.unit_at(code, day))]
    found = [unit for unit in valid if level is None or unit.level == level]
    out = run.output(json)
    if found:
        out.table(*_table(run, found[:_SHOWN]))
    out.say("units.list.total", n=len(found), shown=min(len(found), _SHOWN), day=day.isoformat())
    out.data({"on": day.isoformat(), "units": [_unit(unit) for unit in found]})


def _report(out: Output, plan: "Plan", *, preview: bool, rows: int, unknown: tuple[str, ...]) -> None:
    run = out.run
    out.say(
        "units.import.would" if preview else "units.import.done",
        rows=rows,
        new=len(plan.new),
        changed=len(plan.changed),
        same=plan.same,
        edges=len(plan.edges),
        left_out=len(plan.faults),
    )
    if unknown:
        out.say("units.import.unknown", headings=", ".join(unknown))
    if preview and (plan.new or plan.changed):
        out.table(*_table(run, [*plan.new, *plan.changed][:_SHOWN]))
    for key, found in (("units.import.faults", plan.faults), ("units.import.notes", plan.notes)):
        if found:
            lines = [_fault(run, fault) for fault in found[:_SHOWN]]
            cells = [(line["line"], line["field"], line["message"]) for line in lines]
            out.table(
                [f"units.import.column.{name}" for name in ("line", "field", "message")], cells, title=key
            )
    out.data(
        {
            "preview": preview,
            "rows": rows,
            "new": [_unit(unit) for unit in plan.new],
            "changed": [_unit(unit) for unit in plan.changed],
            "same": plan.same,
            "edges": [_edge(edge) for edge in plan.edges],
            "faults": [_fault(run, fault) for fault in plan.faults],
            "notes": [_fault(run, note) for note in plan.notes],
            "unknown_headings": list(unknown),
        }
    )


def _fault(run: Invocation, fault: "Fault") -> dict[str, Any]:
    from gateway.bdtx.units_file import TEXTS
    from gateway.model.texts import Texts

    message = Texts.load(TEXTS).get(f"units.{fault.code}", run.lang, value=fault.value)
    return {"line": fault.line, "field": fault.field, "code": fault.code, "message": message}


def _table(run: Invocation, units: "Sequence[Unit]") -> tuple[list[str], list[list[Any]]]:
    rows = [_unit(unit) | {"level": run.text(f"units.level.{unit.level}")} for unit in units]
    shown = [row | {"teaches": " ".join(row["teaches"])} for row in rows]
    return [f"units.column.{name}" for name in _COLUMNS], [[row[name] for name in _COLUMNS] for row in shown]


def _unit(unit: "Unit") -> dict[str, Any]:
    from gateway.bdtx.units import ALWAYS

    return {
        "code": unit.code,
        "name": unit.name,
        "level": unit.level.value,
        "parent": unit.parent,
        "teaches": list(unit.teaches),
        "valid_from": None if unit.valid_from == ALWAYS else unit.valid_from.isoformat(),
        "valid_to": unit.valid_to and unit.valid_to.isoformat(),
        "contact": unit.contact,
    }


def _edge(edge: "Edge") -> dict[str, str]:
    return {"from": edge.source, "to": edge.target, "change": edge.change.value, "on": edge.on.isoformat()}


def _today(gateway: "Gateway") -> date:
    from gateway.model.clock import local_date

    return local_date(gateway.clock.now_ms())


__all__ = ["APP"]
