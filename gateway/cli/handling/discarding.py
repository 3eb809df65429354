"""`gateway deliveries discard` and `restore`: by ids, with a reason; audited."""

from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.exits import Exit
from gateway.cli.opened import on_gateway
from gateway.cli.output import Json, invocation

if TYPE_CHECKING:
    from gateway.app import Gateway

Ids = Annotated[list[int], typer.Argument(metavar="ID...", help="Which ones; at most 500.")]


def discard(
    ctx: typer.Context,
    deliveries: Ids,
    why: Annotated[str, typer.Option(help="The reason, for those who read it later. No personal value.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say which; change nothing.")] = False,
    json: Json = False,
) -> None:
    """Void what is not wanted, with a reason; nothing is deleted, and it can be taken back."""
    run = invocation(ctx)
    ids = sorted(set(deliveries))

    async def void(gateway: "Gateway") -> list[int]:
        from gateway.queue.discards import discard as discard_deliveries
        from gateway.queue.listing import states_of
        from gateway.storage.audit import machine

        if dry_run:
            states = await states_of(gateway.db, ids)
            return [id_ for id_ in ids if states.get(id_) in ("accepted", "held", "verified", "dead")]
        return await discard_deliveries(gateway.db, gateway.clock, ids, why, machine())

    done = on_gateway(run, void)
    left = sorted(set(ids) - set(done))
    out = run.output(json)
    out.say("deliveries.discard.dry" if dry_run else "deliveries.discard.done", n=len(done))
    if left:
        out.say("deliveries.discard.left", ids=", ".join(map(str, left)))
    out.data({"discarded": done, "left": left, "dry_run": dry_run})
    if left:
        raise typer.Exit(Exit.REFUSED)


def restore(ctx: typer.Context, deliveries: Ids, json: Json = False) -> None:
    """Take discards back: each delivery is where it was, and goes on from there."""
    run = invocation(ctx)
    ids = sorted(set(deliveries))

    async def back(gateway: "Gateway") -> list[int]:
        from gateway.queue.discards import restore as restore_deliveries
        from gateway.storage.audit import machine

        return await restore_deliveries(gateway.db, gateway.clock, ids, machine())

    done = on_gateway(run, back)
    left = sorted(set(ids) - set(done))
    out = run.output(json)
    out.say("deliveries.restore.done", n=len(done))
    if left:
        out.say("deliveries.restore.left", ids=", ".join(map(str, left)))
    out.data({"restored": done, "left": left})
    if left:
        raise typer.Exit(Exit.REFUSED)
