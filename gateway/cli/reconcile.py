"""`gateway reconcile`: read TEMIS back and compare it with what we believe delivered."""

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.bar import Bar
from gateway.cli.exits import Exit
from gateway.cli.opened import on_gateway, vendor_named
from gateway.cli.output import Json, invocation
from gateway.model.clock import ICT, iso

if TYPE_CHECKING:
    from gateway.app import Gateway
    from gateway.queue.reconciliations import Discrepancy, Listed, Reconciliation, Scope

SHOWN = 50  # discrepancies in the table; --json has all up to 1000
_COLUMNS = ("kind", "vendor", "module", "school_year", "delivery", "fields", "revisions", "state")


def reconcile(
    ctx: typer.Context,
    vendor: Annotated[str | None, typer.Option(help="Only records of this vendor's results.")] = None,
    module: Annotated[str | None, typer.Option(help="Only records of this module.")] = None,
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only what TEMIS took since this day.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only compare; change and store nothing.")] = False,
    json: Json = False,
) -> None:
    """Read TEMIS back: what it lost goes again, the rest is reported; exit 1 when anything was found."""
    from gateway.app import open_reconcile
    from gateway.settings import require_temis

    run = invocation(ctx)
    require_temis(run.settings())
    out = run.output(json)
    since_ms = None if since is None else int(since.replace(tzinfo=ICT).timestamp() * 1000)

    async def walk(gateway: "Gateway") -> dict[str, Any]:
        from gateway.queue.reconciliations import Scope

        vendor_id = (await vendor_named(gateway, vendor)).id if vendor else None
        scope = Scope(vendor_id, module.upper() if module else None, since_ms)
        async with open_reconcile(gateway) as reconcile:
            with Bar(out, "reconcile.bar").shown() as bar:
                if dry_run:
                    return await _dry(gateway, reconcile, scope, bar)
                return await _real(gateway, reconcile, scope, bar)

    told = on_gateway(run, walk)
    counts = told["counts"]
    found = told["discrepancies"]
    if found:
        columns = [f"reconcile.column.{name}" for name in _COLUMNS]
        out.table(columns, [_cells(out.run.text, one) for one in found[:SHOWN]])
    for name in ("missing", "different", "unexpected", "moving", "healed"):
        if counts.get(name):
            out.say(f"reconcile.count.{name}", n=counts[name])
    faults = sum(counts.get(name, 0) for name in ("missing", "different", "unexpected"))
    out.say("reconcile.found" if faults else "reconcile.agrees", n=told["checked"])
    if told["id"] is not None and len(found) > SHOWN:
        out.say("reconcile.more", id=told["id"])
    out.data(told)
    if faults:
        raise typer.Exit(Exit.FAULT)


async def _real(gateway: "Gateway", reconcile: Any, scope: "Scope", bar: Bar) -> dict[str, Any]:
    from gateway.queue import reconciliations
    from gateway.storage.audit import machine

    run = await reconciliations.start(gateway.db, gateway.clock, machine(), scope)
    run = await reconcile.walk(run, lambda now: bar.at(now.cursor, now.last_id))
    found = await reconciliations.list_discrepancies(gateway.db, run.id, limit=1_000)
    return told(run) | {"discrepancies": [told_discrepancy(one) for one in found], "dry_run": False}


async def _dry(gateway: "Gateway", reconcile: Any, scope: "Scope", bar: Bar) -> dict[str, Any]:
    from gateway.queue import reconciliations

    counts: Counter[str] = Counter()
    found: list[Discrepancy] = []
    after, last = 0, await reconciliations.newest_record(gateway.db)
    while after < last:
        page, here, after = await reconcile.look(scope, after=after, last=last)
        counts.update(page)
        found += here
        bar.at(after, last)
    checked = sum(counts[name] for name in ("same", *reconciliations.KINDS))
    lines = [
        {
            "kind": one.kind,
            "record": one.record_id,
            "delivery": one.delivery_id,
            "fields": list(one.fields),
            "our_revision": one.ours,
            "temis_revision": one.theirs,
        }
        for one in found[:1_000]
    ]
    return {"id": None, "counts": dict(counts), "checked": checked, "discrepancies": lines, "dry_run": True}


def told(run: "Reconciliation") -> dict[str, Any]:
    """One reconciliation as JSON."""
    return {
        "id": run.id,
        "started_at": iso(run.started_at_ms),
        "ended_at": None if run.ended_at_ms is None else iso(run.ended_at_ms),
        "ended": run.ended,
        "started_by": run.started_by,
        "counts": dict(run.counts),
        "checked": run.checked,
        "share": round(run.done_share, 4),
    }


def told_discrepancy(one: "Listed") -> dict[str, Any]:
    """One discrepancy as JSON: names of fields, never a value."""
    return {
        "id": one.id,
        "at": iso(one.at_ms),
        "kind": one.kind,
        "vendor": one.vendor,
        "module": one.module_code,
        "school_year": one.school_year,
        "record": one.record_id,
        "delivery": one.delivery_id,
        "fields": list(one.fields),
        "our_revision": one.our_revision,
        "temis_revision": one.temis_revision,
        "requeued": one.requeued,
        "state": one.state,
    }


def _cells(text: Any, one: dict[str, Any]) -> list[object]:
    theirs = one["temis_revision"] if one["temis_revision"] is not None else "–"
    return [
        text(f"reconcile.kind.{one['kind']}"),
        one.get("vendor"),
        one.get("module"),
        one.get("school_year"),
        one["delivery"],
        ", ".join(one["fields"]),
        f"{one['our_revision']} / {theirs}",
        one.get("state"),
    ]


COMMAND = reconcile
