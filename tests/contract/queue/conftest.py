"""Every test of the queue runs on a database that refuses moves that are not listed."""

import pytest

from gateway.storage.engine import Database
from tests.moves import guard_moves


@pytest.fixture
async def db(db: Database) -> Database:
    """The database of tests/conftest.py, guarded."""
    await guard_moves(db)
    return db
