"""The schema of a database: brought up to date by alembic, checked at every start."""

from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from gateway.model.errors import ConfigError
from gateway.storage.engine import Database

_FOLDER = Path(__file__).parent / "migrations"


async def migrate(db: Database) -> None:
    """Creates or upgrades every table; running it again changes nothing."""

    def upgrade(connection: Connection) -> None:
        from alembic import command

        command.upgrade(_config(connection), "head")

    async with db.engine.connect() as connection:
        await connection.run_sync(upgrade)
        await connection.commit()


async def check_schema(db: Database) -> None:
    """Raises: ConfigError when the database is missing, older or newer than this program."""

    def versions(connection: Connection) -> tuple[str | None, str | None]:
        from alembic.runtime.migration import MigrationContext
        from alembic.script import ScriptDirectory

        head = ScriptDirectory.from_config(_config(connection)).get_current_head()
        return MigrationContext.configure(connection).get_current_revision(), head

    async with db.engine.connect() as connection:
        found, expected = await connection.run_sync(versions)
    if found is None:
        raise ConfigError("the database is empty: run `gateway init` first")
    if found != expected:
        raise ConfigError(
            f"the database has schema {found}, this program expects {expected}: run `gateway init`"
        )


def _config(connection: Connection) -> Any:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.attributes["connection"] = connection
    return config
