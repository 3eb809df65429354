"""The language switch: a cookie, so that it holds before sign-in and after sign-out."""

from aiohttp import web

from gateway.console import cookies
from gateway.console.page import HOME, Act, Stage, Visit
from gateway.console.ways import safe_next
from gateway.model.texts import LANGS


async def choose(visit: Visit) -> web.StreamResponse:
    """Keeps the choice and goes back to where the reader was."""
    wanted = await visit.field("lang")
    response = web.Response(status=303, headers={"Location": safe_next(await visit.field("next"))})
    for lang in LANGS:
        if lang == wanted:
            cookies.write_language(response, lang, is_https=visit.parts.is_https)
    return response


PAGES = (Act(HOME + "/language", choose, name="language", stage=Stage.OPEN),)
