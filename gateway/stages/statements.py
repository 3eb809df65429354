"""xAPI statements -> completions by the way of all others; voids -> withdrawals; a statement back by its id.

A batch is taken as a whole or not at all, as xAPI demands. What a void names may come later: it is remembered.
Source: contracts/vendors/xapi/README.md.
"""

from collections.abc import Sequence
from typing import Any

import orjson

from gateway.connectors.slicing import Slice
from gateway.connectors.xapi import CONNECTOR, voided_by
from gateway.model.clock import Clock, http_date
from gateway.model.errors import NotFound, Refused
from gateway.queue import payloads
from gateway.queue.acts import withdraw
from gateway.queue.delivery import ReceiptStatus
from gateway.queue.vendors import Vendor
from gateway.security.vault import Vault
from gateway.stages.receive import ItemReceipt, Prepared, Receive
from gateway.storage.engine import Database, Tx

FIND = """
SELECT d.id, d.event_id, d.revision, d.received_at_ms, d.state, d.reason FROM deliveries d
WHERE d.vendor_id = :vendor_id AND d.event_id = :event_id AND d.kind = 'completion'
ORDER BY d.revision DESC LIMIT 1"""
REMEMBER = """
INSERT INTO xapi_voids (vendor_id, event_id, at_ms) SELECT :vendor_id, x.event_id, :now FROM {x} WHERE true
ON CONFLICT DO NOTHING"""
VOIDED = """
SELECT v.event_id FROM {x} JOIN xapi_voids v ON v.vendor_id = :vendor_id AND v.event_id = x.event_id"""


class StatementsInvalid(Exception):
    """A batch that holds something that is no statement. Carries a receipt for each item."""

    def __init__(self, receipts: Sequence[ItemReceipt]) -> None:
        super().__init__("a statement is invalid")
        self.receipts = receipts


class Statements:
    """One instance per process."""

    def __init__(self, db: Database, clock: Clock, vault: Vault, receive: Receive) -> None:
        self._db = db
        self._clock = clock
        self._vault = vault
        self._receive = receive

    async def take(self, vendor: Vendor, slices: Sequence[Slice]) -> list[str]:
        """Stores a batch and voids what it voids. Returns: the ids of the statements, in order.

        Raises: StatementsInvalid (what is invalid is kept, nothing else of the batch is);
            Refused `xapi.repeated_id`, `xapi.conflict`; the errors of receiving.
        """
        items = [self._stored(piece) for piece in slices]
        ids = [CONNECTOR.peek(piece.item)[0] for piece in items if piece.item is not None]
        if len(set(ids)) < len(ids):
            raise Refused("an id stands twice in the batch", "xapi.repeated_id")
        prepared = await self._receive.prepare(vendor, items)
        known = [draft for draft in prepared.drafts if isinstance(draft, ItemReceipt)]
        if any(one.status is ReceiptStatus.INVALID for one in known):
            asides = [aside for aside in prepared.asides if aside.kind == ReceiptStatus.INVALID]
            await self._receive.store(Prepared([], asides))
            receipts = [
                draft if isinstance(draft, ItemReceipt) else ItemReceipt(draft.event_id, ReceiptStatus.ACCEPTED)
                for draft in prepared.drafts
            ]
            raise StatementsInvalid(receipts)
        voided = [target for piece in items if piece.item is not None and (target := voided_by(piece.item))]

        async def also(tx: Tx, receipts: Sequence[ItemReceipt]) -> None:
            if any(one.status is ReceiptStatus.CONFLICT for one in receipts):
                raise Refused("an id was received before with other content", "xapi.conflict")
            if voided:
                x = tx.json_rows(("event_id", "text"))
                rows = tx.pack([(target,) for target in sorted(set(voided))])
                await tx.run(REMEMBER.format(x=x), rows=rows, vendor_id=vendor.id, now=self._clock.now_ms())

        receipts = await self._receive.store(prepared, also)
        await self._void(vendor, [*voided, *(one.event_id for one in receipts if one.event_id is not None)])
        return [one.event_id for one in receipts if one.event_id is not None]

    async def _void(self, vendor: Vendor, ids: Sequence[str]) -> None:
        """Withdraws whatever of `ids` is voided and there; after a crash the next sending does it again."""
        async with self._db.read() as tx:
            x = tx.json_rows(("event_id", "text"))
            rows = tx.pack([(id_,) for id_ in sorted(set(ids))])
            found = await tx.rows(VOIDED.format(x=x), rows=rows, vendor_id=vendor.id)
        for row in found:
            try:
                await withdraw(self._db, self._clock, vendor.id, row.event_id)
            except NotFound:  # it has not come yet
                continue

    def _stored(self, piece: Slice) -> Slice:
        """The statement with the time of receipt; what its sender says of that is not believed."""
        if piece.item is None:
            return piece
        return piece._replace(item={**piece.item, "stored": http_date(self._clock.now_ms())})

    async def find(self, vendor: Vendor, statement_id: str, *, voided: bool) -> dict[str, Any] | None:
        """The statement as it was sent, with `id`, `stored`, `timestamp`, `version`; None when there is none.

        One that is voided is found only as such, one that is not only as it is.
        """
        async with self._db.read() as tx:
            found = await tx.rows(FIND, vendor_id=vendor.id, event_id=statement_id)
        if not found or voided is not (found[0].state == "voided" and found[0].reason == "withdrawn"):
            return None
        row = found[0]
        bodies = await payloads.load(self._db, self._vault, [row.id])
        if row.id not in bodies:  # past retention
            return None
        _, raw = payloads.open_body(self._vault, vendor.id, row.event_id, row.revision, bodies[row.id])
        statement: dict[str, Any] = orjson.loads(raw)
        stored = http_date(row.received_at_ms)
        given = {"id": row.event_id, "stored": stored, "version": "1.0.3"}
        return {"timestamp": stored, **statement, **given}
