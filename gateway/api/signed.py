"""A signed request -> the vendor who sent it and the body, byte for byte.

Nothing is parsed before the signature is checked.
"""

import asyncio

from aiohttp import web

from gateway.api.admission import admit
from gateway.api.context import CONTEXT, Context
from gateway.api.edge import FACTS
from gateway.api.problems import Refusal
from gateway.model.errors import SignatureRefused
from gateway.queue.vendors import Vendor
from gateway.security.signatures import ID, new_secret, verify

# An unknown vendor, and one without a live secret, is checked against a secret that nobody has. The answer is
# that to a wrong secret, so nobody learns which vendors exist.
_NOBODYS = (new_secret(),)


async def signed(request: web.Request, *, has_body: bool) -> tuple[Vendor, bytes]:
    """Raises: Refusal for what the request is not; SignatureRefused; the storage's errors."""
    context = request.app[CONTEXT]
    body = await _take(request, context, has_body=has_body)
    vendor = await context.vendors.find(request.match_info["vendor"])
    facts = request[FACTS]
    if vendor is not None:
        facts["vendor"] = vendor.name
    live = vendor.live if vendor is not None and vendor.live else _NOBODYS
    expired = vendor.expired if vendor is not None else ()
    now_ms = context.clock.now_ms()
    which = verify(live, request.headers, body, now_ms // 1000, expired_secrets=expired)
    if vendor is None:  # cannot be: nobody has that secret
        raise SignatureRefused("signature.no_match", "the vendor is unknown")
    context.uses.note(vendor.live_ids[which], now_ms)
    admit(request, vendor)
    _note(request, body)
    return vendor, body


async def signed_by_registry(request: web.Request) -> bytes:
    """The body of what the sector database sends by itself. Raises: as `signed`."""
    context = request.app[CONTEXT]
    body = await _take(request, context, has_body=True)
    secrets = (context.registry_secret,) if context.registry_secret else _NOBODYS
    verify(secrets, request.headers, body, context.clock.now_ms() // 1000)
    _note(request, body)
    return body


async def _take(request: web.Request, context: Context, *, has_body: bool) -> bytes:
    if context.drain.has_begun:
        raise Refusal("draining", headers={"Retry-After": "5"})
    if has_body:
        _check_type(request)
    body = await read_body(request, context)
    if body and not has_body:
        raise Refusal("body.not_wanted")
    return body


def _note(request: web.Request, body: bytes) -> None:
    request[FACTS]["message"] = request.headers[ID]
    request[FACTS]["bytes"] = len(body)


def _check_type(request: web.Request) -> None:
    sent = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if sent != "application/json":
        raise Refusal("media_type.unsupported", headers={"Accept": "application/json"})
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise Refusal("encoding.unsupported", headers={"Accept-Encoding": "identity"})


async def read_body(request: web.Request, context: Context) -> bytes:
    """At most `max_body_bytes`, within the patience for slow senders. Raises: Refusal."""
    limit = context.max_body_bytes
    if (request.content_length or 0) > limit:
        raise too_large(limit)
    try:
        if request.content.is_eof():  # all of it came with the headers, as it mostly does
            return await request.read()
        async with asyncio.timeout(context.patience_s):
            return await request.read()
    except TimeoutError:
        raise Refusal("body.too_slow") from None
    except web.HTTPRequestEntityTooLarge:
        raise too_large(limit) from None


def too_large(limit: int) -> Refusal:
    return Refusal("body.too_large", fill={"max_bytes": limit})
