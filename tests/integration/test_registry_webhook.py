"""POST /v1/registry/changes: the sector database tells of changed files by itself, signed."""

import pytest

from gateway.model.person import IdentifierType, LookupKey
from gateway.security.signatures import new_secret
from tests.listening import open_desk

PATH = "/v1/registry/changes"
SECRET = new_secret()
KEY = LookupKey(IdentifierType.SECTOR, "3100000001")
NOTICE = {
    "changes": [
        {
            "changed_at": "2026-03-09T11:59:30+07:00",
            "identifiers": [{"type": "sector_id", "value": KEY.value}, {"type": "new_type", "value": "x"}],
        }
    ]
}


@pytest.fixture
async def desk(database_url, tmp_path):
    async with open_desk(database_url, tmp_path, registry_secret=SECRET) as desk:
        yield desk


async def wakes(desk) -> int:
    async with desk.gateway.db.read() as tx:
        [row] = await tx.rows("SELECT COUNT(*) AS n FROM wakes WHERE kind = 'person'")
    return row.n


async def test_what_the_registry_says_is_stored_before_the_answer(desk):
    """202: the older answer has ended and whoever waits for this person is woken; twice does no harm."""
    await desk.gateway.snapshots.store({KEY: ()}, asked_at_ms=desk.clock.now_ms() - 1)
    for _ in range(2):
        answer = await desk.post(NOTICE, path=PATH, secret=SECRET)
        assert (answer.status, answer.json()) == (202, {"changes": 1})
    assert await wakes(desk) == 2
    assert await desk.gateway.snapshots.find([KEY]) == {}


async def test_nobody_else_can_say_so(desk):
    """A vendor's secret, or none at all, moves nothing."""
    answer = await desk.post(NOTICE, path=PATH)
    assert answer.status == 401
    answer = await desk.ask("POST", PATH, json=NOTICE)
    assert (answer.status, answer.code) == (401, "signature.missing_header")
    assert await wakes(desk) == 0


async def test_without_a_secret_nothing_is_taken(database_url, tmp_path):
    """An installation that has agreed on no secret takes no changes, however they are signed."""
    async with open_desk(database_url, tmp_path) as desk:
        assert (await desk.post(NOTICE, path=PATH, secret=SECRET)).status == 401


@pytest.mark.parametrize(
    "body",
    [[], {"changes": "all"}, {"changes": [{"changed_at": "yesterday", "identifiers": []}]}, b"{"],
    ids=["list", "text", "day", "cut off"],
)
async def test_what_is_not_the_contract_is_refused_whole(desk, body):
    """422 and nothing stored: a notice that we do not understand must be seen, not half done."""
    answer = await desk.post(body, path=PATH, secret=SECRET)
    assert (answer.status, answer.code) == (422, "body.not_contract")
    assert await wakes(desk) == 0
