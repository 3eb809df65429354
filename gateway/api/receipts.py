"""Receipts as JSON (models.Receipt), their texts in the reader's language."""

from gateway.connectors.faults import MAX_ITEMS, TEXTS, fault_text
from gateway.model.errors import FieldError
from gateway.model.texts import Lang
from gateway.stages.receive import ItemReceipt


def told_receipt(receipt: ItemReceipt, lang: Lang, max_items: int = MAX_ITEMS) -> dict[str, object]:
    """The JSON form of a receipt; what is not known is left out."""
    told: dict[str, object] = {}
    if receipt.event_id is not None:
        told["event_id"] = receipt.event_id
    told["status"] = receipt.status.value
    if receipt.delivery_id is not None:
        told["delivery_id"] = str(receipt.delivery_id)
    if receipt.errors:
        told["errors"] = [told_error(error, lang, max_items) for error in receipt.errors]
    return told


def told_error(error: FieldError, lang: Lang, max_items: int = MAX_ITEMS) -> dict[str, str]:
    """One fault of an item."""
    known = error.code in TEXTS
    message = fault_text(error.code, lang, max_items=max_items) if known else error.message
    return {"path": error.path, "code": error.code, "message": message}
