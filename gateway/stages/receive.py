"""vendor bytes -> slices -> completions -> one durable commit -> a receipt for each item.

One bad item never spoils a batch, and nothing authenticated is dropped: what is not taken is kept sealed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import orjson
import structlog

from gateway.connectors import Connector, Unsupported
from gateway.connectors.slicing import Slice, slice_body
from gateway.model.course_number import course_number
from gateway.model.errors import FieldError, PayloadInvalid
from gateway.queue import payloads
from gateway.queue.accept import Acceptor
from gateway.queue.delivery import Arrival, Receipt, ReceiptStatus, SetAside
from gateway.queue.vendors import Vendor
from gateway.security.digests import content_digest
from gateway.security.vault import Vault, aad
from gateway.storage.engine import Tx

log = structlog.get_logger(__name__)

YIELD_ITEMS = 50  # about 5 ms of normalizing and sealing


class ItemReceipt(msgspec.Struct, frozen=True):
    """What the sender learns of one item: its place in the body is its place in the answer."""

    event_id: str | None
    status: ReceiptStatus
    delivery_id: int | None = None
    errors: tuple[FieldError, ...] = ()


# What is written in the transaction of the items, given their receipts; what it raises undoes them.
AlsoOfItems = Callable[[Tx, Sequence[ItemReceipt]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Prepared:
    """Items ready to be stored: those that are not taken have their receipt already."""

    drafts: Sequence[ItemReceipt | Arrival]
    asides: Sequence[SetAside]


class Receive:
    """The receive stage of one process."""

    def __init__(
        self,
        acceptor: Acceptor,
        connectors: Mapping[str, Connector],
        vault: Vault,
        digest_key: bytes,
        *,
        max_items: int,
    ) -> None:
        self._acceptor = acceptor
        self._connectors = connectors
        self._vault = vault
        self._digest_key = digest_key
        self._max_items = max_items

    async def receive(self, vendor: Vendor, body: bytes) -> list[ItemReceipt]:
        """Takes one authenticated body: an object or an array of items.

        Returns: one receipt per item, in order, all committed.
        Raises: PayloadInvalid when the body as a whole cannot be read (it is in quarantine then);
        Overloaded, StorageBusy when nothing was stored.
        """
        try:
            slices = slice_body(body, max_items=self._max_items)
        except PayloadInvalid as error:
            await self._acceptor.accept([], [self._aside(vendor, "quarantined", None, error.errors, body)])
            raise
        return await self.store(await self.prepare(vendor, slices))

    async def prepare(self, vendor: Vendor, slices: Iterable[Slice]) -> Prepared:
        """Reads and seals items. Returns: one draft per item, in order; nothing is stored yet."""
        connector = self._connectors[vendor.connector]
        drafts: list[ItemReceipt | Arrival] = []
        asides: list[SetAside] = []
        for done, piece in enumerate(slices, 1):
            if done % YIELD_ITEMS == 0:  # other requests are served meanwhile
                await asyncio.sleep(0)
            draft = self._normalize(vendor, connector, piece)
            drafts.append(draft)
            if isinstance(draft, ItemReceipt):
                kind = draft.status.value
                asides.append(self._aside(vendor, kind, draft.event_id, draft.errors, piece.raw))
        return Prepared(drafts, asides)

    async def store(self, prepared: Prepared, also: AlsoOfItems | None = None) -> list[ItemReceipt]:
        """Commits what was prepared, and what `also` writes with it. Returns: one receipt per item, in order.

        Raises: Overloaded, StorageBusy and whatever `also` raises; nothing was stored then.
        """

        async def in_tx(tx: Tx, receipts: Sequence[Receipt]) -> None:
            assert also is not None
            await also(tx, _whole(prepared, receipts))

        arrivals = [draft for draft in prepared.drafts if isinstance(draft, Arrival)]
        receipts = await self._acceptor.accept(arrivals, prepared.asides, in_tx if also is not None else None)
        return _whole(prepared, receipts)

    def _normalize(self, vendor: Vendor, connector: Connector, piece: Slice) -> ItemReceipt | Arrival:
        if piece.item is None or piece.fault is not None:  # with a fault the item serves only for its id
            assert piece.fault is not None
            event_id = connector.peek(piece.item)[0] if piece.item is not None else None
            return ItemReceipt(event_id, ReceiptStatus.INVALID, errors=(piece.fault,))
        try:
            completion = connector.normalize(piece.item)
        except Unsupported as error:
            return ItemReceipt(error.event_id, ReceiptStatus.UNSUPPORTED)
        except PayloadInvalid as error:
            return ItemReceipt(error.event_id, ReceiptStatus.INVALID, errors=tuple(error.errors))
        if completion.vendor != vendor.name:  # one connector may serve several vendors
            completion = completion.replace(vendor=vendor.name)
        return Arrival(
            vendor_id=vendor.id,
            event_id=completion.event_id,
            revision=completion.revision,
            digest=content_digest(self._digest_key, piece.item, connector.volatile),
            lane=vendor.lane,
            body=payloads.seal(self._vault, vendor.id, completion, piece.raw),
            course=course_number(vendor.id, completion.course.course_id),
        )

    def _aside(
        self,
        vendor: Vendor,
        kind: str,
        event_id: str | None,
        faults: tuple[FieldError, ...] | list[FieldError],
        body: bytes,
    ) -> SetAside:
        told = orjson.dumps([[fault.path, fault.code] for fault in faults]).decode()
        sealed = self._vault.seal(body, aad("quarantine", "body", vendor.id))
        return SetAside(vendor.id, kind, event_id, told, sealed)


def _whole(prepared: Prepared, receipts: Sequence[Receipt]) -> list[ItemReceipt]:
    rest = iter(receipts)
    return [_receipt(draft, next(rest)) if isinstance(draft, Arrival) else draft for draft in prepared.drafts]


def _receipt(arrival: Arrival, receipt: Receipt) -> ItemReceipt:
    return ItemReceipt(arrival.event_id, receipt.status, receipt.delivery_id)
