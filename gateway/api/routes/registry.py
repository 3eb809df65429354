"""/v1/registry/changes: the sector database tells of changed files by itself, beside the feed that we read.

Source: contracts/registry/README.md (ASSUMED).
"""

import orjson
from aiohttp import web

from gateway.api.context import CONTEXT
from gateway.api.edge import FACTS
from gateway.api.models import ChangesTaken
from gateway.api.problems import MESSAGE_CODES, UNAVAILABLE_CODES, Refusal
from gateway.api.routes import Route
from gateway.api.signed import signed_by_registry
from gateway.identity.registry import read_notice


async def take_changes(request: web.Request) -> web.Response:
    """Wakes who waits for these people. Sent twice it does no harm, so a message that fails is sent again."""
    context = request.app[CONTEXT]
    body = await signed_by_registry(request)
    try:
        changes = read_notice(body)
    except ValueError:
        raise Refusal("body.not_contract") from None
    if context.changes is None:
        raise Refusal("storage.unavailable", headers={"Retry-After": "30"})
    taken = await context.changes.take(changes)
    request[FACTS].update({"changes": len(changes), "known": len(taken.known), "woken": taken.woken})
    return web.Response(
        body=orjson.dumps({"changes": len(changes)}), status=202, content_type="application/json"
    )


ROUTES = (
    Route(
        "POST",
        "/v1/registry/changes",
        take_changes,
        name="tellRegistryChanges",
        summary="For the sector database: files have changed. 202 means that all who wait for them are due.",
        answers={202: ("Stored.", ChangesTaken)},
        problems=(
            "request.refused",
            *MESSAGE_CODES,
            "body.too_slow", "body.too_large", "media_type.unsupported", "encoding.unsupported",
            "body.not_contract", "internal.error",
            *UNAVAILABLE_CODES,
        ),
        body={
            "type": "object",
            "description": "`{\"changes\": […]}` in the form of the change feed: contracts/registry/README.md.",
        },
        is_signed=True,
    ),
)  # fmt: skip
