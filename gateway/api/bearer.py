"""A request with a bearer token -> the vendor it belongs to. Source: decisions record 0030."""

from collections.abc import Callable
from typing import TypeVar

from aiohttp import web

from gateway.api.admission import admit
from gateway.api.context import CONTEXT
from gateway.api.edge import FACTS
from gateway.api.problems import Refusal
from gateway.model.errors import SignatureRefused
from gateway.queue.vendors import Vendor
from gateway.security.tokens import bearer

READ = "read"
READ_S = 900

Value = TypeVar("Value")


async def authorized(request: web.Request, purpose: str = READ) -> Vendor:
    """The vendor of the address, whose token for this purpose the request carries.

    Raises: SignatureRefused; an unknown vendor is refused like somebody else's token.
    """
    context = request.app[CONTEXT]
    if context.drain.has_begun:
        raise Refusal("draining", headers={"Retry-After": "5"})
    token = bearer(request.headers.get("Authorization"))
    vendor = await context.vendors.find(request.match_info["vendor"])
    if vendor is None:
        raise SignatureRefused("token.invalid", "the vendor is unknown")
    context.tokens.open(token, vendor.id, purpose, context.clock.now_ms() // 1000)
    request[FACTS]["vendor"] = vendor.name
    admit(request, vendor)
    return vendor


def asked(request: web.Request, name: str, read: Callable[[str], Value]) -> Value | None:
    """A parameter of the query as `read` understands it; None when it is absent or empty.

    `read` raises ValueError or KeyError for a value of the wrong form. Raises: Refusal `query.invalid`.
    """
    value = request.query.get(name)
    if not value:
        return None
    try:
        return read(value)
    except (ValueError, KeyError):
        raise Refusal("query.invalid", fill={"name": name}) from None
