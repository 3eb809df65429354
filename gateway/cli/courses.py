"""`gateway courses`: which module each vendor's course is. One mapping frees every result that waits for it."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.opened import on_gateway, vendor_named
from gateway.cli.output import Json, invocation
from gateway.model.errors import ConfigError

if TYPE_CHECKING:
    from gateway.app import Gateway
    from gateway.bdtx.courses import MappedCourse
    from gateway.bdtx.modules import Module

APP = typer.Typer(help="Which module each vendor's course is.")

_COURSE = ("vendor", "course_id", "code", "title", "module", "waiting", "suggestions")
_MODULE = ("code", "title", "programme", "audience", "levels", "periods", "pass_mark")


@APP.command("list")
def list_courses(
    ctx: typer.Context,
    unmapped: Annotated[bool, typer.Option("--unmapped", help="Only those without a module.")] = False,
    json: Json = False,
) -> None:
    """List the courses seen so far, how many results wait for each, and which modules they may be."""
    run = invocation(ctx)

    async def read(gateway: "Gateway") -> list[dict[str, Any]]:
        from gateway.bdtx.courses import read_courses
        from gateway.bdtx.modules import catalogue
        from gateway.stages.wake import count_waiting

        waiting = await count_waiting(gateway.db, "course")
        names = {vendor.id: vendor.name for vendor in await gateway.vendors.all()}
        modules = catalogue().all()
        return [
            _told_course(course, names[course.vendor_id], waiting.get(course.wait_key, 0), modules)
            for course in await read_courses(gateway.db)
            if course.module is None or not unmapped
        ]

    rows = on_gateway(run, read)
    out = run.output(json)
    shown = [row | {"suggestions": ", ".join(s["module"] for s in row["suggestions"])} for row in rows]
    if unmapped and not rows:
        out.say("courses.list.none")
    else:
        columns = [f"courses.column.{name}" for name in _COURSE]
        out.table(columns, [[row[name] for name in _COURSE] for row in shown])
    unknown = [row for row in rows if row["module"] is None]
    if unknown:
        example = max(unknown, key=lambda row: int(row["waiting"]))
        out.say("courses.list.next", vendor=example["vendor"], course=example["course_id"])
    out.data({"courses": rows})


@APP.command("map")
def map_course(
    ctx: typer.Context,
    vendor: Annotated[str, typer.Argument(metavar="VENDOR", help="Whose course it is.")],
    course: Annotated[str, typer.Argument(metavar="COURSE_ID", help="The vendor's course id.")],
    module: Annotated[str, typer.Argument(metavar="MODULE", help="Code of the module, in any spelling.")],
    pass_mark: Annotated[
        float | None, typer.Option(min=0, max=10, help="Pass mark of 10; by default the module's.")
    ] = None,
    periods: Annotated[
        int | None, typer.Option(min=1, max=10_000, help="Periods (tiết); by default the module's.")
    ] = None,
    organiser: Annotated[
        str | None, typer.Option(help="Code of the unit that runs it and sees its learners; empty: none.")
    ] = None,
    json: Json = False,
) -> None:
    """Say which module a course is; every result that waits for it goes on at once."""
    run = invocation(ctx)
    hundredths = None if pass_mark is None else round(pass_mark * 100)
    if pass_mark is not None and hundredths is not None and abs(hundredths - pass_mark * 100) > 1e-6:
        raise ConfigError(run.text("courses.map.bad_mark"))

    async def map_it(gateway: "Gateway") -> "tuple[MappedCourse, int]":
        from gateway.storage.audit import machine

        found = await vendor_named(gateway, vendor)
        return await gateway.course_acts.map(
            machine(),
            found.name,
            course,
            module,
            pass_mark_hundredths=hundredths,
            periods=periods,
            organiser=organiser,
        )

    mapped, woken = on_gateway(run, map_it)
    assert mapped.module is not None
    out = run.output(json)
    out.say("courses.map.done", course=course, module=mapped.module.code, title=mapped.module.title, n=woken)
    out.data(_told_course(mapped, vendor, 0, ()) | {"woken": woken})


@APP.command("modules")
def modules(ctx: typer.Context, json: Json = False) -> None:
    """List the modules of the catalogue."""
    from gateway.bdtx.modules import catalogue

    run = invocation(ctx)
    found = catalogue()
    rows = [_told_module(module) for module in found.all()]
    out = run.output(json)
    lists = ("audience", "levels")
    shown = [row | {name: " ".join(row[name]) for name in lists} for row in rows]
    out.table(
        [f"courses.column.{name}" for name in _MODULE], [[row[name] for name in _MODULE] for row in shown]
    )
    out.data({"version": found.version, "modules": rows})


def _told_course(
    course: "MappedCourse", vendor: str, waiting: int, modules: "tuple[Module, ...]"
) -> dict[str, Any]:
    from gateway.bdtx.mapping import suggest

    suggested = suggest(course.course_code, course.title, modules) if course.module is None else []
    mark = course.pass_mark_hundredths
    return {
        "vendor": vendor,
        "course_id": course.course_key,
        "code": course.course_code,
        "title": course.title,
        "module": course.module.code if course.module else None,
        "pass_mark": None if mark is None else mark / 100,
        "periods": course.periods,
        "organiser": course.organiser,
        "waiting": waiting,
        "suggestions": [{"module": s.module_code, "why": s.why} for s in suggested],
    }


def _told_module(module: "Module") -> dict[str, Any]:
    return {
        "code": module.code,
        "title": module.title,
        "programme": module.programme,
        "audience": list(module.audience),
        "levels": list(module.levels),
        "periods": module.periods,
        "pass_mark": module.pass_mark_hundredths / 100,
        "confirmed": module.confirmed,
    }


__all__ = ["APP"]
