"""`gateway init`: makes the keys file and the database, or brings them up to date; overwrites nothing."""

from typing import TYPE_CHECKING

import typer

from gateway.cli.output import Json, invocation
from gateway.model.errors import ConfigError

if TYPE_CHECKING:
    from gateway.settings import Settings
    from gateway.storage.engine import Database


def init(ctx: typer.Context, json: Json = False) -> None:
    """Create the keys file and the database; running it again loses nothing."""
    import asyncio

    run = invocation(ctx)
    settings = run.settings()
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    upgraded, keys_created = asyncio.run(_init(settings))
    out = run.output(json)
    out.say("init.keys_created" if keys_created else "init.keys_kept", file=settings.keys_file)
    out.say("init.database_ready" if upgraded else "init.database_kept")
    out.say("init.next")
    out.data(
        {"keys_file": str(settings.keys_file), "keys_created": keys_created, "database_upgraded": upgraded}
    )


async def _init(settings: "Settings") -> tuple[bool, bool]:
    """Returns: whether the schema changed, whether keys were made."""
    from gateway.storage.engine import open_database

    db = open_database(settings.database)
    try:
        upgraded = await _bring_up(db)
        return upgraded, await _make_keys(settings, db)
    finally:
        await db.close()


async def _bring_up(db: "Database") -> bool:
    from alembic.util import CommandError

    from gateway.storage.schema import check_schema, migrate

    try:
        await check_schema(db)
    except ConfigError:
        try:
            await migrate(db)
        except CommandError as error:
            raise ConfigError("the database was made by a newer release of this program: upgrade it") from error
        return True
    return False


async def _make_keys(settings: "Settings", db: "Database") -> bool:
    """Raises: ConfigError when data exists whose keys are gone: new keys would hide that for a while."""
    from gateway.security.keys import KeyRing
    from gateway.security.vault import Vault
    from gateway.storage.data_keys import load_data_keys

    if settings.keys_file.exists():
        await load_data_keys(db, Vault(KeyRing.load(settings.keys_file)))
        return False
    async with db.read() as tx:
        if await tx.rows("SELECT 1 FROM data_keys LIMIT 1"):
            raise ConfigError(
                f"the database is encrypted, {settings.keys_file} is missing: restore it from its copy"
            )
    settings.keys_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    KeyRing.generate(settings.keys_file)
    return True


COMMAND = init
