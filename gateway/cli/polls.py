"""`gateway polls`: vendors that are asked for their completions because they only offer a list API."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.opened import on_gateway, vendor_named
from gateway.cli.output import Json, invocation
from gateway.model.errors import ConfigError

if TYPE_CHECKING:
    from gateway.app import Gateway
    from gateway.queue.polls import Poll

APP = typer.Typer(help="Vendors that are asked for their completions because they only offer a list API.")

COLUMNS = ("vendor", "url", "every_s", "overlap_s", "page_items", "per_min", "read_until", "polled_at", "fault")

Vendor = Annotated[str, typer.Argument(metavar="VENDOR", help="The vendor's name.")]


@APP.command("set")
def set_poll(
    ctx: typer.Context,
    vendor: Vendor,
    url: Annotated[str, typer.Argument(metavar="URL", help="Base address of the vendor's list API.")],
    every_s: Annotated[int, typer.Option(min=1, max=86_400, help="Seconds between two rounds.")] = 60,
    overlap_s: Annotated[
        int, typer.Option(min=0, max=604_800, help="How far a round reaches back before the last one's end.")
    ] = 300,
    page_items: Annotated[int, typer.Option(min=1, max=500, help="Completions in a page.")] = 200,
    per_min: Annotated[int, typer.Option(min=1, max=6_000, help="Most pages a minute.")] = 60,
    json: Json = False,
) -> None:
    """Ask a vendor from now on; its key is read from standard input. One asked already goes on where it was."""
    from urllib.parse import urlsplit

    from gateway.connectors.lists import discover
    from gateway.queue.polls import Poll, set_poll

    run = invocation(ctx)
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
        raise ConfigError(run.text("polls.set.bad_url"))
    key = sys.stdin.readline().strip()
    if not key or not key.isascii() or not key.isprintable():
        raise ConfigError(run.text("polls.set.no_key"))

    async def done(gateway: "Gateway") -> None:
        found = await vendor_named(gateway, vendor)
        if found.connector not in discover():
            known = ", ".join(discover())
            raise ConfigError(run.text("polls.set.no_api", vendor=vendor, known=known))
        poll = Poll(found.id, url, key, every_s, overlap_s, page_items, per_min)
        await set_poll(gateway.db, gateway.vault, poll)

    on_gateway(run, done)
    out = run.output(json)
    out.say("polls.set.done", vendor=vendor, every_s=every_s)
    out.data({"vendor": vendor, "url": url, "every_s": every_s})


@APP.command("list")
def list_polls(ctx: typer.Context, json: Json = False) -> None:
    """List the vendors that are asked, how far they have been read, and what went wrong last."""
    from gateway.queue.polls import read_polls

    run = invocation(ctx)

    async def read(gateway: "Gateway") -> list[dict[str, Any]]:
        names = {vendor.id: vendor.name for vendor in await gateway.vendors.all()}
        polls = await read_polls(gateway.db, gateway.vault)
        return [_told(names[poll.vendor_id], poll) for poll in polls]

    rows = on_gateway(run, read)
    out = run.output(json)
    if rows:
        columns = [f"polls.column.{name}" for name in COLUMNS]
        out.table(columns, [[row[name] for name in COLUMNS] for row in rows])
    else:
        out.say("polls.none")
    out.data({"polls": rows})


@APP.command("end")
def end_poll(ctx: typer.Context, vendor: Vendor, json: Json = False) -> None:
    """Ask a vendor no more; how far it was read is forgotten, what was read stays."""
    from gateway.queue.polls import end_poll

    run = invocation(ctx)

    async def done(gateway: "Gateway") -> None:
        await end_poll(gateway.db, (await vendor_named(gateway, vendor)).id)

    on_gateway(run, done)
    out = run.output(json)
    out.say("polls.end.done", vendor=vendor)
    out.data({"vendor": vendor})


def _told(vendor: str, poll: "Poll") -> dict[str, Any]:
    from gateway.model.clock import iso

    since_ms = poll.position.since_ms
    return {
        "vendor": vendor,
        "url": poll.url,
        "every_s": poll.every_s,
        "overlap_s": poll.overlap_s,
        "page_items": poll.page_items,
        "per_min": poll.per_min,
        "read_until": iso(since_ms) if since_ms else None,
        "polled_at": iso(poll.polled_at_ms) if poll.polled_at_ms else None,
        "fault": poll.fault,
    }


__all__ = ["APP"]
