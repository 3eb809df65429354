"""/v1/vendors/{vendor}/accounts/{lms_user_id}: an LMS saved a profile, so its account is linked to the person.

Only what the sector database verifies is linked. Source: contracts/gateway/README.md.
"""

import orjson
from aiohttp import web
from pydantic import ValidationError

from gateway.api.context import CONTEXT
from gateway.api.edge import FACTS
from gateway.api.identity_asked import Saved
from gateway.api.identity_told import told_identity
from gateway.api.languages import preferred
from gateway.api.models import AccountLink
from gateway.api.problems import SIGNATURE_CODES, UNAVAILABLE_CODES, Refusal
from gateway.api.routes import Route
from gateway.api.signed import signed
from gateway.model.errors import Refused


async def confirm(request: web.Request) -> web.Response:
    """Verifies live, then links; held completions of the account are judged again with this identifier."""
    context = request.app[CONTEXT]
    vendor, body = await signed(request, has_body=True)
    try:
        saved = Saved.model_validate_json(body)
    except ValidationError:
        raise Refusal("body.not_contract") from None
    lms_user_id = saved.lms_user_id
    if lms_user_id != request.match_info["lms_user_id"]:  # the signature does not cover the address
        raise Refusal("account.mismatch")
    claim = saved.to_claim(lms_user_id)
    if context.checking is None or context.links is None:
        raise Refusal("registry.silent", headers={"Retry-After": "30"})
    [checked] = await context.checking.check(vendor.id, vendor.name, [claim])
    if checked is None:
        raise Refusal("registry.silent", headers={"Retry-After": "5"})
    reason = checked.verdict.reason
    request[FACTS]["reason"] = reason or "verified"
    if reason == "account.identifier_changed":
        raise Refusal("account.identifier_changed")
    if checked.person is None or claim.identifier is None or reason is not None:
        lang = preferred(request.headers.get("Accept-Language"), context.lang)
        told = told_identity(claim, checked, vendor.connector, lang)
        raise Refusal("identity.not_verified", fields={"identity": told})
    try:
        linked = await context.links.confirm(
            vendor.id, vendor.name, lms_user_id, claim.identifier, checked.person.id
        )
    except Refused as refused:
        raise Refusal(refused.code) from None
    request[FACTS]["woken"] = linked.woken
    answer = {"lms_user_id": lms_user_id, "version": linked.version, "woken": linked.woken}
    return web.Response(
        body=orjson.dumps(answer), status=201 if linked.is_new else 200, content_type="application/json"
    )


ROUTES = (
    Route(
        "PUT",
        "/v1/vendors/{vendor}/accounts/{lms_user_id}",
        confirm,
        name="confirmAccount",
        summary="The profile was saved: link the account. Its held results are judged again at once.",
        answers={
            200: ("It was linked so already.", AccountLink),
            201: ("Linked; in force from now on.", AccountLink),
        },
        problems=(
            "request.refused", *SIGNATURE_CODES,
            "body.too_slow", "account.identifier_changed", "body.too_large", "media_type.unsupported",
            "encoding.unsupported", "body.not_contract", "account.mismatch", "identity.not_verified",
            "internal.error",
            *UNAVAILABLE_CODES,
        ),
        parameters={
            "vendor": "The vendor's name as it was registered.",
            "lms_user_id": "The LMS's id of the account, percent-encoded; as it stands in completions.",
        },
        body=Saved.model_json_schema(),
        is_signed=True,
    ),
)  # fmt: skip
