"""Pages -> routes: every page and its JSON twin, the static files, and the guard before them."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from gateway.console.assets import ASSETS
from gateway.console.guard import answer, guard
from gateway.console.navigation import pages
from gateway.console.page import HOME, SHELF, Act, Page
from gateway.console.parts import PARTS, Parts

TWIN = HOME + "/api"


def mount(app: web.Application, parts: Parts) -> None:
    """Adds /console and what is below it to `app`."""
    console = web.Application(middlewares=[guard])
    console[PARTS] = parts
    console[SHELF] = {}
    for page in pages():
        below = page.path.removeprefix(HOME)
        add = console.router.add_get if isinstance(page, Page) else console.router.add_post  # GET has HEAD too
        add(below, _serve(page, is_twin=False))
        add("/api" + below, _serve(page, is_twin=True))
    console.router.add_get("/static/{version}/{name}", ASSETS.serve)
    app.add_subapp(HOME, console)


def _serve(page: Page | Act, *, is_twin: bool) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def serve(request: web.Request) -> web.StreamResponse:
        return await answer(request, page, is_twin=is_twin)

    return serve
