"""`gateway users`: accounts of the people who work with the gateway, each with a one-time password at first."""

import csv
import sys
from collections.abc import Awaitable, Sequence
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from gateway.cli.exits import Exit
from gateway.cli.opened import on_gateway, vendor_named
from gateway.cli.output import Invocation, Json, invocation
from gateway.model.errors import ConfigError, Refused
from gateway.model.sheet_cells import plain_cell

if TYPE_CHECKING:
    from gateway.app import Gateway
    from gateway.bdtx.sheets import Fault
    from gateway.stages.users import Handed, UserActs
    from gateway.stages.users_file import Wanted
    from gateway.storage.users import User

T = TypeVar("T")

APP = typer.Typer(help="Accounts of the people who work with the gateway.")

Login = Annotated[str, typer.Argument(metavar="LOGIN", help="The user's login.")]
ActAs = Annotated[str | None, typer.Option("--as", metavar="LOGIN", help="Act as this user, in that scope.")]

_RESULT = ("login", "name", "unit", "role", "one_time_password")
_COLUMNS = ("login", "name", "role", "unit", "second_factor", "state")


@APP.command()
def add(
    ctx: typer.Context,
    login: Login,
    role: Annotated[str, typer.Option(help="viewer, unit_admin, approver, organiser, operator, …")],
    name: Annotated[str | None, typer.Option(help="The person's full name; asked for when not given.")] = None,
    unit: Annotated[str | None, typer.Option(metavar="CODE", help="Code of the unit.")] = None,
    vendor: Annotated[str | None, typer.Option(help="Of an account of a vendor: which one.")] = None,
    act_as: ActAs = None,
    json: Json = False,
) -> None:
    """Make an account and show its one-time password, this one time only."""
    from gateway.stages.users_file import role_named
    from gateway.storage.users import NewUser, fold_login

    run = invocation(ctx)
    full_name: str = name or typer.prompt(run.text("users.add.ask_name"), err=True)

    async def make(gateway: "Gateway") -> "Handed":
        acts = _acts(gateway)
        vendor_id = (await vendor_named(gateway, vendor)).id if vendor else None
        code = unit.strip().upper() if unit else None
        new = NewUser(fold_login(login), full_name.strip(), role_named(role), code, vendor_id)
        actor = await acts.actor(act_as)
        wrong = await acts.fault(actor, new)
        if wrong and wrong[1] != "out_of_scope":
            value = {"role": role, "unit": code or ""}.get(wrong[0], "")
            raise ConfigError(_words(run, wrong[1], value))
        return (await _told(run, acts.make(actor, [new])))[0]

    _show(run, on_gateway(run, make), json, "users.add.done")


@APP.command("import")
def import_users(
    ctx: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help=".csv, .xlsx, .xls")
    ],
    result: Annotated[
        Path | None, typer.Option(dir_okay=False, help="New file for logins and one-time passwords.")
    ] = None,
    preview: Annotated[bool, typer.Option("--preview", help="Show what would be made; write nothing.")] = False,
    act_as: ActAs = None,
    json: Json = False,
) -> None:
    """Make the accounts of a file; one-time passwords go into a file that only its owner may read."""
    from gateway.bdtx.sheets import read_sheet
    from gateway.security import private_file
    from gateway.stages.users_file import COLUMNS, REQUIRED, read_wanted
    from gateway.storage.users import read_users

    run = invocation(ctx)
    if result is None and not preview:
        raise ConfigError(run.text("users.import.no_result"))
    sheet = read_sheet(file, COLUMNS, REQUIRED)
    kept: list[Sequence[Handed]] = []

    def keep(made: "Sequence[Handed]") -> None:
        assert result is not None
        if not made:
            private_file.create(result, _result(made))  # also says whether the passwords can be kept at all
        else:
            private_file.replace(result, _result(made))
        kept.append(made)

    async def make(gateway: "Gateway") -> "Wanted":
        acts = _acts(gateway)
        actor = await acts.actor(act_as)
        wanted = await read_wanted(sheet, acts, actor, await read_users(gateway.db, gateway.vault))
        if wanted.new and result is not None and not preview:
            try:
                await acts.make(actor, wanted.new, keep)
            except Exception:  # whatever it was is raised again; but passwords handed out must not be lost
                if kept and not kept[-1]:
                    result.unlink()  # it is ours, and holds nobody
                elif kept:
                    said = {"made": len(kept[-1]), "of": len(wanted.new), "file": result}
                    sys.stderr.write(run.text("users.import.partly", **said) + "\n")
                raise
        return wanted

    wanted = on_gateway(run, make)
    out = run.output(json)
    counts = {"new": len(wanted.new), "same": wanted.same, "left_out": len(wanted.faults)}
    out.say("users.import.would" if preview else "users.import.done", rows=len(sheet.rows), **counts)
    if wanted.new and not preview:
        out.say("users.import.handed", file=result)
    faults = [_fault(run, fault) for fault in wanted.faults]
    if faults:
        columns = [f"users.import.column.{name}" for name in ("line", "field", "message")]
        out.table(columns, [(fault["line"], fault["field"], fault["message"]) for fault in faults])
    out.data(
        {
            "preview": preview,
            "rows": len(sheet.rows),
            "new": [{"login": new.login, "role": new.role, "unit": new.unit_code} for new in wanted.new],
            "same": wanted.same,
            "faults": faults,
            "result": str(result) if result and wanted.new and not preview else None,
        }
    )
    if faults:
        raise typer.Exit(Exit.FAULT)


