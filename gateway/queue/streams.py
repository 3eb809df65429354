"""How far a vendor's stream is committed: written in the transaction of its completions, under its epoch.

    open (epoch + 1) -> place -> advance, advance, … -> the next open tells the last committed line

Opening a stream again raises its epoch, so whatever an older connection still sends is not committed any more:
the line told by `open_stream` stays the last one until the new connection moves it.
Source: contracts/gateway/README.md, "Streams".
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from sqlalchemy import insert

from gateway.model.clock import Clock
from gateway.model.errors import NotFound, Refused
from gateway.storage import tables
from gateway.storage.engine import Database, Tx

OPEN = """
INSERT INTO streams (vendor_id, name, epoch, line, opened_at_ms, changed_at_ms)
VALUES (:vendor, :name, 1, 0, :now, :now)
ON CONFLICT (vendor_id, name) DO UPDATE SET epoch = streams.epoch + 1, changed_at_ms = excluded.changed_at_ms
RETURNING id, name, epoch, line, opened_at_ms, changed_at_ms"""
FIND = """
SELECT id, name, epoch, line, opened_at_ms, changed_at_ms FROM streams
WHERE vendor_id = :vendor AND name = :name"""
ADVANCE = """
UPDATE streams SET line = :to_line, changed_at_ms = :now
WHERE id = :id AND epoch = :epoch AND line = :from_line"""
RECEIPTS = """
SELECT line, status, event_id, delivery_id, faults FROM stream_receipts
WHERE stream_id = :stream AND line > :after ORDER BY line LIMIT :limit"""


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream as it stands. `line` is the last committed one, 0 before the first."""

    id: int
    name: str
    epoch: int
    line: int
    opened_at_ms: int
    changed_at_ms: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where one connection goes on: after `line`, while the stream's epoch is `epoch`."""

    stream_id: int
    epoch: int
    line: int


@dataclass(frozen=True, slots=True)
class LineReceipt:
    """What became of a line that was not plainly accepted. `faults`: paths and codes."""

    line: int
    status: str
    event_id: str | None
    delivery_id: int | None
    faults: Sequence[tuple[str, str]] = ()


async def open_stream(db: Database, clock: Clock, vendor_id: int, name: str | None) -> Stream:
    """Opens the stream of this name, new or again; without a name a new one."""
    chosen = name if name is not None else f"s-{secrets.token_hex(8)}"

    async def in_tx(tx: Tx) -> Stream:
        [row] = await tx.rows(OPEN, vendor=vendor_id, name=chosen, now=clock.now_ms())
        return Stream(*row)

    return await db.write(in_tx)


async def find_stream(db: Database, vendor_id: int, name: str) -> Stream:
    """The stream as it stands. Raises: NotFound, also for another vendor's."""
    async with db.read() as tx:
        found = await tx.rows(FIND, vendor=vendor_id, name=name)
    if not found:
        raise NotFound("this vendor has no such stream")
    return Stream(*found[0])


async def is_current(db: Database, place: Place) -> bool:
    """Whether the stream stands where `place` says, under that epoch."""
    async with db.read() as tx:
        found = await tx.rows(
            "SELECT 1 FROM streams WHERE id = :id AND epoch = :epoch AND line = :line",
            id=place.stream_id,
            epoch=place.epoch,
            line=place.line,
        )
    return bool(found)


async def advance(tx: Tx, place: Place, to_line: int, kept: Sequence[LineReceipt], now_ms: int) -> None:
    """From `place` to `to_line`, with the receipts of lines that were not plainly accepted.

    Raises: Refused `stream.superseded` when the stream was opened again, or another connection moved it.
    """
    moved = await tx.run(
        ADVANCE, id=place.stream_id, epoch=place.epoch, from_line=place.line, to_line=to_line, now=now_ms
    )
    if moved != 1:
        raise Refused("the stream was opened again or has gone on elsewhere", "stream.superseded")
    await tx.insert_many(
        insert(tables.stream_receipts),
        [
            {
                "stream_id": place.stream_id,
                "line": one.line,
                "status": one.status,
                "event_id": one.event_id,
                "delivery_id": one.delivery_id,
                "faults": orjson.dumps(one.faults).decode(),
            }
            for one in kept
        ],
    )


async def receipts_after(db: Database, stream_id: int, after: int, *, limit: int) -> list[LineReceipt]:
    """Receipts kept for lines above `after`: 0..limit, by line."""
    async with db.read() as tx:
        rows = await tx.rows(RECEIPTS, stream=stream_id, after=after, limit=limit)
    return [
        LineReceipt(
            row.line,
            row.status,
            row.event_id,
            row.delivery_id,
            [(path, code) for path, code in orjson.loads(row.faults)],
        )
        for row in rows
    ]
