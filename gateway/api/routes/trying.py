"""/v1/vendors/{vendor}/completions:check and /preflight: what would become of it, with nothing stored.

Source: contracts/gateway/README.md, "Trying out".
"""

import orjson
from aiohttp import web
from pydantic import ValidationError

from gateway.api.class_list import ClassList, schema
from gateway.api.context import CONTEXT
from gateway.api.edge import FACTS
from gateway.api.identity_asked import Asked, read_question
from gateway.api.identity_told import told_invalid
from gateway.api.languages import preferred
from gateway.api.models import ForeseenClass, Receipts
from gateway.api.problems import SIGNATURE_CODES, UNAVAILABLE_CODES, Refusal
from gateway.api.receipts import told_receipt
from gateway.api.routes import Route
from gateway.api.signed import signed
from gateway.identity.vendor_view import vendor_view
from gateway.identity.vendor_words import told
from gateway.model.reasons import explain
from gateway.model.texts import Lang
from gateway.model.verdict import Effect
from gateway.stages.checking import Checked
from gateway.stages.dry_run import DryRun
from gateway.stages.preflight import Foreseen, Preflight

JSON = "application/json"


async def check(request: web.Request) -> web.Response:
    """The receipts that these completions would get now."""
    context = request.app[CONTEXT]
    vendor, body = await signed(request, has_body=True)
    dry_run = DryRun(context.receive, context.db, context.clock, max_items=context.max_items)
    receipts = await dry_run.check(vendor, body)
    lang = preferred(request.headers.get("Accept-Language"), context.lang)
    answer = [told_receipt(receipt, lang, context.max_items) for receipt in receipts]
    return web.Response(
        body=orjson.dumps({"receipts": answer}), content_type=JSON, headers={"Content-Language": lang}
    )


async def preflight(request: web.Request) -> web.Response:
    """For each learner of a class: will be credited, or why not, in words that a vendor may know."""
    context = request.app[CONTEXT]
    vendor, body = await signed(request, has_body=True)
    try:
        listed = ClassList.model_validate_json(body)
    except ValidationError:
        raise Refusal("body.not_contract") from None
    asked = [read_question(one) for one in listed.learners]
    claims = [one.claim for one in asked if one.claim is not None]
    foreseen = await Preflight(context.db, context.clock, context.checking).ask(
        vendor, listed.course.to_course(), claims, listed.ends_on
    )
    lang = preferred(request.headers.get("Accept-Language"), context.lang)
    checked = iter(foreseen.learners)
    learners = [
        _told(one, next(checked) if one.claim else None, foreseen, vendor.connector, lang) for one in asked
    ]
    request[FACTS]["learners"] = len(learners)
    course: dict[str, object] = {"reasons": [_reason(code, lang) for code in foreseen.reasons]}
    if foreseen.module is not None:
        course["module"] = foreseen.module.code
    if foreseen.school_year is not None:
        course["school_year"] = foreseen.school_year
    return web.Response(
        body=orjson.dumps({"course": course, "learners": learners}),
        content_type=JSON,
        headers={"Content-Language": lang, "Cache-Control": "no-store"},
    )


def _told(
    asked: Asked, checked: Checked | None, foreseen: Foreseen, connector: str, lang: Lang
) -> dict[str, object]:
    """What holds the person's result first, then what holds every result of the course."""
    if asked.claim is None:
        return {"outcome": "invalid", "errors": told_invalid(asked, lang)["errors"]}
    learner: dict[str, object] = {"lms_user_id": asked.claim.lms_user_id}
    if checked is None:
        return {**learner, "outcome": "pending"}
    view = vendor_view(checked.verdict)
    reasons = []
    for finding in view.findings:
        if finding.effect is Effect.HOLDS:
            message, remedy = told(connector, finding.code, view, lang)
            reasons.append({"code": finding.code, "message": message, "remedy": remedy})
    reasons += [_reason(code, lang) for code in foreseen.reasons]
    if reasons:
        return {**learner, "outcome": "will_be_held", "reasons": reasons}
    return {**learner, "outcome": "will_be_credited"}


def _reason(code: str, lang: Lang) -> dict[str, str]:
    message, remedy = explain(code, lang)
    return {"code": code, "message": message, "remedy": remedy}


_VENDOR = {"vendor": "The vendor's name as it was registered."}
_ITEM = {"type": "object", "description": "One completion in the vendor's own form: contracts/vendors/."}
_COMMON = (
    "request.refused", *SIGNATURE_CODES, "body.too_slow", "body.too_large", "media_type.unsupported",
    "encoding.unsupported", "internal.error", *UNAVAILABLE_CODES,
)  # fmt: skip

ROUTES = (
    Route(
        "POST",
        "/v1/vendors/{vendor}/completions:check",
        check,
        name="checkCompletions",
        summary="The receipts that completions would get now. Nothing is stored.",
        answers={200: ("A receipt per item, in order; what would be new names no delivery.", Receipts)},
        problems=(
            "body.empty", "body.not_utf8", "body.not_json", "body.too_many_items", "body.not_items",
            "body.no_items", *_COMMON,
        ),
        parameters=_VENDOR,
        body={"oneOf": [_ITEM, {"type": "array", "items": _ITEM, "minItems": 1, "maxItems": 500}]},
        is_signed=True,
    ),
    Route(
        "POST",
        "/v1/vendors/{vendor}/preflight",
        preflight,
        name="preflightClass",
        summary="Before a course ends: which learners of a class will be credited, and why others will not.",
        answers={200: ("An outcome per learner, in order. Nothing is stored or linked.", ForeseenClass)},
        problems=("body.not_contract", *_COMMON),
        parameters=_VENDOR,
        body=schema(),
        is_signed=True,
    ),
)  # fmt: skip
