"""/v1/vendors/{vendor}/completions: vendors send completions and take them back."""

import asyncio
from collections import Counter
from collections.abc import Sequence

import orjson
from aiohttp import web

from gateway.api.context import CONTEXT, Context
from gateway.api.edge import FACTS
from gateway.api.languages import preferred
from gateway.api.media import is_stream
from gateway.api.models import NamedEvent, Receipts, StreamLine, Withdrawal
from gateway.api.problems import SIGNATURE_CODES, TOKEN_CODES, UNAVAILABLE_CODES, Refusal
from gateway.api.receipts import told_receipt
from gateway.api.routes import Route
from gateway.api.signed import signed
from gateway.api.streaming import TAKEN, receive_lines
from gateway.connectors.faults import MAX_ID_CHARS
from gateway.model.errors import NotFound
from gateway.queue.acts import withdraw as withdraw_event
from gateway.queue.delivery import ReceiptStatus
from gateway.queue.vendors import Vendor
from gateway.stages.receive import ItemReceipt

JSON = "application/json"


async def receive(request: web.Request) -> web.StreamResponse:
    """One item or a batch -> a receipt for each. 202 is answered after the commit. Lines are a stream."""
    if is_stream(request):
        return await receive_lines(request)
    context = request.app[CONTEXT]
    vendor, body = await signed(request, has_body=True)
    try:
        async with asyncio.timeout(context.patience_s):
            async with context.turns.turn(vendor.id):
                receipts = await context.receive.receive(vendor, body)
    except TimeoutError:  # it may be stored yet; sent again it is a duplicate
        raise Refusal("storage.slow", headers={"Retry-After": "30"}) from None
    _count(request, context, vendor, receipts)
    lang = preferred(request.headers.get("Accept-Language"), context.lang)
    told = [told_receipt(receipt, lang, context.max_items) for receipt in receipts]
    if all(receipt.status is ReceiptStatus.INVALID for receipt in receipts):
        raise Refusal("completions.invalid", fill={"items": len(receipts)}, fields={"receipts": told})
    if len(receipts) == 1 and receipts[0].status is ReceiptStatus.CONFLICT:
        raise Refusal("completion.conflict", fields={"receipts": told})
    return web.Response(
        body=orjson.dumps({"receipts": told}),
        status=202,
        content_type=JSON,
        headers={"Content-Language": lang},
    )


def _count(request: web.Request, context: Context, vendor: Vendor, receipts: Sequence[ItemReceipt]) -> None:
    by_status = Counter([receipt.status.value for receipt in receipts])
    for status, n in by_status.items():
        context.metrics.accepted.labels(vendor.name, status).inc(n)
    if not TAKEN.isdisjoint(by_status):
        context.metrics.last_accepted.labels(vendor.name).set(context.clock.now_ms() / 1000)
    request[FACTS]["receipts"] = by_status


async def withdraw(request: web.Request) -> web.Response:
    """Takes every revision of one event back, in TEMIS too.

    A signature covers neither method nor address, so the signed body names the event and nothing else: no
    request overheard, a withdrawal or any other, withdraws another event.
    """
    context = request.app[CONTEXT]
    if not request.body_exists:
        raise Refusal("body.empty", variant="withdrawal")
    vendor, body = await signed(request, has_body=True)
    event_id = request.match_info["event_id"]
    if len(event_id) > MAX_ID_CHARS or not event_id.isprintable():
        raise NotFound("no event can have such an id")
    _check_named(event_id, body)
    ids = await withdraw_event(context.db, context.clock, vendor.id, event_id)
    request[FACTS]["withdrawn"] = len(ids)
    return web.Response(
        body=orjson.dumps({"event_id": event_id, "withdrawn": [str(id_) for id_ in ids]}), content_type=JSON
    )


def _check_named(event_id: str, body: bytes) -> None:
    try:
        named = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Refusal("body.not_json") from None
    if named != {"event_id": event_id}:
        raise Refusal("withdrawal.mismatch")


_ITEM = {"type": "object", "description": "One completion in the vendor's own form: contracts/vendors/."}
_VENDOR = {"vendor": "The vendor's name as it was registered."}

ROUTES = (
    Route(
        "POST",
        "/v1/vendors/{vendor}/completions",
        receive,
        name="sendCompletions",
        summary="Send one completion or a batch. 202 means stored durably. Lines go under a stream's token.",
        answers={
            202: ("Every item is answered by a receipt, in the order of the items.", Receipts),
            200: ("To lines: receipts that say more than `accepted`, checkpoints, a last line.", StreamLine),
        },
        problems=(
            "body.empty", "body.not_utf8", "body.not_json", "request.refused", *SIGNATURE_CODES,
            "body.too_slow", "completion.conflict", "body.too_large", "body.too_many_items",
            "media_type.unsupported", "encoding.unsupported", "body.not_items", "body.no_items",
            "completions.invalid", "body.not_gzip", "body.too_dense", *TOKEN_CODES, "stream.superseded",
            "internal.error", *UNAVAILABLE_CODES,
        ),
        parameters=_VENDOR,
        body={"oneOf": [_ITEM, {"type": "array", "items": _ITEM, "minItems": 1, "maxItems": 500}]},
        lines=_ITEM,
        is_signed=True,
        needs_token=True,
    ),
    Route(
        "DELETE",
        "/v1/vendors/{vendor}/completions/{event_id}",
        withdraw,
        name="withdrawCompletion",
        summary="Take back every revision of an event; the next best result of the learner returns.",
        answers={200: ("Taken back; also in TEMIS, as soon as it answers.", Withdrawal)},
        problems=(
            "body.empty", "body.not_json", "request.refused", *SIGNATURE_CODES, "not_found", "body.too_slow",
            "body.too_large", "media_type.unsupported", "encoding.unsupported", "withdrawal.mismatch",
            "internal.error", *UNAVAILABLE_CODES,
        ),
        parameters={**_VENDOR, "event_id": "The vendor's event id, percent-encoded."},
        body=NamedEvent.model_json_schema(),
        is_signed=True,
    ),
)  # fmt: skip
