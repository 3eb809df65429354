"""A view model and a template -> HTML; or the view model alone -> JSON."""

import dataclasses
from collections.abc import Awaitable, Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any, cast

import orjson
import segno
from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from gateway.console import charts, formats
from gateway.console.assets import ASSETS
from gateway.console.navigation import links
from gateway.console.page import Said, Visit
from gateway.console.words import WORDS
from gateway.model.discovery import discover
from gateway.model.reasons import REASONS, STATES, explain
from gateway.model.roles import ROLES, RoleName
from gateway.model.texts import LANGS

FOLDER = Path(__file__).parent / "templates"
Banner = Callable[[Visit], Awaitable[Sequence[Said]]]


@cache
def environment() -> Environment:
    """Everything is escaped, and a name that nobody gave is an error instead of a gap."""
    made = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals |= {"asset": ASSETS.address, "LANGS": LANGS, "charts": charts, "qr": _qr}
    return made


async def page(visit: Visit, template: str, view: object, *, status: int = 200) -> web.Response:
    """The page, whole. Notices of the visit and all banners stand at its top."""
    words = {
        name: partial(getattr(formats, name), lang=visit.lang) for name in ("number", "day", "moment", "span")
    }
    text = (
        environment()
        .get_template(template)
        .render(
            view=view,
            visit=visit,
            t=visit.t,
            has_text=WORDS.has,
            lang=visit.lang,
            links=links(visit),
            banners=[(one.kind, visit.t(one.key, **one.fill)) for one in await _banners(visit)],
            said=[(one.kind, visit.t(one.key, **one.fill)) for one in visit.said],
            role=ROLES[RoleName(visit.user.role)].model_dump()[visit.lang] if visit.signed else "",
            percent=partial(formats.percent, lang=visit.lang),
            reason=lambda code, **detail: explain(code, visit.lang, **detail),
            state_name=lambda state: STATES[state][visit.lang],
            severity=lambda code: REASONS[code].severity.value,
            **words,
        )
    )
    return web.Response(text=text, status=status, content_type="text/html", charset="utf-8")


def json(view: object, *, status: int = 200) -> web.Response:
    """The JSON twin of a page."""
    return web.Response(
        body=orjson.dumps(view, option=orjson.OPT_NON_STR_KEYS, default=_plain),
        status=status,
        content_type="application/json",
    )


def _plain(value: object) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, frozenset | set):
        return sorted(value)
    if isinstance(value, tuple):
        return list(value)
    raise TypeError(type(value).__name__)


async def _banners(visit: Visit) -> list[Said]:
    if visit.signed is None or not visit.signed.is_in:
        return []
    found = cast("dict[str, Banner]", _found_banners())
    return [said for banner in found.values() for said in await banner(visit)]


@cache
def _found_banners() -> dict[str, object]:
    return discover("gateway.console.banners", "BANNER")


def _qr(text: str) -> Markup:
    """A QR code as inline SVG, without a style of its own."""
    drawn = segno.make(text, error="m").svg_inline(
        scale=5, border=2, svgclass="qr", lineclass=None, omitsize=True
    )
    return Markup(drawn)  # noqa: S704 - drawn by us from squares; the text itself is not in it
