"""/v1/vendors/{vendor}/streams: a signed request opens a stream, new or again; how far it is, and its receipts.

The lines themselves go to …/completions. Source: contracts/gateway/README.md, "Streams"; decisions record 0031.
"""

import orjson
from aiohttp import web
from pydantic import ValidationError

from gateway.api.bearer import asked, authorized
from gateway.api.context import CONTEXT
from gateway.api.edge import FACTS
from gateway.api.languages import preferred
from gateway.api.models import LineReceipts, OpenedStream, StreamRequest, StreamState
from gateway.api.problems import SIGNATURE_CODES, TOKEN_CODES, UNAVAILABLE_CODES, Refusal
from gateway.api.receipts import told_error
from gateway.api.routes import Route
from gateway.api.signed import signed
from gateway.connectors.faults import fault
from gateway.model.clock import iso
from gateway.model.texts import Lang
from gateway.queue.streams import LineReceipt, Stream, find_stream, receipts_after

JSON = "application/json"
PAGE = 1_000
MAX_LINE = 2**62


async def open_stream(request: web.Request) -> web.Response:
    """A token for one body of lines, and the line after which it begins."""
    context = request.app[CONTEXT]
    vendor, body = await signed(request, has_body=True)
    try:
        wanted = StreamRequest.model_validate_json(body)
    except ValidationError:
        raise Refusal("body.not_contract") from None
    if context.streaming is None:
        raise Refusal("route.not_found")
    opened = await context.streaming.open(vendor, wanted.stream)
    stream = opened.stream
    request[FACTS].update(stream_epoch=stream.epoch, stream_line=stream.line)
    answer = {
        "stream": stream.name,
        "token": opened.token,
        "token_expires_in_s": opened.expires_in_s,
        "committed_through_line": stream.line,
    }
    return _json(answer, status=201 if stream.epoch == 1 else 200)


async def state(request: web.Request) -> web.Response:
    """How far the stream is committed just now."""
    stream = await _stream(request)
    return _json(
        {
            "stream": stream.name,
            "committed_through_line": stream.line,
            "opened_at": iso(stream.opened_at_ms),
            "changed_at": iso(stream.changed_at_ms),
        }
    )


async def receipts(request: web.Request) -> web.Response:
    """Receipts of lines that were not plainly accepted, page by page."""
    context = request.app[CONTEXT]
    stream = await _stream(request)
    after = asked(request, "after", _line) or 0
    found = await receipts_after(context.db, stream.id, after, limit=PAGE + 1)
    page, is_more = found[:PAGE], len(found) > PAGE
    lang = preferred(request.headers.get("Accept-Language"), context.lang)
    request[FACTS]["rows"] = len(page)
    answer = {
        "receipts": [_told(one, lang) for one in page],
        "next": page[-1].line if page else after,
        "more": is_more,
    }
    return _json(answer, headers={"Content-Language": lang})


async def _stream(request: web.Request) -> Stream:
    vendor = await authorized(request)
    name = request.match_info["stream"]
    if not name.isprintable():
        raise Refusal("not_found")
    return await find_stream(request.app[CONTEXT].db, vendor.id, name)


def _line(text: str) -> int:
    line = int(text)
    if not 0 <= line <= MAX_LINE:
        raise ValueError
    return line


def _told(one: LineReceipt, lang: Lang) -> dict[str, object]:
    told: dict[str, object] = {"line": one.line}
    if one.event_id is not None:
        told["event_id"] = one.event_id
    told["status"] = one.status
    if one.delivery_id is not None:
        told["delivery_id"] = str(one.delivery_id)
    if one.faults:
        told["errors"] = [told_error(fault(path, code), lang) for path, code in one.faults]
    return told


def _json(answer: dict[str, object], status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(
        body=orjson.dumps(answer),
        status=status,
        content_type=JSON,
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


_VENDOR = {"vendor": "The vendor's name as it was registered."}
_STREAM = {**_VENDOR, "stream": "The stream's id."}
_READING = ("request.refused", "query.invalid", *TOKEN_CODES, "not_found", "internal.error", *UNAVAILABLE_CODES)

ROUTES = (
    Route(
        "POST",
        "/v1/vendors/{vendor}/streams",
        open_stream,
        name="openStream",
        summary="Open a stream, new or again. Older connections of it commit nothing more.",
        answers={
            201: ("A new stream.", OpenedStream),
            200: ("Opened again; go on after the last committed line.", OpenedStream),
        },
        problems=(
            "request.refused", *SIGNATURE_CODES, "body.too_slow", "body.too_large", "media_type.unsupported",
            "encoding.unsupported", "body.not_contract", "internal.error", *UNAVAILABLE_CODES,
        ),
        parameters=_VENDOR,
        body=StreamRequest.model_json_schema(),
        is_signed=True,
    ),
    Route(
        "GET",
        "/v1/vendors/{vendor}/streams/{stream}",
        state,
        name="readStream",
        summary="The last committed line of a stream. It may rise while a connection is open.",
        answers={200: ("How far it is.", StreamState)},
        problems=tuple(code for code in _READING if code != "query.invalid"),
        parameters=_STREAM,
        needs_token=True,
    ),
    Route(
        "GET",
        "/v1/vendors/{vendor}/streams/{stream}/receipts",
        receipts,
        name="readStreamReceipts",
        summary="Receipts of the lines that were not plainly accepted, by line.",
        answers={200: ("Up to 1 000 receipts.", LineReceipts)},
        problems=_READING,
        parameters=_STREAM,
        query={"after": "Only receipts of lines above this one; 0 without it."},
        needs_token=True,
    ),
)  # fmt: skip
