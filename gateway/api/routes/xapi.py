"""/xapi/statements and /xapi/about: what an LMS that speaks xAPI takes for its record store.

Source: contracts/vendors/xapi/README.md; xAPI-Communication.md of adlnet/xAPI-Spec.
"""

import asyncio
import re
from collections.abc import Sequence

import orjson
from aiohttp import web

from gateway.api.basic import authenticated
from gateway.api.context import CONTEXT, Context
from gateway.api.edge import FACTS
from gateway.api.languages import preferred
from gateway.api.models import About, StatementIds
from gateway.api.problems import CREDENTIAL_CODES, UNAVAILABLE_CODES, Refusal
from gateway.api.receipts import told_receipt
from gateway.api.routes import Route
from gateway.api.signed import read_body
from gateway.connectors.slicing import Slice, slice_body
from gateway.connectors.xapi import CONNECTOR
from gateway.model.clock import http_date
from gateway.queue.vendors import Vendor
from gateway.stages.statements import Statements, StatementsInvalid

VERSION = "1.0.3"
HEADER = "X-Experience-API-Version"
_TAKEN = re.compile(r"1\.0(?:\.\d{1,3})?")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


async def post(request: web.Request) -> web.Response:
    """One statement or a batch -> their ids, after the commit."""
    vendor, slices = await _received(request)
    ids = await _take(request, vendor, slices)
    return _json(ids)


async def put(request: web.Request) -> web.Response:
    """One statement under the id of the address."""
    statement_id = _asked_id(request, "statementId")
    vendor, slices = await _received(request)
    [piece] = slices if len(slices) == 1 else [None]
    if piece is None or piece.item is None:
        raise Refusal("xapi.one_statement")
    stated = piece.item.setdefault("id", statement_id)
    if not isinstance(stated, str) or stated.lower() != statement_id:
        raise Refusal("xapi.other_id")
    await _take(request, vendor, slices)
    return web.Response(status=204, headers={HEADER: VERSION})


async def get(request: web.Request) -> web.Response:
    """One statement of this source by its id; queries over many are not answered."""
    context = _checked(request)
    vendor = await authenticated(request, CONNECTOR.name)
    names = [name for name in ("statementId", "voidedStatementId") if name in request.query]
    if len(names) != 1:
        raise Refusal("xapi.no_queries")
    [name] = names
    statement = await _statements(context).find(
        vendor, _asked_id(request, name), voided=name == "voidedStatementId"
    )
    if statement is None:
        raise Refusal("not_found", variant="statement")
    return _json(statement, **{"X-Experience-API-Consistent-Through": http_date(context.clock.now_ms())})


async def about(request: web.Request) -> web.Response:
    """The versions that are spoken here."""
    return _json({"version": [VERSION]})


async def _received(request: web.Request) -> tuple[Vendor, list[Slice]]:
    """The source and its statements. Raises: Refusal; PayloadInvalid for a body that cannot be read."""
    context = _checked(request)
    if "method" in request.query:
        raise Refusal("xapi.alternate_syntax")
    vendor = await authenticated(request, CONNECTOR.name)
    kind = request.content_type.lower()
    if kind.startswith("multipart/"):
        raise Refusal("xapi.attachments")
    if kind != "application/json":
        raise Refusal("media_type.unsupported", headers={"Accept": "application/json"})
    body = await read_body(request, context)
    request[FACTS]["bytes"] = len(body)
    if body.strip() == b"[]":
        return vendor, []
    return vendor, slice_body(body, max_items=context.max_items)


async def _take(request: web.Request, vendor: Vendor, slices: Sequence[Slice]) -> list[str]:
    context = request.app[CONTEXT]
    if not slices:
        return []
    try:
        async with asyncio.timeout(context.patience_s), context.turns.turn(vendor.id):
            ids = await _statements(context).take(vendor, slices)
    except TimeoutError:  # it may be stored yet; sent again it is skipped
        raise Refusal("storage.slow", headers={"Retry-After": "30"}) from None
    except StatementsInvalid as error:
        lang = preferred(request.headers.get("Accept-Language"), context.lang)
        told = [told_receipt(receipt, lang, context.max_items) for receipt in error.receipts]
        raise Refusal("xapi.invalid", fields={"receipts": told}) from None
    request[FACTS]["statements"] = len(ids)
    return ids


def _checked(request: web.Request) -> Context:
    version = request.headers.get(HEADER, "")
    if not _TAKEN.fullmatch(version):
        raise Refusal("xapi.version", headers={HEADER: VERSION})
    return request.app[CONTEXT]


def _asked_id(request: web.Request, name: str) -> str:
    stated = request.query.get(name, "")
    if not _UUID.fullmatch(stated):
        raise Refusal("query.invalid", fill={"name": name})
    return stated.lower()


def _statements(context: Context) -> Statements:
    assert context.statements is not None  # every process that serves sources has it
    return context.statements


def _json(told: object, **headers: str) -> web.Response:
    return web.Response(
        body=orjson.dumps(told),
        content_type="application/json",
        headers={HEADER: VERSION, "Cache-Control": "no-store", **headers},
    )


_STATEMENT = {"type": "object", "description": "One xAPI statement: contracts/vendors/xapi/."}
_WRITE = (
    "body.empty", "body.not_utf8", "body.not_json", "request.refused", *CREDENTIAL_CODES, "body.too_slow",
    "xapi.version", "xapi.alternate_syntax", "xapi.invalid", "xapi.repeated_id", "xapi.conflict",
    "body.too_large", "body.too_many_items", "media_type.unsupported", "xapi.attachments", "body.not_items",
    "internal.error", *UNAVAILABLE_CODES,
)  # fmt: skip
ROUTES = (
    Route(
        "POST",
        "/xapi/statements",
        post,
        name="postStatements",
        summary="Store one statement or a batch; a batch is taken as a whole or not at all.",
        answers={200: ("The ids, in the order of the statements.", StatementIds)},
        problems=_WRITE,
        body={"oneOf": [_STATEMENT, {"type": "array", "items": _STATEMENT, "maxItems": 500}]},
        has_basic=True,
    ),
    Route(
        "PUT",
        "/xapi/statements",
        put,
        name="putStatement",
        summary="Store one statement under an id.",
        answers={204: ("Stored, or it was there already.", None)},
        problems=(*_WRITE, "query.invalid", "xapi.one_statement", "xapi.other_id"),
        query={"statementId": "The id, a UUID; needed here."},
        body=_STATEMENT,
        has_basic=True,
    ),
    Route(
        "GET",
        "/xapi/statements",
        get,
        name="getStatement",
        summary="One statement of the source by its id.",
        answers={200: ("The statement as it was sent.", None)},
        problems=(
            "xapi.version", "xapi.no_queries", "query.invalid", "request.refused", *CREDENTIAL_CODES,
            "not_found", "internal.error", *UNAVAILABLE_CODES,
        ),
        query={"statementId": "One that stands.", "voidedStatementId": "One that was voided."},
        has_basic=True,
    ),
    Route(
        "GET",
        "/xapi/about",
        about,
        name="aboutXapi",
        summary="Which versions of xAPI are spoken here.",
        answers={200: ("They are.", About)},
    ),
)  # fmt: skip
