"""`gateway deliveries`: find them, see all about one, replay, discard, restore, edit."""

from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli import told
from gateway.cli.exits import Exit
from gateway.cli.explained import explained
from gateway.cli.handling import approve, discard, edit, restore
from gateway.cli.opened import on_gateway, vendor_named
from gateway.cli.output import Json, invocation
from gateway.model.errors import ConfigError
from gateway.model.states import State

if TYPE_CHECKING:
    from gateway.app import Gateway
    from gateway.queue.listing import Detail, Filter, Line

APP = typer.Typer(help="Find deliveries, see all about one, set held or dead ones going again.")

REPLAYABLE = (State.HELD, State.DEAD)
PAGE = 500  # replayed in one transaction


@APP.command("list")
def list_deliveries(
    ctx: typer.Context,
    state: Annotated[State | None, typer.Option(help="Only those in this state.")] = None,
    vendor: Annotated[str | None, typer.Option(help="Only those of this vendor.")] = None,
    reason: Annotated[str | None, typer.Option(help="Only those with this reason code.")] = None,
    event: Annotated[str | None, typer.Option(help="Only those of this event id, all revisions.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="How many at most.")] = 50,
    after: Annotated[int, typer.Option(min=0, help="Only ids above this one: the next page.")] = 0,
    json: Json = False,
) -> None:
    """List deliveries, oldest first, page by page."""
    run = invocation(ctx)

    async def page(gateway: "Gateway") -> "list[Line]":
        from gateway.queue.listing import Filter
        from gateway.queue.listing import list_deliveries as read

        vendor_id = (await vendor_named(gateway, vendor)).id if vendor is not None else None
        wanted = Filter(state=state, vendor_id=vendor_id, reason=reason, event_id=event)
        return await read(gateway.db, wanted, after=after, limit=limit)

    found = on_gateway(run, page)
    rows = [told.line(line) for line in found]
    following = found[-1].id if len(found) == limit else None
    out = run.output(json)
    columns = [f"deliveries.column.{name}" for name in told.LINE]
    out.table(columns, [told.words(run, line) for line in found])
    if following is not None:
        out.say("deliveries.list.next", after=following)
    out.data({"deliveries": rows, "after": following})


@APP.command()
def show(
    ctx: typer.Context,
    delivery: Annotated[int, typer.Argument(metavar="ID", help="The delivery's id, as its receipt says.")],
    json: Json = False,
) -> None:
    """Show all about one delivery: where it is, why, who acts, what was tried. No personal value."""
    run = invocation(ctx)

    async def find(gateway: "Gateway") -> "Detail":
        from gateway.queue.listing import find_delivery

        return await find_delivery(gateway.db, delivery)

    found = on_gateway(run, find)
    words = explained(run, found)
    out = run.output(json)
    told.table(out, found, words)
    out.data(told.detail(found, words))


@APP.command()
def replay(
    ctx: typer.Context,
    deliveries: Annotated[list[int] | None, typer.Argument(metavar="[ID]...", help="Which ones.")] = None,
    state: Annotated[State | None, typer.Option(help="Instead of ids: all held, or all dead ones …")] = None,
    reason: Annotated[str | None, typer.Option(help="… that have this reason code.")] = None,
    verify_again: Annotated[
        bool, typer.Option("--verify-again", help="Also judge again what had been verified.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count; change nothing.")] = False,
    json: Json = False,
) -> None:
    """Set held or dead deliveries going again; what was tried so far stays on record."""
    run = invocation(ctx)
    ids = sorted(set(deliveries or []))
    by_cause = state is not None or reason is not None
    if bool(ids) == by_cause or (by_cause and not (state and reason)):
        raise ConfigError(run.text("deliveries.replay.which"))
    if state is not None and state not in REPLAYABLE:
        raise ConfigError(run.text("deliveries.replay.bad_state"))

    async def again(gateway: "Gateway") -> tuple[int, int, list[int]]:
        from gateway.queue.listing import Filter

        if ids:
            return await _replay_ids(gateway, ids, verify_again, dry_run)
        return await _replay_all(gateway, Filter(state=state, reason=reason), verify_again, dry_run)

    found, replayed, skipped = on_gateway(run, again)
    out = run.output(json)
    out.say(f"deliveries.replay.{'dry' if dry_run else 'done'}", found=found, replayed=replayed)
    if skipped:
        out.say("deliveries.replay.skipped", ids=", ".join(map(str, skipped)))
    out.data({"found": found, "replayed": replayed, "skipped": skipped, "dry_run": dry_run})
    if skipped:
        raise typer.Exit(Exit.REFUSED)


async def _replay_ids(
    gateway: "Gateway", ids: list[int], verify_again: bool, dry_run: bool
) -> tuple[int, int, list[int]]:
    """Returns: how many can be replayed, how many were, ids that are neither held nor dead, or unknown."""
    from gateway.queue.acts import replay as replay_deliveries
    from gateway.queue.listing import states_of

    if dry_run:
        states = await states_of(gateway.db, ids)
        fit = [id_ for id_ in ids if states.get(id_) in REPLAYABLE]
        return len(fit), 0, sorted(set(ids) - set(fit))
    done = await replay_deliveries(gateway.db, gateway.clock, ids, verify_again=verify_again)
    return len(done), len(done), sorted(set(ids) - set(done))


async def _replay_all(
    gateway: "Gateway", wanted: "Filter", verify_again: bool, dry_run: bool
) -> tuple[int, int, list[int]]:
    """Page by page, each in a short transaction; what changed meanwhile is left alone and not told."""
    from gateway.queue.acts import replay as replay_deliveries
    from gateway.queue.listing import count, ids_of

    if dry_run:
        return await count(gateway.db, wanted), 0, []
    after = found = replayed = 0
    while page := await ids_of(gateway.db, wanted, after=after, limit=PAGE):
        after, found = page[-1], found + len(page)
        replayed += len(await replay_deliveries(gateway.db, gateway.clock, page, verify_again=verify_again))
    return found, replayed, []


APP.command()(discard)
APP.command()(restore)
APP.command()(edit)
APP.command()(approve)

__all__ = ["APP"]