@APP.command("list")
def list_users(
    ctx: typer.Context,
    unit: Annotated[
        str | None, typer.Option(metavar="CODE", help="Only this unit and what is under it.")
    ] = None,
    act_as: ActAs = None,
    json: Json = False,
) -> None:
    """List accounts; passwords are kept nowhere and cannot be shown."""
    run = invocation(ctx)

    async def read(gateway: "Gateway") -> "tuple[list[User], int]":
        acts = _acts(gateway)
        code = unit.strip().upper() if unit else None
        return await acts.seen_by(await acts.actor(act_as), code), gateway.clock.now_ms()

    found, now = on_gateway(run, read)
    rows = [_user(user, now) for user in found]
    out = run.output(json)
    shown = [row | {"state": run.text(f"users.state.{row['state']}")} for row in rows]
    shown = [row | {"second_factor": "✓" if row["second_factor"] else ""} for row in shown]
    out.table(
        [f"users.column.{name}" for name in _COLUMNS], [[row[name] for name in _COLUMNS] for row in shown]
    )
    out.data({"users": rows})


@APP.command()
def reset(
    ctx: typer.Context,
    login: Login,
    second_factor: Annotated[
        bool, typer.Option("--second-factor", help="Take the second factor away too; it is then set up anew.")
    ] = False,
    act_as: ActAs = None,
    json: Json = False,
) -> None:
    """Hand out a new one-time password and end a pause."""
    run = invocation(ctx)

    async def anew(gateway: "Gateway") -> "Handed":
        acts = _acts(gateway)
        actor = await acts.actor(act_as)
        return await _told(run, acts.reset(actor, login, totp=second_factor))

    _show(run, on_gateway(run, anew), json, "users.reset.done")


@APP.command()
def end(ctx: typer.Context, login: Login, act_as: ActAs = None, json: Json = False) -> None:
    """End an account: nobody signs in with it any more; its acts stay in the audit."""
    run = invocation(ctx)

    async def ended(gateway: "Gateway") -> "User":
        acts = _acts(gateway)
        return await _told(run, acts.end(await acts.actor(act_as), login))

    user = on_gateway(run, ended)
    out = run.output(json)
    out.say("users.end.done", login=user.login)
    out.data({"login": user.login, "state": "ended"})


def _acts(gateway: "Gateway") -> "UserActs":
    from gateway.bdtx.unit_store import UnitRegister
    from gateway.stages.users import UserActs

    return UserActs(gateway.db, gateway.clock, gateway.vault, UnitRegister(gateway.db, gateway.clock))


async def _told(run: Invocation, acting: Awaitable[T]) -> T:
    """A refusal in the reader's language."""
    try:
        return await acting
    except Refused as refused:
        raise Refused(_words(run, refused.code, ""), refused.code) from None


def _show(run: Invocation, handed: "Handed", json: bool, key: str) -> None:
    out = run.output(json)
    out.say(key, login=handed.user.login, password=handed.password)
    told = {"login": handed.user.login, "role": handed.user.role, "unit": handed.user.unit_code}
    out.data(told | {"one_time_password": handed.password})


def _result(made: "Sequence[Handed]") -> bytes:
    """CSV for a spreadsheet, with its signature; nothing in it runs as a formula."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(_RESULT)
    for new, password in made:
        cells = (new.login, new.name, new.unit_code, new.role, password)
        writer.writerow([plain_cell(cell) for cell in cells])
    return text.getvalue().encode("utf-8-sig")


def _fault(run: Invocation, fault: "Fault") -> dict[str, Any]:
    message = _words(run, fault.code, fault.value)
    return {"line": fault.line, "field": fault.field, "code": fault.code, "message": message}


def _words(run: Invocation, code: str, value: str) -> str:
    from gateway.model.texts import Texts
    from gateway.stages.users_file import TEXTS

    return Texts.load(TEXTS).get(f"users.{code}", run.lang, value=value)


def _user(user: "User", now: int) -> dict[str, Any]:
    state = "active"
    if user.ended_at_ms is not None:
        state = "ended"
    elif user.locked_until_ms is not None and user.locked_until_ms > now:
        state = "paused"
    elif user.must_change:
        state = "one_time"
    return {
        "login": user.login,
        "name": user.name,
        "role": user.role,
        "unit": user.unit_code,
        "second_factor": user.totp_secret is not None,
        "state": state,
    }


__all__ = ["APP"]
