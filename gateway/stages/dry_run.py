"""A body of completions -> the receipts it would get, with nothing stored, counted or set aside."""

from gateway.connectors.faults import MAX_ITEMS
from gateway.connectors.slicing import slice_body
from gateway.model.clock import Clock
from gateway.queue.delivery import Arrival
from gateway.queue.foresee import foresee
from gateway.queue.vendors import Vendor
from gateway.stages.receive import ItemReceipt, Receive
from gateway.storage.engine import Database


class DryRun:
    """What vendors try out before they send. One instance per process."""

    def __init__(self, receive: Receive, db: Database, clock: Clock, *, max_items: int = MAX_ITEMS) -> None:
        self._receive = receive
        self._db = db
        self._clock = clock
        self._max_items = max_items

    async def check(self, vendor: Vendor, body: bytes) -> list[ItemReceipt]:
        """One receipt per item, in order. Raises: PayloadInvalid for a body that cannot be read as a whole."""
        prepared = await self._receive.prepare(vendor, slice_body(body, max_items=self._max_items))
        arrivals = [draft for draft in prepared.drafts if isinstance(draft, Arrival)]
        foreseen = iter(await foresee(self._db, self._clock, arrivals))
        receipts = []
        for draft in prepared.drafts:
            if isinstance(draft, Arrival):
                receipt = next(foreseen)
                draft = ItemReceipt(draft.event_id, receipt.status, receipt.delivery_id)
            receipts.append(draft)
        return receipts
