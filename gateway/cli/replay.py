"""`gateway replay`: plan, run and steer replays of what is held or dead. A worker does them."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.bar import Bar
from gateway.cli.exits import Exit
from gateway.cli.opened import on_gateway, vendor_named
from gateway.cli.output import Json, Output, invocation
from gateway.model.clock import ICT, iso
from gateway.model.errors import ConfigError

if TYPE_CHECKING:
    from gateway.app import Gateway
    from gateway.queue.job import Job
    from gateway.queue.replays import Fared
    from gateway.queue.selection import Selection
    from gateway.stages.replay_plan import Plan

APP = typer.Typer(help="Set what is held or dead going again, safely.")

Ids = Annotated[list[int] | None, typer.Argument(metavar="[ID]...", help="Which ones; else what they share:")]
Cause = Annotated[int | None, typer.Option(help="Those of this cause.")]
StateIs = Annotated[str | None, typer.Option("--state", metavar="held|dead", help="Those in this state.")]
Reason = Annotated[str | None, typer.Option(help="Those with this reason code.")]
VendorIs = Annotated[str | None, typer.Option("--vendor", help="Those of this vendor.")]
Unit = Annotated[str | None, typer.Option(help="Those of this school, commune or department.")]
Course = Annotated[str | None, typer.Option(help="Those of this course of the vendor.")]
Since = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Held or dead since this day.")]
Until = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Held or dead before this day.")]
Words = Annotated[str | None, typer.Option("--text", help="Those whose error says this.")]
Again = Annotated[
    str, typer.Option("--again", metavar="deliver|verify", help="From which stage: verify looks up all anew.")
]
Rate = Annotated[float, typer.Option(min=0.1, max=100_000, help="How many a second are set going.")]
JobId = Annotated[int, typer.Argument(metavar="ID", help="The replay's id.")]


@APP.command()
def plan(
    ctx: typer.Context,
    deliveries: Ids = None,
    cause: Cause = None,
    state: StateIs = None,
    reason: Reason = None,
    vendor: VendorIs = None,
    unit: Unit = None,
    course: Course = None,
    since: Since = None,
    until: Until = None,
    text: Words = None,
    again: Again = "deliver",
    rate: Rate = 200.0,
    json: Json = False,
) -> None:
    """Count what a replay would set going, try a sample on stored answers, say how long it would take."""
    run = invocation(ctx)
    wanted = (deliveries, cause, state, reason, vendor, unit, course, since, until, text)

    async def make(gateway: "Gateway") -> "Plan":
        selection = await _selection(ctx, gateway, *wanted)
        verify = _verify_again(ctx, again)
        return await gateway.planner.plan(selection, verify_again=verify, rate_per_s=rate)

    found = on_gateway(run, make)
    out = run.output(json)
    _show_plan(out, found)
    out.data(told_plan(found))


@APP.command("run")
def run_replay(
    ctx: typer.Context,
    deliveries: Ids = None,
    cause: Cause = None,
    state: StateIs = None,
    reason: Reason = None,
    vendor: VendorIs = None,
    unit: Unit = None,
    course: Course = None,
    since: Since = None,
    until: Until = None,
    text: Words = None,
    again: Again = "deliver",
    rate: Rate = 200.0,
    canary: Annotated[int, typer.Option(min=0, max=1_000, help="Try so many first; 0 tries none.")] = 20,
    stop_above: Annotated[
        int, typer.Option(min=0, max=100, metavar="PERCENT", help="Stop when more than this share fails again.")
    ] = 20,
    wait: Annotated[bool, typer.Option("--wait", help="Show the progress until it is over.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count; change nothing.")] = False,
    json: Json = False,
) -> None:
    """Begin a replay; a worker does it. With --wait the exit status is 1 when it was stopped."""
    run = invocation(ctx)
    wanted = (deliveries, cause, state, reason, vendor, unit, course, since, until, text)
    out = run.output(json)

    async def begin(gateway: "Gateway") -> "tuple[int, Job | None, Fared | None]":
        from gateway.queue.selection import parts
        from gateway.stages.replay import Options
        from gateway.storage.audit import machine

        selection = await _selection(ctx, gateway, *wanted)
        options = Options(_verify_again(ctx, again), canary, stop_above, rate)
        if dry_run:
            return sum(part.n for part in await parts(gateway.db, selection)), None, None
        job = await gateway.replaying.begin(selection, options, machine())
        if wait:
            job = await _watch(gateway, job, out)
        return job.total or 0, job, await _fared(gateway, job)

    total, job, seen = on_gateway(run, begin)
    if job is None:
        out.say("replay.dry", n=total)
        out.data({"total": total, "dry_run": True})
        return
    out.say("replay.begun", id=job.id, n=total)
    _show(out, job, seen)
    out.data(told(job, seen) | {"dry_run": False})
    if wait and job.state != "done":
        raise typer.Exit(Exit.FAULT)


@APP.command()
def status(
    ctx: typer.Context,
    replay: Annotated[int | None, typer.Argument(metavar="[ID]", help="One; else the latest.")] = None,
    json: Json = False,
) -> None:
    """Show how far replays are and how the deliveries fared."""
    run = invocation(ctx)

    async def look(gateway: "Gateway") -> "list[tuple[Job, Fared]]":
        from gateway.queue import replays

        jobs = [await _find(gateway, replay)] if replay is not None else await replays.latest(gateway.db)
        return [(job, await replays.fared(gateway.db, job.id)) for job in jobs]

    found = on_gateway(run, look)
    out = run.output(json)
    if replay is not None:
        _show(out, *found[0])
    else:
        columns = ("id", "state", "phase", "done", "total", "delivered", "failed", "pending", "owner")
        rows = [told(job, seen) for job, seen in found]
        out.table(
            [f"replay.column.{name}" for name in columns], [[row[name] for name in columns] for row in rows]
        )
    out.data(told(*found[0]) if replay is not None else {"replays": [told(*one) for one in found]})


@APP.command()
def pause(ctx: typer.Context, replay: JobId, json: Json = False) -> None:
    """Set nothing further going; what is going goes on."""
    _steer(ctx, replay, "pause", json)


@APP.command()
def resume(ctx: typer.Context, replay: JobId, json: Json = False) -> None:
    """Go on where it was paused."""
    _steer(ctx, replay, "resume", json)


@APP.command()
def cancel(ctx: typer.Context, replay: JobId, json: Json = False) -> None:
    """End it where it is; what was set going stays going."""
    _steer(ctx, replay, "cancel", json)


def _steer(ctx: typer.Context, id_: int, act: str, json: bool) -> None:
    run = invocation(ctx)

    async def do(gateway: "Gateway") -> "tuple[bool, Job, Fared | None]":
        from gateway.queue import replays
        from gateway.storage.audit import append, machine

        job, by = await _find(gateway, id_), machine()
        if act == "pause":
            done = not job.is_over and await replays.pause(gateway.db, gateway.clock, id_, by)
        elif act == "resume":
            done = await replays.resume(gateway.db, gateway.clock, id_, by)
        else:
            now = gateway.clock.now_ms()
            done = await gateway.jobs.cancel(id_, lambda tx: append(tx, now, by, "replay.cancel", f"job:{id_}"))
        job = await _find(gateway, id_)
        return done, job, await _fared(gateway, job)

    done, job, seen = on_gateway(run, do)
    out = run.output(json)
    out.say(f"replay.{act}.done" if done else f"replay.{act}.not", id=id_)
    out.data(told(job, seen) | {"changed": done})
    if not done:
        raise typer.Exit(Exit.REFUSED)


async def _selection(
    ctx: typer.Context,
    gateway: "Gateway",
    ids: list[int] | None,
    cause: int | None,
    state: str | None,
    reason: str | None,
    vendor: str | None,
    unit: str | None,
    course: str | None,
    since: datetime | None,
    until: datetime | None,
    text: str | None,
) -> "Selection":
    """Raises: ConfigError when nothing, or nonsense, is selected."""
    from gateway.model.course_number import course_number
    from gateway.queue.selection import MOST_IDS, REPLAYABLE, Selection

    run = invocation(ctx)
    if not any((ids, cause, state, reason, vendor, unit, course, since, until, text)):
        raise ConfigError(run.text("replay.nothing"))
    if state is not None and state not in REPLAYABLE:
        raise ConfigError(run.text("deliveries.replay.bad_state"))
    if course is not None and vendor is None:
        raise ConfigError(run.text("replay.course_of_whom"))
    if ids and len(ids) > MOST_IDS:
        raise ConfigError(run.text("replay.too_many_ids", most=MOST_IDS))
    vendor_id = (await vendor_named(gateway, vendor)).id if vendor else None
    return Selection(
        ids=tuple(sorted(set(ids or []))),
        cause_id=cause,
        state=state,
        reason=reason,
        vendor_id=vendor_id,
        unit_code=unit,
        course=course_number(vendor_id, course) if vendor_id is not None and course is not None else None,
        since_ms=_midnight(since),
        until_ms=_midnight(until),
        text=text,
    )


def _midnight(day: datetime | None) -> int | None:
    return None if day is None else int(day.replace(tzinfo=ICT).timestamp() * 1000)


def _verify_again(ctx: typer.Context, again: str) -> bool:
    if again not in ("deliver", "verify"):
        raise ConfigError(invocation(ctx).text("replay.again_what"))
    return again == "verify"


async def _find(gateway: "Gateway", id_: int) -> "Job":
    from gateway.model.errors import NotFound
    from gateway.queue.replays import KIND

    job = await gateway.jobs.find(id_)
    if job.kind != KIND:
        raise NotFound(f"there is no replay {id_}")
    return job


async def _fared(gateway: "Gateway", job: "Job") -> "Fared":
    from gateway.queue.replays import fared

    return await fared(gateway.db, job.id)


async def _watch(gateway: "Gateway", job: "Job", out: Output) -> "Job":
    import asyncio

    with Bar(out, "replay.bar").shown() as bar:
        while not job.is_over:
            await asyncio.sleep(0.5)
            job = await gateway.jobs.find(job.id)
            bar.at(job.done, job.total, str(job.summary.get("phase", "")))
    return job


def told(job: "Job", seen: "Fared | None") -> dict[str, Any]:
    """One replay as JSON."""
    return {
        "id": job.id,
        "state": job.state.value,
        "phase": "paused" if job.note == "paused" and not job.is_over else job.summary.get("phase"),
        "note": job.note,
        "owner": job.owner,
        "done": job.done,
        "total": job.total,
        "delivered": seen.delivered if seen else 0,
        "failed": seen.failed if seen else 0,
        "voided": seen.voided if seen else 0,
        "pending": seen.pending if seen else 0,
        "by": dict(seen.by) if seen else {},
        "params": dict(job.params),
        "created_at": iso(job.created_at_ms),
        "finished_at": None if job.finished_at_ms is None else iso(job.finished_at_ms),
    }


def told_plan(plan: "Plan") -> dict[str, Any]:
    """A plan as JSON."""
    return {
        "total": plan.total,
        "drain_s": round(plan.drain_s, 1),
        "delivered_per_s": plan.delivered_per_s,
        "groups": [
            {
                "state": group.part.state,
                "reason": group.part.reason,
                "cause": group.part.cause_id,
                "n": group.part.n,
                "sampled": group.sampled,
                "forecast": dict(group.forecast),
            }
            for group in plan.groups
        ],
    }


def _show_plan(out: Output, plan: "Plan") -> None:
    text = out.run.text
    rows = []
    for group in plan.groups:
        what = group.part.reason or (f"#{group.part.cause_id}" if group.part.cause_id else "")
        shares = ", ".join(
            f"{text(f'replay.forecast.{code}') if code in ('sends', 'unknown') else code}: {n}"
            for code, n in group.forecast.items()
        )
        rows.append([group.part.state, what, group.part.n, group.sampled, shares])
    if rows:
        columns = ("state", "what", "n", "sampled", "forecast")
        out.table([f"replay.column.{name}" for name in columns], rows)
    out.say("replay.total", n=plan.total, minutes=out.run.number(plan.drain_s / 60, 1))


def _show(out: Output, job: "Job", seen: "Fared | None") -> None:
    row = told(job, seen)
    names = ("id", "state", "phase", "note", "done", "total", "delivered", "failed", "voided", "pending")
    facts = [(out.run.text(f"replay.column.{name}"), row[name]) for name in names if row[name] is not None]
    facts += [(f"  {what}", n) for what, n in row["by"].items()]
    out.table(["deliveries.column.what", "deliveries.column.value"], facts)


__all__ = ["APP"]
