"""/v1/vendors/{vendor}/identities: an LMS verifies its learners' details at the source, before it saves them.

Asking links nothing and stores nothing but what must be asked again. Source: contracts/gateway/README.md.
"""

from collections.abc import Sequence

import orjson
from aiohttp import web

from gateway.api.context import CONTEXT, Context
from gateway.api.edge import FACTS
from gateway.api.identity_asked import Asked, Question, read_question
from gateway.api.identity_told import told_identity, told_invalid
from gateway.api.languages import preferred
from gateway.api.models import Identities
from gateway.api.problems import SIGNATURE_CODES, UNAVAILABLE_CODES, Refusal
from gateway.api.routes import Route
from gateway.api.signed import signed
from gateway.connectors.slicing import slice_body
from gateway.model.completion import Claim
from gateway.model.texts import Lang
from gateway.queue.vendors import Vendor
from gateway.stages.checking import Checked

MAX_CLAIMS = 100
JSON = "application/json"


async def verify(request: web.Request) -> web.Response:
    """One claim or up to 100 -> a verdict for each, asked live; 202 while the sector database is silent."""
    context = request.app[CONTEXT]
    vendor, body = await signed(request, has_body=True)
    slices = slice_body(body, max_items=MAX_CLAIMS)
    asked = [
        read_question(piece.item) if piece.fault is None else Asked(None, (piece.fault,)) for piece in slices
    ]
    claims = [one.claim for one in asked if one.claim is not None]
    checked = await _check(context, vendor, claims)
    lang = preferred(request.headers.get("Accept-Language"), context.lang)
    verdicts = iter(_told(vendor, claims, checked, lang))
    told = [next(verdicts) if one.claim is not None else told_invalid(one, lang) for one in asked]
    check_id = None
    if None in checked and context.identities is not None:
        check_id = await context.identities.keep(vendor.id, claims)
    return _answer(request, told, check_id, lang)


async def query(request: web.Request) -> web.Response:
    """Asks again for what the sector database had not answered."""
    context = request.app[CONTEXT]
    vendor, _ = await signed(request, has_body=False)
    if context.identities is None:
        raise Refusal("not_found")
    check_id = request.match_info["check_id"]
    claims = await context.identities.claims(vendor.id, check_id)
    checked = await _check(context, vendor, claims)
    lang = preferred(request.headers.get("Accept-Language"), context.lang)
    told = _told(vendor, claims, checked, lang)
    return _answer(request, told, check_id if None in checked else None, lang)


async def _check(context: Context, vendor: Vendor, claims: Sequence[Claim]) -> list[Checked | None]:
    if context.checking is None:
        return [None] * len(claims)
    return await context.checking.check(vendor.id, vendor.name, claims)


def _told(
    vendor: Vendor, claims: Sequence[Claim], checked: Sequence[Checked | None], lang: Lang
) -> list[dict[str, object]]:
    return [
        told_identity(claim, one, vendor.connector, lang) for claim, one in zip(claims, checked, strict=True)
    ]


def _answer(
    request: web.Request, told: Sequence[dict[str, object]], check_id: str | None, lang: Lang
) -> web.Response:
    statuses = [str(one["status"]) for one in told]
    request[FACTS]["identities"] = {status: statuses.count(status) for status in sorted(set(statuses))}
    answer: dict[str, object] = {"identities": told}
    headers = {"Content-Language": lang, "Cache-Control": "no-store"}
    if check_id is not None:
        answer["id"] = check_id
        headers["Retry-After"] = "5"
    return web.Response(
        body=orjson.dumps(answer),
        status=200 if check_id is None else 202,
        content_type=JSON,
        headers=headers,
    )


_UNAVAILABLE = tuple(code for code in UNAVAILABLE_CODES if code != "registry.silent")
_VENDOR = {"vendor": "The vendor's name as it was registered."}
_CLAIM = Question.model_json_schema()

ROUTES = (
    Route(
        "POST",
        "/v1/vendors/{vendor}/identities:verify",
        verify,
        name="verifyIdentities",
        summary="Ask the sector database about one learner or up to 100, before their profiles are saved.",
        answers={
            200: ("Every claim has its verdict.", Identities),
            202: ("The sector database has not answered for some: `pending`, ask again by `id`.", Identities),
        },
        problems=(
            "body.empty", "body.not_utf8", "body.not_json", "request.refused", *SIGNATURE_CODES,
            "body.too_slow", "body.too_large", "body.too_many_items", "media_type.unsupported",
            "encoding.unsupported", "body.not_items", "body.no_items", "internal.error", *_UNAVAILABLE,
        ),
        parameters=_VENDOR,
        body={"oneOf": [_CLAIM, {"type": "array", "items": _CLAIM, "minItems": 1, "maxItems": MAX_CLAIMS}]},
        is_signed=True,
    ),
    Route(
        "GET",
        "/v1/vendors/{vendor}/identities/{check_id}",
        query,
        name="queryIdentities",
        summary="Ask again about claims that were pending; for a day.",
        answers={
            200: ("Every claim has its verdict.", Identities),
            202: ("Some are still pending.", Identities),
        },
        problems=(
            "body.not_wanted", "request.refused", *SIGNATURE_CODES, "not_found", "body.too_slow",
            "body.too_large", "internal.error", *_UNAVAILABLE,
        ),
        parameters={**_VENDOR, "check_id": "The `id` of the 202 answer."},
        is_signed=True,
    ),
)  # fmt: skip
