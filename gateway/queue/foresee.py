"""What would become of arrivals: they are stored exactly as always, and the transaction is undone.

So the answer is that of the one code that decides, and nothing of it stays.
"""

from collections.abc import Sequence

from gateway.model.clock import Clock
from gateway.queue.accept import store
from gateway.queue.delivery import Arrival, Receipt, ReceiptStatus
from gateway.storage.engine import Database, Tx

_NEW = (ReceiptStatus.ACCEPTED, ReceiptStatus.CORRECTED)


class _Undone(Exception):
    """Rolls the transaction back, and carries what it had come to."""

    def __init__(self, receipts: Sequence[Receipt]) -> None:
        super().__init__("a dry run ends here")
        self.receipts = receipts


async def foresee(db: Database, clock: Clock, arrivals: Sequence[Arrival]) -> list[Receipt]:
    """The receipts these would get now, in order; one that would be new names no delivery.

    Raises: StorageBusy, as storing them would.
    """

    async def in_tx(tx: Tx) -> None:
        raise _Undone(await store(tx, arrivals, [], clock.now_ms()))

    try:
        await db.write(in_tx)
    except _Undone as undone:
        undone_ids = {r.delivery_id for r in undone.receipts if r.status in _NEW}
        return [Receipt(r.status, None) if r.delivery_id in undone_ids else r for r in undone.receipts]
    raise AssertionError("the transaction was not undone")
