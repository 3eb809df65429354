"""`gateway deliveries edit` and `approve`: one login proposes, another with the role approver decides."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.opened import on_gateway
from gateway.cli.output import Json, invocation
from gateway.model.errors import NotFound, Refused

if TYPE_CHECKING:
    from gateway.app import Gateway
    from gateway.stages.edits import Edit

ActAs = Annotated[str, typer.Option("--as", metavar="LOGIN", help="Who does this: a valid login.")]


def edit(
    ctx: typer.Context,
    delivery: Annotated[int, typer.Argument(metavar="ID", help="The delivery, held or dead.")],
    why: Annotated[str, typer.Option(help="The reason. No personal value.")],
    act_as: ActAs,
    identifier: Annotated[
        bool, typer.Option("--identifier", help="Another identifier; it is asked for, never given here.")
    ] = False,
    course: Annotated[str | None, typer.Option(help="Another course of the same vendor, by its id.")] = None,
    school_year: Annotated[str | None, typer.Option(help="Another school year, like 2025-2026.")] = None,
    json: Json = False,
) -> None:
    """Propose another identifier, course or school year; somebody else must approve it."""
    run = invocation(ctx)
    asked = typer.prompt(run.text("deliveries.edit.ask"), hide_input=True, err=True) if identifier else None

    async def propose(gateway: "Gateway") -> "Edit":
        from gateway.stages.edits import Change

        login = await _allowed(gateway, act_as, "delivery.edit")
        change = Change(asked.strip() if asked else None, course, school_year)
        return await gateway.edits.propose(delivery, change, why, login)

    made = on_gateway(run, propose)
    out = run.output(json)
    out.say("deliveries.edit.done", id=made.id)
    out.data(_told(made))


def approve(
    ctx: typer.Context,
    edit: Annotated[int, typer.Argument(metavar="EDIT", help="The edit's id.")],
    act_as: ActAs,
    reject: Annotated[bool, typer.Option("--reject", help="Decide against it.")] = False,
    json: Json = False,
) -> None:
    """Decide an edit that somebody else has proposed; approved, the delivery is verified anew."""
    run = invocation(ctx)

    async def decide(gateway: "Gateway") -> "Edit":
        login = await _allowed(gateway, act_as, "delivery.approve_edit")
        return await (gateway.edits.reject if reject else gateway.edits.approve)(edit, login)

    decided = on_gateway(run, decide)
    out = run.output(json)
    out.say("deliveries.approve.rejected" if reject else "deliveries.approve.done", id=decided.id)
    out.data(_told(decided))


async def _allowed(gateway: "Gateway", login: str, act: str) -> str:
    """Raises: NotFound, Refused."""
    from gateway.model.roles import RoleName, may
    from gateway.storage.users import find_user

    user = await find_user(gateway.db, gateway.vault, login)
    if user is None or user.ended_at_ms is not None:
        raise NotFound(f"there is no valid user {login}")
    if not may(RoleName(user.role), act):
        raise Refused(f"the role of {user.login} may not do this ({act})")
    return user.login


def _told(found: "Edit") -> dict[str, Any]:
    return {
        "id": found.id,
        "delivery": found.delivery_id,
        "version": found.version,
        "fields": list(found.fields),
        "proposed_by": found.proposed_by,
        "decided_by": found.decided_by,
        "decision": found.decision,
    }
