"""Both vendors send their items: signed batches over real HTTP, each vendor's in their order, both at once."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.model.errors import Refused
from gateway.sandbox.item import Item
from gateway.sandbox.vendor import ReceiptSeen, SendingFailed, VendorClient

BATCH = 200


@dataclass(slots=True)
class Sent:
    """What has been sent so far, and what was answered to each item."""

    seconds: float = 0.0  # spent sending
    answered: list[tuple[Item, ReceiptSeen]] = field(default_factory=list)

    @property
    def count(self) -> int:
        return len(self.answered)


async def feed(vendors: dict[str, VendorClient], items: Sequence[Item], sent: Sent) -> None:
    """Sends all items and notes the receipts in `sent`. Raises: Refused when the gateway takes none."""
    started = time.monotonic()
    try:
        async with asyncio.TaskGroup() as group:
            for name, client in vendors.items():
                mine = [item for item in items if item.vendor == name]
                group.create_task(_send(client, mine, sent))
    except* SendingFailed as failed:
        raise Refused(f"the gateway did not take what was sent: {failed.exceptions[0]}") from None
    sent.seconds += time.monotonic() - started


async def _send(client: VendorClient, items: Sequence[Item], sent: Sent) -> None:
    for start in range(0, len(items), BATCH):
        batch = items[start : start + BATCH]
        receipts = await client.send([item.body for item in batch])
        sent.answered += zip(batch, receipts, strict=True)
