"""`gateway vendors`: who may send completions, and the secrets they sign with."""

import re
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.opened import on_gateway, vendor_named
from gateway.cli.output import Invocation, Json, invocation
from gateway.model.errors import ConfigError

if TYPE_CHECKING:
    from gateway.app import Gateway
    from gateway.queue.vendors import Vendor

APP = typer.Typer(help="Who may send completions, and the secrets they sign with.")

Name = Annotated[str, typer.Argument(metavar="VENDOR", help="The vendor's name, as in its address.")]
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")  # it stands in the address that the vendor sends to


@APP.command()
def add(
    ctx: typer.Context,
    name: Name,
    connector: Annotated[
        str | None, typer.Option(help="Which form its items have; by default that of the same name.")
    ] = None,
    json: Json = False,
) -> None:
    """Add a vendor and show its secret, this one time only."""
    from gateway.queue.vendors import add_vendor

    run = invocation(ctx)
    form = connector_of(run, name, connector)
    secret = on_gateway(run, lambda g: add_vendor(g.db, g.vault, g.clock, name, form))
    out = run.output(json)
    out.say("vendors.add.done", vendor=name, secret=secret)
    out.data({"vendor": name, "secret": secret})


@APP.command()
def rotate(
    ctx: typer.Context,
    name: Name,
    overlap_h: Annotated[
        float, typer.Option(min=0, max=24 * 30, help="How many hours the present secrets stay valid.")
    ] = 24,
    json: Json = False,
) -> None:
    """Make a new secret and show it once; the present ones end after the overlap."""
    from gateway.model.clock import HOUR_MS
    from gateway.queue.vendors import rotate_secret

    run = invocation(ctx)

    async def rotated(gateway: "Gateway") -> str:
        await vendor_named(gateway, name)
        return await rotate_secret(
            gateway.db, gateway.vault, gateway.clock, name, overlap_ms=round(overlap_h * HOUR_MS)
        )

    secret = on_gateway(run, rotated)
    out = run.output(json)
    out.say("vendors.rotate.done", vendor=name, secret=secret, hours=f"{overlap_h:g}")
    out.data({"vendor": name, "secret": secret})


@APP.command("list")
def list_vendors(ctx: typer.Context, json: Json = False) -> None:
    """List the vendors; secrets are counted, never shown."""
    run = invocation(ctx)

    async def all_vendors(gateway: "Gateway") -> "list[Vendor]":
        return await gateway.vendors.all()

    found = on_gateway(run, all_vendors)
    out = run.output(json)
    columns = [f"vendors.list.column.{name}" for name in ("vendor", "connector", "live", "expired", "state")]
    states = {False: run.text("vendors.list.active"), True: run.text("vendors.list.paused")}
    out.table(columns, [(v.name, v.connector, len(v.live), len(v.expired), states[v.paused]) for v in found])
    out.data(
        {
            "vendors": [
                {
                    "vendor": v.name,
                    "connector": v.connector,
                    "live_secrets": len(v.live),
                    "expired_secrets": len(v.expired),
                    "paused": v.paused,
                }
                for v in found
            ]
        }
    )


@APP.command()
def pause(
    ctx: typer.Context,
    name: Name,
    reason: Annotated[str, typer.Option(help="Why; goes into the audit.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would happen.")] = False,
    json: Json = False,
) -> None:
    """Leave a vendor's deliveries where they are until it is resumed; its completions are still taken."""
    run = invocation(ctx)

    async def paused(gateway: "Gateway") -> int:
        from gateway.queue.pausing import pause_vendor
        from gateway.storage.audit import machine

        await vendor_named(gateway, name)
        if dry_run:
            return 0
        return await pause_vendor(gateway.db, gateway.clock, name, by=machine(), reason=reason)

    parked = on_gateway(run, paused)
    out = run.output(json)
    out.say(f"vendors.pause.{'dry' if dry_run else 'done'}", vendor=name)
    out.data({"vendor": name, "paused": not dry_run, "parked": parked, "dry_run": dry_run})


@APP.command()
def resume(
    ctx: typer.Context,
    name: Name,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would happen.")] = False,
    json: Json = False,
) -> None:
    """Let a paused vendor's deliveries go on."""
    run = invocation(ctx)

    async def resumed(gateway: "Gateway") -> int:
        from gateway.queue.pausing import resume_vendor
        from gateway.storage.audit import machine

        await vendor_named(gateway, name)
        return 0 if dry_run else await resume_vendor(gateway.db, gateway.clock, name, by=machine())

    back = on_gateway(run, resumed)
    out = run.output(json)
    out.say(f"vendors.resume.{'dry' if dry_run else 'done'}", vendor=name)
    out.data({"vendor": name, "resumed": not dry_run, "came_back": back, "dry_run": dry_run})


def connector_of(run: Invocation, name: str, connector: str | None) -> str:
    """The form that a new vendor's items have. Raises: ConfigError for a name or form that is none."""
    from gateway.connectors import discover

    if not _NAME.fullmatch(name):
        raise ConfigError(run.text("vendors.add.bad_name"))
    form, known = connector or name, discover()
    if form not in known:
        raise ConfigError(run.text("vendors.add.no_connector", found=form, known=", ".join(known)))
    return form


__all__ = ["APP"]
