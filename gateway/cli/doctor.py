"""`gateway doctor`: looks at everything the gateway stands on and tells all faults at once."""

from typing import TYPE_CHECKING

import typer

from gateway.cli.diagnosis import Check
from gateway.cli.exits import Exit
from gateway.cli.output import Invocation, Json, invocation

if TYPE_CHECKING:
    from gateway.settings import Settings


def doctor(ctx: typer.Context, json: Json = False) -> None:
    """Check settings, keys, database, disk, clock, destinations and balance; exit 1 on any fault."""
    import asyncio

    from gateway.observe.logs import configure
    from gateway.settings import explain, faults, load

    run = invocation(ctx)
    configure("error", json=False)  # the checks tell what is wrong; what they try is no news
    wrong = explain(faults(run.env), run.lang)
    if wrong:
        checks = [Check("settings", "fault", line) for line in wrong]
        checks.append(Check("rest", "skipped", "doctor.settings.rest"))
    else:
        ok = Check(
            "settings", "ok", "doctor.settings.ok", {"n": sum(n.startswith("GATEWAY_") for n in run.env)}
        )
        checks = [ok, *asyncio.run(_examine(load(run.env)))]
    _report(run, checks, json=json)
    if any(check.status == "fault" for check in checks):
        raise typer.Exit(Exit.FAULT)


async def _examine(settings: "Settings") -> list[Check]:
    from gateway.cli.diagnosis import local
    from gateway.cli.diagnosis.outside import outside
    from gateway.cli.diagnosis.stored import stored
    from gateway.model.clock import SystemClock

    clock = SystemClock()
    ring, keys = local.keys_file(settings)
    return [
        local.sqlite_library(),
        local.lease(settings),
        local.disk(settings.data_dir),
        keys,
        *await stored(settings.database, ring, clock),
        *await outside(settings, clock),
    ]


def _told(run: Invocation, check: Check) -> str:
    fill = {k: run.number(v, 1) if isinstance(v, float) else v for k, v in check.fill.items()}
    return run.text(check.detail, **fill)


def _report(run: Invocation, checks: list[Check], *, json: bool) -> None:
    out = run.output(json)
    told = [
        {
            "name": check.name,
            "status": check.status,
            "detail": _told(run, check),
            "duration_ms": check.duration_ms,
        }
        for check in checks
    ]
    columns = [f"doctor.column.{name}" for name in ("check", "status", "detail", "duration")]
    rows = [
        (
            run.text(f"doctor.check.{row['name']}"),
            run.text(f"doctor.status.{row['status']}"),
            row["detail"],
            None if row["duration_ms"] is None else f"{row['duration_ms']} ms",
        )
        for row in told
    ]
    out.table(columns, rows)
    n = sum(check.status == "fault" for check in checks)
    out.say("doctor.faults" if n else "doctor.healthy", n=n)
    out.data({"ok": n == 0, "checks": told})


COMMAND = doctor
