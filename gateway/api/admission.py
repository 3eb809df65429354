"""Whether a source that is who it says may send today, from there, and so often. A refusal stores nothing.

Asked after the signature or token: a stranger learns nothing of a source and uses up none of its limit.
"""

from aiohttp import web

from gateway.api.context import CONTEXT, Context
from gateway.api.problems import Refusal
from gateway.model.clock import day_number
from gateway.queue.quota import Standing
from gateway.queue.terms import within
from gateway.queue.vendors import Vendor

STANDING: web.RequestKey[Standing] = web.RequestKey("standing", Standing)


def admit(request: web.Request, vendor: Vendor) -> None:
    """Raises: Refusal `source.*` (403) or `rate.exceeded` (429)."""
    context = request.app[CONTEXT]
    terms = vendor.terms
    now_ms = context.clock.now_ms()
    if terms.valid_from is not None or terms.valid_to is not None:
        day = day_number(now_ms)
        if terms.has_ended(day):
            raise Refusal("source.ended")
        if not terms.has_begun(day):
            raise Refusal("source.not_begun")
    if terms.addresses and not terms.may_come_from(client_address(request, context)):
        raise Refusal("source.address")
    if terms.cert_sha256 and client_certificate(request, context) != terms.cert_sha256:
        raise Refusal("source.certificate")
    if terms.per_min:
        standing = request[STANDING] = context.quota.take(vendor.id, terms.per_min, now_ms)
        if standing.wait_s:
            raise Refusal("rate.exceeded", headers={"Retry-After": str(standing.wait_s)})


def client_address(request: web.Request, context: Context) -> str | None:
    """Who connected; behind proxies of ours the nearest address that is none of them."""
    address = request.remote
    if not context.trusted_proxies:
        return address
    forwarded = [part.strip() for part in ",".join(request.headers.getall("X-Forwarded-For", [])).split(",")]
    while forwarded and within(address, context.trusted_proxies):
        address = forwarded.pop()
    return address


def client_certificate(request: web.Request, context: Context) -> str | None:
    """The SHA-256 of the client certificate as a proxy of ours states it; nobody else is believed."""
    if not context.client_cert_header or not within(request.remote, context.trusted_proxies):
        return None
    stated = request.headers.getall(context.client_cert_header, [])
    return stated[0].replace(":", "").strip().lower() if len(stated) == 1 else None
