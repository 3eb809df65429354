"""/v1/status: how TEMIS and the sector database stand. For everybody: nothing that only operators know."""

import orjson
from aiohttp import web
from pydantic import Field

from gateway.api.context import CONTEXT
from gateway.api.edge import FACTS
from gateway.api.models import Answer
from gateway.api.routes import Route
from gateway.model.clock import SECOND_MS, iso
from gateway.model.texts import LANGS
from gateway.stages.status import QUIET, Component


class BothLanguages(Answer):
    """The same in Vietnamese and English."""

    vi: str
    en: str


class MaintenanceWindow(Answer):
    """An announced maintenance, under way or within a day."""

    start: str = Field(alias="from", description="RFC 3339, in Việt Nam's offset.")
    to: str


class SystemStatus(Answer):
    """One outside system."""

    name: str = Field(examples=["temis"])
    title: BothLanguages
    status: str = Field(description="up, degraded, down, refused, paused or maintenance.")
    since: str | None = Field(None, description="Since when; absent while it is up.")
    window: MaintenanceWindow | None = None
    waiting: int = Field(description="Completions that wait for it, as counted within the last seconds.")
    oldest_age_s: int | None = Field(None, description="For how long the oldest of them has been here.")
    message: BothLanguages
    contact: BothLanguages | None = None


class Status(Answer):
    """What is answered: whether all is well, and each system."""

    status: str = Field(description="up when every system is, else degraded; completions are taken either way.")
    at: str
    systems: list[SystemStatus]


async def status(request: web.Request) -> web.Response:
    """The same for all who ask within two seconds; asks no outside system."""
    context = request.app[CONTEXT]
    components = await context.status.components() if context.status is not None else []
    now = context.clock.now_ms()
    is_whole = all(component.state in QUIET for component in components)
    told = {
        "status": "up" if is_whole else "degraded",
        "at": iso(now),
        "systems": [_told(component, now) for component in components],
    }
    request[FACTS]["quiet"] = True
    return web.Response(
        body=orjson.dumps(told), content_type="application/json", headers={"Cache-Control": "no-cache"}
    )


def _told(component: Component, now: int) -> dict[str, object]:
    told: dict[str, object] = {
        "name": component.name,
        "title": {lang: component.title(lang) for lang in LANGS},
        "status": component.state,
        "waiting": component.waiting,
        "message": {lang: component.message(lang) for lang in LANGS},
    }
    if component.since_ms is not None:
        told["since"] = iso(component.since_ms)
    if component.window is not None:
        told["window"] = {"from": iso(component.window.from_ms), "to": iso(component.window.to_ms)}
    if component.oldest_ms is not None:
        told["oldest_age_s"] = max(0, now - component.oldest_ms) // SECOND_MS
    if all(component.contacts.values()):
        told["contact"] = dict(component.contacts)
    return told


ROUTES = (
    Route(
        "GET",
        "/v1/status",
        status,
        name="readStatus",
        summary="How TEMIS and the sector database stand, what waits for them, and whom to ask. For everybody.",
        answers={200: ("As known within the last seconds.", Status)},
        problems=("request.refused", "internal.error", "storage.unavailable"),
    ),
)
