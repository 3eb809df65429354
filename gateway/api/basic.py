"""A request with Basic authentication -> the source whose name and secret it carries (RFC 7617)."""

import base64
import binascii
import hmac

from aiohttp import web

from gateway.api.admission import admit
from gateway.api.context import CONTEXT
from gateway.api.edge import FACTS
from gateway.api.problems import Refusal
from gateway.queue.vendors import Vendor

REALM = {"WWW-Authenticate": 'Basic realm="xAPI", charset="UTF-8"'}


async def authenticated(request: web.Request, connector: str) -> Vendor:
    """The source, which must be one of this connector. Raises: Refusal; a wrong name is a wrong secret."""
    context = request.app[CONTEXT]
    if context.drain.has_begun:
        raise Refusal("draining", headers={"Retry-After": "5"})
    name, secret = _pair(request.headers.get("Authorization"))
    vendor = await context.vendors.find(name)
    live = vendor.live if vendor is not None and vendor.connector == connector else ()
    # Each is compared, in constant time: how long it takes says nothing.
    fits = [hmac.compare_digest(secret.encode(), one.encode()) for one in live]
    if vendor is None or True not in fits:
        raise Refusal("credentials.refused", headers=REALM)
    request[FACTS]["vendor"] = vendor.name
    context.uses.note(vendor.live_ids[fits.index(True)], context.clock.now_ms())
    admit(request, vendor)
    return vendor


def _pair(header: str | None) -> tuple[str, str]:
    scheme, _, given = (header or "").strip().partition(" ")
    if scheme.lower() != "basic" or not given.strip():
        raise Refusal("credentials.missing", headers=REALM)
    try:
        name, colon, secret = base64.b64decode(given.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise Refusal("credentials.refused", headers=REALM) from None
    if not colon:
        raise Refusal("credentials.refused", headers=REALM)
    return name, secret
