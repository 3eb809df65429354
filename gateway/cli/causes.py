"""`gateway causes`: what has gone wrong, grouped; what is done about each."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.opened import on_gateway
from gateway.cli.output import Json, invocation
from gateway.model.cause_state import UNENDED, CauseState
from gateway.model.clock import iso

if TYPE_CHECKING:
    from gateway.app import Gateway
    from gateway.queue.causes import Cause

APP = typer.Typer(help="What has gone wrong, grouped; what is done about each.")

Id = Annotated[int, typer.Argument(metavar="ID", help="The cause's id.")]
Note = Annotated[str | None, typer.Option(help="A note for colleagues; no personal data.")]
_LINE = ("id", "state", "code", "waiting", "seen", "people", "units", "owner", "first_seen", "last_seen")


@APP.command("list")
def list_causes(
    ctx: typer.Context,
    state: Annotated[CauseState | None, typer.Option(help="Only those in this state.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also resolved and ignored ones.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="How many at most.")] = 50,
    after: Annotated[int, typer.Option(min=0, help="Only ids above this one: the next page.")] = 0,
    json: Json = False,
) -> None:
    """List causes; by default those that are open or acknowledged."""
    run = invocation(ctx)
    states = (state,) if state is not None else tuple(CauseState) if everything else UNENDED

    async def page(gateway: "Gateway") -> "list[Cause]":
        from gateway.queue.causes import list_causes as read

        return await read(gateway.db, states, after=after, limit=limit)

    found = on_gateway(run, page)
    rows = [_told(cause) for cause in found]
    following = found[-1].id if len(found) == limit else None
    out = run.output(json)
    if not rows:
        out.say("causes.list.none")
    else:
        out.table([f"causes.column.{name}" for name in _LINE], [[row[name] for name in _LINE] for row in rows])
    if following is not None:
        out.say("causes.list.next", after=following)
    out.data({"causes": rows, "after": following})


@APP.command()
def show(ctx: typer.Context, cause: Id, json: Json = False) -> None:
    """Show all about one cause, with a sample of the deliveries that wait because of it."""
    run = invocation(ctx)

    async def find(gateway: "Gateway") -> "tuple[Cause, list[int]]":
        from gateway.queue.causes import deliveries_of, find_cause

        return await find_cause(gateway.db, cause), await deliveries_of(gateway.db, cause, limit=10)

    found, sample = on_gateway(run, find)
    told = _told(found) | {"deliveries": sample}
    out = run.output(json)
    shown = [
        (run.text(f"causes.column.{name}"), value) for name, value in told.items() if value not in (None, "")
    ]
    out.table(["causes.column.what", "causes.column.value"], [(n, _flat(v)) for n, v in shown if v != []])
    out.data(told)


@APP.command()
def ack(ctx: typer.Context, cause: Id, note: Note = None, json: Json = False) -> None:
    """Say that somebody is on it; no further alert until it has ended and returns."""
    _act(ctx, cause, CauseState.ACKNOWLEDGED, note, json)


@APP.command()
def resolve(ctx: typer.Context, cause: Id, note: Note = None, json: Json = False) -> None:
    """Say that it is mended; it opens again when a delivery fails so once more."""
    _act(ctx, cause, CauseState.RESOLVED, note, json)


@APP.command()
def ignore(ctx: typer.Context, cause: Id, note: Note = None, json: Json = False) -> None:
    """Say that nothing is to be done; it goes on being counted and raises no alert."""
    _act(ctx, cause, CauseState.IGNORED, note, json)


def _act(ctx: typer.Context, id_: int, state: CauseState, note: str | None, json: bool) -> None:
    run = invocation(ctx)

    async def done(gateway: "Gateway") -> "Cause":
        from gateway.queue.causes import act
        from gateway.storage.audit import machine

        return await act(gateway.db, gateway.clock, id_, state, by=machine(), note=note)

    found = on_gateway(run, done)
    out = run.output(json)
    out.say("causes.done", id=found.id, code=found.code, state=run.text(f"causes.state.{found.state.value}"))
    out.data(_told(found))


def _told(cause: "Cause") -> dict[str, Any]:
    return {
        "id": cause.id,
        "state": cause.state.value,
        "stage": cause.stage,
        "code": cause.code,
        "subject": cause.subject,
        "answer": cause.answer,
        "http_status": cause.http_status,
        "owner": cause.owner,
        "waiting": cause.waiting,
        "seen": cause.seen,
        "people": cause.people,
        "units": cause.units,
        "first_seen": iso(cause.first_seen_ms),
        "last_seen": iso(cause.last_seen_ms),
        "opened_at": iso(cause.opened_at_ms),
        "ended_at": None if cause.ended_at_ms is None else iso(cause.ended_at_ms),
        "acted_by": cause.acted_by,
        "note": cause.note,
        "sample": cause.sample_id,
    }


def _flat(value: object) -> object:
    return ", ".join(map(str, value)) if isinstance(value, list) else value


__all__ = ["APP"]
