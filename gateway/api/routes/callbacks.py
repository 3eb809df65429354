"""/v1/vendors/{vendor}/callbacks: an LMS wants to be told by itself what becomes of its completions.

Source: contracts/callbacks/README.md.
"""

import orjson
from aiohttp import web
from pydantic import ValidationError

from gateway.api.bearer import authorized
from gateway.api.context import CONTEXT
from gateway.api.models import (
    CallbackAct,
    CallbackAdded,
    CallbackChanged,
    CallbackInDetail,
    Callbacks,
    CallbackWanted,
)
from gateway.api.problems import SIGNATURE_CODES, TOKEN_CODES, UNAVAILABLE_CODES, Refusal
from gateway.api.routes import Route
from gateway.api.signed import signed
from gateway.model.clock import iso
from gateway.model.errors import NotFound
from gateway.queue.callbacks import Callback, Entry
from gateway.stages.callback_acts import CallbackActs


def _acts(request: web.Request) -> CallbackActs:
    acts = request.app[CONTEXT].callbacks
    assert acts is not None  # every process that serves vendors has it
    return acts


def _id(request: web.Request) -> int:
    text = request.match_info["callback_id"]
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise Refusal("not_found", variant="callback")
    return int(text)


async def add(request: web.Request) -> web.Response:
    """Registers a URL; nothing is sent there but a challenge until it is proved."""
    vendor, body = await signed(request, has_body=True)
    try:
        wanted = CallbackWanted.model_validate_json(body)
    except ValidationError:
        raise Refusal("body.not_contract") from None
    id_, secret = await _acts(request).add(vendor, wanted.url, wanted.events)
    return _json({"callback_id": str(id_), "state": "unproved", "secret": secret}, status=201)


async def act(request: web.Request) -> web.Response:
    """Proves, pauses, resumes or removes. The body names the callback: the signature covers no address."""
    vendor, body = await signed(request, has_body=True)
    id_ = _id(request)
    try:
        wanted = CallbackAct.model_validate_json(body)
    except ValidationError:
        raise Refusal("body.not_contract") from None
    if wanted.callback_id != str(id_):
        raise Refusal("callback.mismatch")
    acts = _acts(request)
    try:
        state = await (acts.prove(vendor, id_) if wanted.act == "prove" else acts.act(vendor, id_, wanted.act))
    except NotFound:
        raise Refusal("not_found", variant="callback") from None
    return _json({"callback_id": str(id_), "state": state})


async def list_all(request: web.Request) -> web.Response:
    """All callbacks of the vendor, without secrets."""
    vendor = await authorized(request)
    return _json({"callbacks": [_told(one) for one in await _acts(request).all_of(vendor)]})


async def show(request: web.Request) -> web.Response:
    """One callback and its latest messages with what became of them."""
    vendor = await authorized(request)
    try:
        callback, entries = await _acts(request).one(vendor, _id(request))
    except NotFound:
        raise Refusal("not_found", variant="callback") from None
    return _json({**_told(callback), "messages": [_told_entry(entry) for entry in entries]})


def _told(callback: Callback) -> dict[str, object]:
    told: dict[str, object] = {
        "callback_id": str(callback.id),
        "url": callback.url,
        "events": callback.events,
        "state": callback.state,
    }
    return told if callback.reason is None else {**told, "reason": callback.reason}


def _told_entry(entry: Entry) -> dict[str, object]:
    waits = entry.due_at_ms is not None
    told: dict[str, object] = {
        "seq": str(entry.seq),
        "event": entry.event,
        "delivery_id": str(entry.delivery_id),
        "at": iso(entry.at_ms),
        "status": "told" if entry.told_at_ms is not None else "waiting" if waits else "given_up",
        "tries": entry.tries,
    }
    moments = {"told_at": entry.told_at_ms, "next_try_at": entry.due_at_ms if entry.tries else None}
    told |= {name: iso(at_ms) for name, at_ms in moments.items() if at_ms is not None}
    rest = {"http_status": entry.http_status, "error": entry.error}
    return told | {name: value for name, value in rest.items() if value is not None}


def _json(told: dict[str, object], *, status: int = 200) -> web.Response:
    return web.Response(
        body=orjson.dumps(told),
        status=status,
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


_VENDOR = {"vendor": "The vendor's name as it was registered."}
_CALLBACK = {**_VENDOR, "callback_id": "The id that the registration answered."}
_SIGNED = (
    "request.refused", *SIGNATURE_CODES, "body.too_slow", "body.too_large", "media_type.unsupported",
    "encoding.unsupported", "body.not_contract", "callback.url_refused", "internal.error", *UNAVAILABLE_CODES,
)  # fmt: skip
_READ = ("request.refused", *TOKEN_CODES, "internal.error", *UNAVAILABLE_CODES)

ROUTES = (
    Route(
        "POST",
        "/v1/vendors/{vendor}/callbacks",
        add,
        name="addCallback",
        summary="Register a URL to be told what becomes of completions; its secret is answered this once.",
        answers={201: ("Registered; to be proved before anything is sent there.", CallbackAdded)},
        problems=(*_SIGNED, "callback.too_many"),
        parameters=_VENDOR,
        body=CallbackWanted.model_json_schema(),
        is_signed=True,
    ),
    Route(
        "POST",
        "/v1/vendors/{vendor}/callbacks/{callback_id}",
        act,
        name="changeCallback",
        summary="Prove, pause, resume or remove a callback.",
        answers={200: ("Done; or it was so already.", CallbackChanged)},
        problems=(
            *_SIGNED, "not_found", "callback.mismatch", "callback.state", "callback.unreachable",
            "callback.unproved",
        ),
        parameters=_CALLBACK,
        body=CallbackAct.model_json_schema(),
        is_signed=True,
    ),
    Route(
        "GET",
        "/v1/vendors/{vendor}/callbacks",
        list_all,
        name="listCallbacks",
        summary="All callbacks of the vendor and their states.",
        answers={200: ("Removed ones are left out.", Callbacks)},
        problems=_READ,
        parameters=_VENDOR,
        needs_token=True,
    ),
    Route(
        "GET",
        "/v1/vendors/{vendor}/callbacks/{callback_id}",
        show,
        name="showCallback",
        summary="A callback with its latest 100 messages and what became of each.",
        answers={200: ("Newest first.", CallbackInDetail)},
        problems=(*_READ, "not_found"),
        parameters=_CALLBACK,
        needs_token=True,
    ),
)  # fmt: skip
