"""/v1/vendors/{vendor}/tokens: a signed request opens a short-lived token for reading.

Source: decisions record 0030.
"""

import orjson
from aiohttp import web
from pydantic import ValidationError

from gateway.api.bearer import READ_S
from gateway.api.context import CONTEXT
from gateway.api.models import Token, TokenRequest
from gateway.api.problems import SIGNATURE_CODES, UNAVAILABLE_CODES, Refusal
from gateway.api.routes import Route
from gateway.api.signed import signed
from gateway.model.clock import http_date


async def open_token(request: web.Request) -> web.Response:
    """A token for what the signed body names."""
    context = request.app[CONTEXT]
    vendor, body = await signed(request, has_body=True)
    try:
        wanted = TokenRequest.model_validate_json(body)
    except ValidationError:
        raise Refusal("body.not_contract") from None
    expires_at_s = context.clock.now_ms() // 1000 + READ_S
    answer = {
        "token": context.tokens.issue(vendor.id, wanted.purpose, expires_at_s),
        "expires_at": http_date(expires_at_s * 1000),
    }
    return web.Response(
        body=orjson.dumps(answer),
        status=201,
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


ROUTES = (
    Route(
        "POST",
        "/v1/vendors/{vendor}/tokens",
        open_token,
        name="openToken",
        summary="Get a token for following one's completions; it ends after 15 minutes.",
        answers={201: ("To be sent as `Authorization: Bearer …`.", Token)},
        problems=(
            "request.refused", *SIGNATURE_CODES, "body.too_slow", "body.too_large", "media_type.unsupported",
            "encoding.unsupported", "body.not_contract", "internal.error", *UNAVAILABLE_CODES,
        ),
        parameters={"vendor": "The vendor's name as it was registered."},
        body=TokenRequest.model_json_schema(),
        is_signed=True,
    ),
)  # fmt: skip
