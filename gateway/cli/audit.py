"""`gateway audit`: the acts of people and of configuration, and the proof that none was changed or removed."""

import re
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.exits import Exit
from gateway.cli.opened import on_gateway
from gateway.cli.output import Json, invocation
from gateway.model.clock import DAY_MS, ICT, iso

if TYPE_CHECKING:
    from gateway.app import Gateway
    from gateway.storage.audit import Act
    from gateway.storage.audit_check import Checked

APP = typer.Typer(help="Acts of people and of configuration, and the proof that none was changed or removed.")

Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="A day in Việt Nam, inclusive.")]
_COLUMNS = ("id", "at", "actor", "act", "object", "detail", "seal")
_HEAD = re.compile(r"(\d+):([0-9a-f]{64})")
_SHOWN = 50  # faults for people; --json has all


@APP.command("list")
def list_acts(
    ctx: typer.Context,
    actor: Annotated[str | None, typer.Option(help="Only acts of this login or machine.")] = None,
    act: Annotated[str | None, typer.Option(help="Only this act, such as user.sign_in.")] = None,
    about: Annotated[
        str | None, typer.Option("--object", help="Only acts on this login, file, case, …")
    ] = None,
    since: Day = None,
    until: Day = None,
    before: Annotated[int | None, typer.Option(min=1, help="Only ids below this one: the next page.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="How many at most.")] = 50,
    json: Json = False,
) -> None:
    """List acts, the newest first, page by page."""
    run = invocation(ctx)

    async def page(gateway: "Gateway") -> "list[Act]":
        from gateway.storage.audit import Wanted, find_acts

        end = None if until is None else _start_ms(until) + DAY_MS
        wanted = Wanted(actor, act, about, None if since is None else _start_ms(since), end)
        return await find_acts(gateway.db, wanted, before=before, limit=limit)

    found = on_gateway(run, page)
    following = found[-1].id if len(found) == limit else None
    rows = [_told(one) for one in found]
    out = run.output(json)
    cells = [[_cell(row[name]) for name in _COLUMNS] for row in rows]
    out.table([f"audit.column.{name}" for name in _COLUMNS], cells)
    if following is not None:
        out.say("audit.list.next", before=following)
    out.data({"acts": rows, "before": following})


@APP.command()
def verify(
    ctx: typer.Context,
    head: Annotated[
        str | None,
        typer.Option(metavar="SEQ:HASH", help="A head that a log line `audit.sealed` told, kept elsewhere."),
    ] = None,
    json: Json = False,
) -> None:
    """Check every act against its seal: none changed, removed, added or in another order."""
    run = invocation(ctx)
    known: tuple[int, str] | None = None
    if head is not None:
        match = _HEAD.fullmatch(head.strip().lower())
        if match is None:
            raise typer.BadParameter(run.text("audit.verify.bad_head"))
        known = int(match[1]), match[2]

    async def check(gateway: "Gateway") -> "Checked":
        from gateway.security.seals import sealing_key
        from gateway.storage.audit_check import check_audit

        return await check_audit(gateway.db, sealing_key(gateway.keyring.digest.material), head=known)

    found = on_gateway(run, check)
    out = run.output(json)
    newest = found.head
    out.say("audit.verify.read", seals=found.seals, rows=found.rows)
    if newest is not None:
        out.say("audit.verify.head_is", head=f"{newest.seq}:{newest.link.hex()}")
    since = None if found.unsealed_since_ms is None else iso(found.unsealed_since_ms)
    if found.unsealed:
        out.say("audit.verify.tail", rows=found.unsealed, since=since)
    for fault in found.faults[:_SHOWN]:
        out.say(f"audit.fault.{fault.kind}", seal=fault.seal, row="–" if fault.row is None else fault.row)
    out.say("audit.verify.faults" if found.faults else "audit.verify.whole", n=len(found.faults))
    out.data(
        {
            "whole": not found.faults,
            "seals": found.seals,
            "rows": found.rows,
            "head": newest and {"seq": newest.seq, "hash": newest.link.hex(), "at": iso(newest.at_ms)},
            "unsealed": {"rows": found.unsealed, "since": since},
            "faults": [fault._asdict() for fault in found.faults],
        }
    )
    if found.faults:
        raise typer.Exit(Exit.FAULT)


def _told(act: "Act") -> dict[str, Any]:
    return {
        "id": act.id,
        "at": iso(act.at_ms),
        "actor": act.actor,
        "act": act.act,
        "object": act.object,
        "detail": act.detail,
        "seal": act.seal,
    }


def _cell(value: Any) -> Any:
    if isinstance(value, dict):
        return " ".join(f"{name}={one}" for name, one in value.items())
    return value


def _start_ms(day: datetime) -> int:
    return int(day.replace(tzinfo=ICT).timestamp() * 1000)


__all__ = ["APP"]
