"""Which kind of body a request says it has."""

from aiohttp import web

NDJSON = frozenset({"application/x-ndjson", "application/ndjson"})


def media_type(request: web.Request) -> str:
    """Without parameters, in lower case."""
    return request.headers.get("Content-Type", "").partition(";")[0].strip().lower()


def is_stream(request: web.Request) -> bool:
    """Whether the body is lines without an end of their number."""
    return media_type(request) in NDJSON
