"""Streams of one process: opened by a signed request, sent under a token, each commit with its own place.

Source: contracts/gateway/README.md, "Streams".
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from gateway.model.clock import Clock
from gateway.model.errors import Overloaded, Refused
from gateway.queue.delivery import ReceiptStatus
from gateway.queue.streams import LineReceipt, Place, Stream, advance, is_current, open_stream
from gateway.queue.turns import Turns
from gateway.queue.vendors import Vendor
from gateway.security.tokens import Tokens
from gateway.stages.receive import ItemReceipt, Prepared, Receive
from gateway.stages.stream_run import Batch, Body, Ended, Told, run
from gateway.storage.engine import Database, Tx

TOKEN_S = 900
PURPOSE = "stream"
PAUSE_S = 0.2  # when the gateway stores as fast as it can


@dataclass(frozen=True, slots=True)
class Opened:
    """A stream, and the token under which its lines are sent."""

    stream: Stream
    token: str
    expires_in_s: int


class Streaming:
    """Streams of all vendors in one process."""

    def __init__(
        self, receive: Receive, tokens: Tokens, db: Database, clock: Clock, turns: Turns | None = None
    ) -> None:
        self._receive = receive
        self._turns = turns or Turns()
        self._tokens = tokens
        self._db = db
        self._clock = clock

    async def open(self, vendor: Vendor, name: str | None) -> Opened:
        """Opens a stream, new or again: whatever older connections of it still send is not committed."""
        stream = await open_stream(self._db, self._clock, vendor.id, name)
        subject = f"{stream.id}:{stream.epoch}:{stream.line}"
        expires_at_s = self._clock.now_ms() // 1000 + TOKEN_S
        return Opened(stream, self._tokens.issue(vendor.id, PURPOSE, expires_at_s, subject), TOKEN_S)

    async def admit(self, vendor_id: int, token: str) -> Place:
        """Where the bearer of this token goes on; asked once, so a running body outlives its token.

        Raises: SignatureRefused for the token; Refused `stream.superseded` when the stream has moved since.
        """
        subject = self._tokens.open(token, vendor_id, PURPOSE, self._clock.now_ms() // 1000)
        place = Place(*(int(part) for part in subject.split(":")))
        if not await is_current(self._db, place):
            raise Refused("the stream was opened again or has gone on elsewhere", "stream.superseded")
        return place

    async def take(
        self,
        vendor: Vendor,
        place: Place,
        body: Body,
        told: Told,
        *,
        stopping: Callable[[], Awaitable[None]],
        idle_s: float,
    ) -> Ended:
        """Takes lines until the body ends, breaks off or is silent for `idle_s`, or the process is to end.

        Raises: Refused `stream.superseded` when the stream was opened again meanwhile; the storage's errors.
        What was told as committed is committed in any case.
        """

        async def prepare(batch: Batch) -> Prepared:
            while True:  # the sender waits for its turn, since nothing more is read meanwhile
                with suppress(Overloaded):
                    async with self._turns.turn(vendor.id):
                        return await self._receive.prepare(vendor, batch.slices)

        return await run(place, body, prepare, self.store, told, stopping=stopping, idle_s=idle_s)

    async def store(self, place: Place, batch: Batch, prepared: Prepared) -> Sequence[tuple[int, ItemReceipt]]:
        """One commit: the items, the stream's move to the batch's last line, and its receipts.

        Returns: a receipt for each line that holds an item, by line.
        Raises: Refused `stream.superseded`; StorageBusy. Nothing was stored then.
        """

        async def move(tx: Tx, receipts: Sequence[ItemReceipt]) -> None:
            by_line = zip(batch.numbers, receipts, strict=True)
            kept = [_kept(line, one) for line, one in by_line if is_telling(one)]
            await advance(tx, place, batch.to_line, kept, self._clock.now_ms())

        while True:
            try:
                receipts = await self._receive.store(prepared, move)
            except Overloaded:  # nothing was stored; the sender waits, since nothing more is read meanwhile
                await asyncio.sleep(PAUSE_S)
            else:
                return list(zip(batch.numbers, receipts, strict=True))


def is_telling(receipt: ItemReceipt) -> bool:
    """Whether a receipt says more than that the line was plainly accepted."""
    return receipt.status is not ReceiptStatus.ACCEPTED


def _kept(line: int, receipt: ItemReceipt) -> LineReceipt:
    faults = [(error.path, error.code) for error in receipt.errors]
    return LineReceipt(line, receipt.status.value, receipt.event_id, receipt.delivery_id, faults)
