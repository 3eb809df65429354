"""Whether the work was really all done: no figure counts without it."""

import sqlite3

import aiohttp

from bench.floor.rows import counts
from bench.place import Place
from bench.processes import Failed
from gateway.queue.balance import Sheet, balance
from gateway.storage.engine import open_database


async def balance_of(place: Place) -> Sheet:
    """The balance of a gateway that has ended. Raises: Failed when it does not close."""
    db = open_database(place.settings().database)
    try:
        found = await balance(db)
    finally:
        await db.close()
    if not found.closes:
        raise Failed(f"the balance does not close: {found.as_dict()}")
    return found.total


async def all_delivered(place: Place, total: int) -> None:
    """All `total` are delivered, and each is one record that TEMIS wrote exactly once. Raises: Failed."""
    sheet, temis = await balance_of(place), await temis_of(place)
    if sheet.received != total or sheet.states["delivered"] != total:
        raise Failed(f"{total} were sent; received {sheet.received}, by state {sheet.states}")
    if temis != {"records": total, "writes": total, "items": {"created": total}}:
        raise Failed(f"{total} were delivered; TEMIS has {temis}")


async def temis_of(place: Place) -> dict[str, object]:
    """What the sandbox's TEMIS counted: records, writes, and items by answer."""
    async with aiohttp.ClientSession() as http, http.get(f"{place.sandbox}/_control/stats") as answer:
        found: dict[str, dict[str, object]] = await answer.json()
    return found["temis"]


def rows_of(place: Place) -> dict[str, int]:
    """Rows by table of those that one completion fills."""
    connection = sqlite3.connect(place.database)
    try:
        return counts(connection)
    finally:
        connection.close()


def delivered(place: Place) -> int:
    """How many are delivered, as anybody sees it who reads the file beside the gateway."""
    connection = sqlite3.connect(f"file:{place.database}?mode=ro", uri=True)
    try:
        sql = "SELECT COUNT(*) FROM deliveries WHERE state = 'delivered'"
        return int(connection.execute(sql).fetchone()[0])
    finally:
        connection.close()
