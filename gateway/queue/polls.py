"""Vendors that are asked instead of sending: where, how often, and how far they have been read.

How far moves in the transaction of the completions it brought (stages/polling.py).
"""

from dataclasses import dataclass, replace

from sqlalchemy import insert

from gateway.model.clock import Clock
from gateway.model.errors import NotFound
from gateway.security.vault import LASTING, Vault, aad
from gateway.storage import tables
from gateway.storage.engine import Database, Tx
from gateway.storage.rows import Cell

READ = """
SELECT vendor_id, url, key_sealed, every_s, overlap_s, page_items, per_min, since_ms, token, until_ms,
       polled_at_ms, fault
FROM polls ORDER BY vendor_id"""
MOVE = """
UPDATE polls SET since_ms = :since, token = :token, until_ms = :until, polled_at_ms = :now, fault = NULL
WHERE vendor_id = :vendor"""
FAULT = "UPDATE polls SET polled_at_ms = :now, fault = :fault WHERE vendor_id = :vendor"


@dataclass(frozen=True, slots=True)
class Position:
    """How far a vendor has been read.

    Between rounds `token` and `until_ms` are None; within one they name the next page, and up to when the
    round is complete. `since_ms`: the round began there, less the overlap.
    """

    since_ms: int
    token: str | None = None
    until_ms: int | None = None

    def after(self, token: str | None, until_ms: int) -> "Position":
        """Behind a page: the round's end is what its first page said, and never before its beginning."""
        until = max(self.since_ms, until_ms if self.until_ms is None else self.until_ms)
        return Position(until) if token is None else replace(self, token=token, until_ms=until)


@dataclass(frozen=True, slots=True)
class Poll:
    """One vendor's list API. `key` is its bearer key; `fault` says why the last try brought nothing."""

    vendor_id: int
    url: str
    key: str
    every_s: int = 60
    overlap_s: int = 300
    page_items: int = 200
    per_min: int = 60
    position: Position = Position(0)
    polled_at_ms: int = 0
    fault: str | None = None


async def read_polls(db: Database, vault: Vault) -> list[Poll]:
    """All of them, by vendor."""
    async with db.read() as tx:
        rows = await tx.rows(READ)
    return [
        Poll(
            row.vendor_id,
            row.url,
            vault.open(bytes(row.key_sealed), aad("polls", "key", row.vendor_id)).decode(),
            row.every_s,
            row.overlap_s,
            row.page_items,
            row.per_min,
            Position(row.since_ms, row.token, row.until_ms),
            row.polled_at_ms,
            row.fault,
        )
        for row in rows
    ]


async def set_poll(db: Database, vault: Vault, poll: Poll) -> None:
    """From now on the vendor is asked so. One asked already goes on where it was."""

    async def in_tx(tx: Tx) -> None:
        found = await tx.rows(
            "SELECT since_ms, token, until_ms, polled_at_ms FROM polls WHERE vendor_id = :v", v=poll.vendor_id
        )
        at = Position(*found[0][:3]) if found else poll.position
        await tx.run("DELETE FROM polls WHERE vendor_id = :v", v=poll.vendor_id)
        row: dict[str, Cell] = {
            "vendor_id": poll.vendor_id,
            "url": poll.url,
            "key_sealed": vault.seal(
                poll.key.encode(), aad("polls", "key", poll.vendor_id), vault.key_of(LASTING)
            ),
            "every_s": poll.every_s,
            "overlap_s": poll.overlap_s,
            "page_items": poll.page_items,
            "per_min": poll.per_min,
            "since_ms": at.since_ms,
            "token": at.token,
            "until_ms": at.until_ms,
            "polled_at_ms": 0,
        }
        await tx.insert_many(insert(tables.polls), [row])

    await db.write(in_tx)


async def end_poll(db: Database, vendor_id: int) -> None:
    """The vendor is not asked any more. Raises: NotFound when it was not."""
    if not await db.write(lambda tx: tx.run("DELETE FROM polls WHERE vendor_id = :v", v=vendor_id)):
        raise NotFound("this vendor is not polled")


async def move_in(tx: Tx, vendor_id: int, position: Position, now_ms: int) -> None:
    """The vendor has been read up to there, as of this transaction."""
    await tx.run(
        MOVE,
        since=position.since_ms,
        token=position.token,
        until=position.until_ms,
        now=now_ms,
        vendor=vendor_id,
    )


async def note_fault(db: Database, clock: Clock, vendor_id: int, fault: str) -> None:
    """Why a try brought nothing. How far it was read stays."""
    await db.write(lambda tx: tx.run(FAULT, now=clock.now_ms(), fault=fault, vendor=vendor_id))
