"""Whatever went wrong -> one RFC 9457 problem, in the reader's language, without a value of anybody.

Codes and statuses are the table below, texts are texts/{vi,en}.toml.
Source: RFC 9457; contracts/gateway/README.md.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import orjson
from aiohttp import web

from gateway.connectors.faults import TEXTS as FAULTS
from gateway.connectors.faults import fault_text
from gateway.model.texts import Lang, Texts

URN = "urn:lms-temis-gateway:problem:"
CONTENT_TYPE = "application/problem+json"
TEXTS = Texts.load(Path(__file__).parent / "texts")

STATUS: Final[Mapping[str, int]] = {
    "body.empty": 400,
    "body.not_utf8": 400,
    "body.not_json": 400,
    "body.not_gzip": 400,
    "body.not_wanted": 400,
    "query.invalid": 400,
    "xapi.version": 400,
    "xapi.alternate_syntax": 400,
    "xapi.no_queries": 400,
    "xapi.invalid": 400,
    "xapi.repeated_id": 400,
    "xapi.one_statement": 400,
    "xapi.other_id": 400,
    "request.refused": 400,
    "signature.missing_header": 401,
    "signature.bad_id": 401,
    "signature.bad_timestamp": 401,
    "signature.clock_off": 401,
    "signature.bad_format": 401,
    "signature.unknown_key": 401,
    "signature.expired_key": 401,
    "signature.wrong_recipe": 401,
    "signature.body_changed": 401,
    "signature.no_match": 401,
    "credentials.missing": 401,
    "credentials.refused": 401,
    "token.missing": 401,
    "token.invalid": 401,
    "token.expired": 401,
    "source.ended": 403,
    "source.not_begun": 403,
    "source.address": 403,
    "source.certificate": 403,
    "not_found": 404,
    "route.not_found": 404,
    "method.not_allowed": 405,
    "body.too_slow": 408,
    "completion.conflict": 409,
    "xapi.conflict": 409,
    "account.identifier_changed": 409,
    "callback.state": 409,
    "callback.too_many": 409,
    "refused": 409,
    "stream.superseded": 409,
    "body.too_large": 413,
    "body.too_many_items": 413,
    "body.too_dense": 413,
    "media_type.unsupported": 415,
    "encoding.unsupported": 415,
    "xapi.attachments": 415,
    "body.not_items": 422,
    "body.no_items": 422,
    "body.not_contract": 422,
    "completions.invalid": 422,
    "withdrawal.mismatch": 422,
    "identity.not_verified": 422,
    "account.mismatch": 422,
    "callback.mismatch": 422,
    "callback.unproved": 422,
    "callback.unreachable": 422,
    "callback.url_refused": 422,
    "rate.exceeded": 429,
    "internal.error": 500,
    "overloaded": 503,
    "registry.silent": 503,
    "storage.busy": 503,
    "storage.slow": 503,
    "storage.unavailable": 503,
    "draining": 503,
}

# What a route with a signature, one with a token, and any route that reads or writes may answer with.
# What a source may be refused for once it is known (api/admission.py) comes with either.
MESSAGE_CODES: Final = tuple(code for code in STATUS if code.startswith("signature."))
SOURCE_CODES: Final = tuple(code for code in STATUS if code.startswith(("source.", "rate.")))
SIGNATURE_CODES: Final = (*MESSAGE_CODES, *SOURCE_CODES)
CREDENTIAL_CODES: Final = ("credentials.missing", "credentials.refused", *SOURCE_CODES)
TOKEN_CODES: Final = (*(code for code in STATUS if code.startswith("token.")), *SOURCE_CODES)
UNAVAILABLE_CODES: Final = tuple(code for code, status in STATUS.items() if status == 503)


class Refusal(Exception):
    """A problem on its way to the answer. `variant` picks a more exact detail; `fill` fills the texts.

    `status` other than that of the table is only for refusals of the HTTP server itself.
    """

    def __init__(
        self,
        code: str,
        *,
        variant: str | None = None,
        fill: Mapping[str, object] | None = None,
        fields: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.status = status or STATUS[code]
        self.variant = variant
        self.fill = fill or {}
        self.fields = fields or {}
        self.headers = headers or {}

    def answer(self, lang: Lang, instance: str) -> web.Response:
        """The answer. `instance` is the correlation id of the request."""
        headers = {"Content-Language": lang, "Vary": "Accept-Language", "Cache-Control": "no-store"}
        return web.Response(
            body=orjson.dumps(self.document(lang, instance)),
            status=self.status,
            content_type=CONTENT_TYPE,
            headers={**headers, **self.headers},
        )

    def document(self, lang: Lang, instance: str) -> dict[str, object]:
        """The problem document by itself."""
        return {
            "type": URN + self.code,
            "title": TEXTS.get(f"{self.code}.title", lang, **self.fill),
            "status": self.status,
            "detail": self._detail(lang),
            "instance": instance,
            "code": self.code,
            **self.fields,
        }

    def _detail(self, lang: Lang) -> str:
        for key in (f"{self.code}.{self.variant}", f"{self.code}.detail"):
            if TEXTS.has(key):
                return TEXTS.get(key, lang, **self.fill)
        return fault_text(self.code, lang, **self.fill) if self.code in FAULTS else ""
