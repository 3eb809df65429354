"""`gateway keys`: the master key, which wraps the data keys of every month."""

from typing import TYPE_CHECKING

import typer

from gateway.cli.output import Json, invocation

if TYPE_CHECKING:
    from gateway.settings import Settings

APP = typer.Typer(help="The keys that open the stored data.")


@APP.callback()
def keys() -> None:
    """The keys that open the stored data."""  # with a callback, a group of one command is still a group


@APP.command()
def rotate(ctx: typer.Context, json: Json = False) -> None:
    """Make a new master key and wrap every data key by it; stored rows stay as they are."""
    import asyncio

    run = invocation(ctx)
    settings = run.settings()
    master, rewrapped = asyncio.run(_rotate(settings))
    out = run.output(json)
    out.say("keys.rotate.done", master=master, rewrapped=rewrapped, file=settings.keys_file)
    out.data({"master": master, "rewrapped": rewrapped})


async def _rotate(settings: "Settings") -> tuple[str, int]:
    """Returns: the id of the new master key, how many data keys it wraps."""
    from gateway.security import private_file
    from gateway.security.keys import KeyRing
    from gateway.security.vault import Vault
    from gateway.storage.data_keys import load_data_keys, rewrap_data_keys
    from gateway.storage.engine import open_database
    from gateway.storage.schema import check_schema

    db = open_database(settings.database)
    try:
        await check_schema(db)
        # Two rotations at once would lose the master key of the one whose file is replaced.
        with private_file.locked(settings.keys_file):
            old = KeyRing.load(settings.keys_file)
            await load_data_keys(db, Vault(old))  # all of them open: else nothing is begun
            old.with_new_master().save(settings.keys_file)
            ring = KeyRing.load(settings.keys_file)  # as it is on disk: what cannot be read again wraps nothing
            return ring.active_master.id, await rewrap_data_keys(db, Vault(ring))
    finally:
        await db.close()


__all__ = ["APP"]
