"""Was this form sent from a page of ours? Token of the session, and what the browser says of where it was."""

import hmac
from urllib.parse import urlsplit

from aiohttp import web

from gateway.console.cookies import csrf_of

HEADER = "X-CSRF-Token"
FIELD = "csrf"
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


async def forgery(request: web.Request, token: str, address: str | None) -> str | None:
    """Why an unsafe request is refused: `origin` or `token`; None when it is ours.

    `address` is where people open the console; without it, the Host header.
    """
    if not _is_from_here(request, address):
        return "origin"
    given = request.headers.get(HEADER, "")
    if not given and request.content_type in _FORMS:
        value = (await request.post()).get(FIELD, "")
        given = value if isinstance(value, str) else ""
    return None if hmac.compare_digest(given.encode(), csrf_of(token).encode()) else "token"


def _is_from_here(request: web.Request, address: str | None) -> bool:
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = request.headers.get("Origin")
    if origin is None or origin == "null":  # forms of our own pages say `null`: their policy is no-referrer
        return True  # the token decides
    ours = urlsplit(address).netloc if address else request.host
    return urlsplit(origin).netloc == ours and (
        not address or origin.startswith(urlsplit(address).scheme + ":")
    )
