"""An error caught at the edge -> the Refusal it is answered with.

The tree of model/errors.py says what follows from each; whatever is not in it is a fault of ours (500).
"""

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from gateway.api.problems import STATUS, TOKEN_CODES, Refusal
from gateway.model.clock import http_date
from gateway.model.errors import (
    KeyMissing,
    NotFound,
    Overloaded,
    PayloadInvalid,
    Refused,
    SealBroken,
    SignatureRefused,
    StorageBusy,
)

_OURS = (DataError, IntegrityError, ProgrammingError)  # a wrong statement; trying again changes nothing
SOON, LATER = {"Retry-After": "5"}, {"Retry-After": "30"}


def refusal_of(error: Exception, *, now_ms: int, max_items: int) -> Refusal:
    """Never raises, and never quotes the error's own text: that may come from anywhere."""
    match error:
        case Refusal():
            return error
        case SignatureRefused():
            return unauthorized(error, now_ms)
        case PayloadInvalid():  # the body as a whole: items that are invalid have receipts
            return Refusal(error.errors[0].code, fill={"max_items": max_items})
        case NotFound():
            return Refusal("not_found")
        case Refused():
            return Refusal(error.code if error.code in STATUS else "refused")
        case Overloaded():
            return Refusal("overloaded", headers={"Retry-After": str(error.retry_after_s)})
        case StorageBusy():
            return Refusal("storage.busy", headers=SOON)
        case KeyMissing() | SealBroken() | PoolTimeout():
            return Refusal("storage.unavailable", headers=LATER)
        case DBAPIError() if not isinstance(error, _OURS):
            return Refusal("storage.unavailable", headers=LATER)
        case web.HTTPException():
            return _of_server(error)
        case HttpProcessingError():  # a chunked body that is no such thing
            return Refusal("request.refused")
    return Refusal("internal.error")


def unauthorized(error: SignatureRefused, now_ms: int) -> Refusal:
    """Names the fault and tells our time: a wrong clock is the usual cause."""
    return Refusal(
        error.fault,
        variant=error.variant,
        fill=error.fill,
        fields={"server_time": http_date(now_ms)},
        headers={"WWW-Authenticate": "Bearer" if error.fault in TOKEN_CODES else "StandardWebhooks"},
    )


def _of_server(error: web.HTTPException) -> Refusal:
    match error:
        case web.HTTPMethodNotAllowed():
            allow = ", ".join(sorted(error.allowed_methods))
            return Refusal("method.not_allowed", fill={"allow": allow}, headers={"Allow": allow})
        case web.HTTPNotFound():
            return Refusal("route.not_found")
        case web.HTTPRequestEntityTooLarge():
            return Refusal("body.too_large")
        case web.HTTPClientError():
            return Refusal("request.refused", status=error.status)
    return Refusal("internal.error")
