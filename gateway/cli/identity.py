"""`gateway identity`: checking and explaining identifiers."""

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.output import Invocation, Json, invocation

if TYPE_CHECKING:
    from gateway.app import Authority, Gateway
    from gateway.stages.checking import Checked
    from gateway.stages.owners import Naming

APP = typer.Typer(help="Check and explain identifiers.")


@APP.callback()
def identity() -> None:
    """Check and explain identifiers."""  # with a callback, a group of one command is still a group


@APP.command()
def check(
    ctx: typer.Context,
    roster: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="CSV of the people on file.")],
    claims: Annotated[typer.FileBinaryRead, typer.Option(help="NDJSON, one claim a line; - is stdin.")],
    json: Json = False,
) -> None:
    """Judge claims against a roster file, offline and without side effects; --json prints a line for each."""
    from gateway.identity.offline import check as check_lines
    from gateway.identity.policy import load
    from gateway.identity.roster import Roster
    from gateway.model.clock import SystemClock, local_date

    run = invocation(ctx)
    with roster.open(encoding="utf-8-sig", newline="") as file:
        people = Roster(file)
    for fault in people.faults:
        sys.stderr.write(f"{roster}: {fault}\n")
    counts: Counter[str] = Counter()
    for result in check_lines(claims, people, load(), local_date(SystemClock().now_ms())):
        counts[_outcome(result)] += 1
        if json:
            sys.stdout.write(_line(result))
    if not json:
        _report(run, counts)


@APP.command()
def explain(
    ctx: typer.Context,
    claim: Annotated[str, typer.Argument(metavar="-", help="Standard input: an identifier or a claim.")],
    json: Json = False,
) -> None:
    """Ask the sector database about one identifier, or one claim as JSON; the verdict, values masked."""
    from gateway.cli.inquiry.report import columns, read_claim, rows, told
    from gateway.cli.opened import on_authority

    run = invocation(ctx)
    asked = read_claim(_stdin(run, claim))

    async def ask(gateway: "Gateway", authority: "Authority") -> "tuple[Checked | None, Naming]":
        [checked] = await authority.checking.check(0, "", [asked])
        return checked, await gateway.owners.today()

    checked, naming = on_authority(run, ask)
    out = run.output(json)
    report = told(asked, checked, naming, run.lang)
    out.say(f"identity.explain.{report['verdict']}", form=report["form"], files=report["files"])
    out.table(columns(), rows(report))
    for finding in report["findings"]:
        out.say("identity.explain.finding", **finding)
        if finding["effect"] != "neutral":
            out.say("identity.explain.owner", **finding["owner"] | {"contact": _contact(finding["owner"])})
    out.data(report)


@APP.command()
def recheck(
    ctx: typer.Context,
    identifiers: Annotated[
        str | None, typer.Argument(metavar="-", help="Standard input: one identifier a line.")
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Everything held for this reason.")] = None,
    json: Json = False,
) -> None:
    """Look at held results again, live: those of the people on standard input, or all held for one reason."""
    from gateway.cli.opened import on_gateway

    run = invocation(ctx)
    if (identifiers is None) == (reason is None):
        raise typer.BadParameter(run.text("identity.recheck.which"))
    values = [] if identifiers is None else _stdin(run, identifiers).splitlines()

    async def wake(gateway: "Gateway") -> int:
        if reason is not None:
            return await gateway.wake.reason_cured(reason)
        return sum([await gateway.wake.person_changed(value) for value in values if value.strip()])

    woken = on_gateway(run, wake)
    out = run.output(json)
    out.say("identity.recheck.done", n=woken)
    out.data({"woken": woken})


@APP.command("check-file")
def check_file(
    ctx: typer.Context,
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="A list of people: .xlsx, .xls, .csv.")
    ],
    result: Annotated[Path, typer.Option("--out", dir_okay=False, help="The .xlsx to write.")],
    json: Json = False,
) -> None:
    """Judge a list of people live; the result repeats its rows with reason and remedy."""
    from gateway.cli.inquiry.checked_file import check_file as checked
    from gateway.cli.opened import on_authority
    from gateway.stages.file_check.result import label

    run = invocation(ctx)
    out = run.output(json)
    report = on_authority(run, lambda gateway, authority: checked(gateway, authority, file, result, out))
    out.say("identity.check-file.done", rows=report["rows"], verified=report["verified"], out=report["out"])
    rows = [(n, code, label(code, run.lang)) for code, n in report["counts"].items()]
    out.table([f"identity.check-file.column.{name}" for name in ("count", "code", "result")], rows)
    out.data(report)


def _stdin(run: Invocation, source: str) -> str:
    """Standard input. Identifiers never stand on the command line, which others on the machine can read."""
    if source != "-":
        raise typer.BadParameter(run.text("identity.stdin_only"))
    return sys.stdin.read()


def _contact(owner: dict[str, Any]) -> str:
    unit = owner["unit"]
    return f" – {unit['contact']}" if unit and unit["contact"] else ""


def _outcome(result: dict[str, object]) -> str:
    return str(result.get("reason") or result.get("verdict") or "error")


def _line(result: dict[str, object]) -> str:
    import json

    # An id may hold a lone surrogate (JSON allows "\ud800"), which UTF-8 cannot carry: then as it was escaped.
    return json.dumps(result, ensure_ascii=False).encode("utf-8", "backslashreplace").decode() + "\n"


def _report(run: Invocation, counts: Counter[str]) -> None:
    """Totals, then one row for each cause, the most frequent first, with who acts and the next step."""
    from gateway.model.reasons import OWNERS, REASONS, explain, owner_of

    out = run.output()
    held = {code: count for code, count in counts.most_common() if code in REASONS}
    totals = {"verified": counts["verified"], "held": sum(held.values()), "errors": counts["error"]}
    out.say("identity.check.totals", **totals)
    rows = [
        (count, code, OWNERS[owner_of(code)][run.lang], " ".join(explain(code, run.lang)))
        for code, count in held.items()
    ]
    if rows:
        columns = ("count", "code", "owner", "remedy")
        out.table([f"identity.check.column.{name}" for name in columns], rows)


__all__ = ["APP"]
