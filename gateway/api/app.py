"""Context and routes -> the aiohttp application."""

from collections.abc import Sequence

from aiohttp import web

from gateway.api.context import CONTEXT, Context
from gateway.api.edge import edge
from gateway.api.media import is_stream
from gateway.api.routes import Route, discover


def make_app(context: Context, *, probes_only: bool = False) -> web.Application:
    """Serves every route found; with `probes_only` just health and metrics, for a worker without vendors."""
    routes = [route for route in discover() if route.is_probe or not probes_only]
    return serve_routes(context, routes)


def serve_routes(context: Context, routes: Sequence[Route]) -> web.Application:
    """An application of just these routes."""
    app = web.Application(middlewares=[edge], client_max_size=context.max_body_bytes)
    app[CONTEXT] = context
    for route in routes:
        if route.method == "GET":
            app.router.add_get(route.path, route.handler)  # and HEAD
        else:
            app.router.add_route(route.method, route.path, route.handler, expect_handler=_expect)
    return app


async def _expect(request: web.Request) -> None:
    """`Expect: 100-continue` is told to go on unless the body is too large; the route then answers 413.

    A stream may be of any size.

    Other expectations are ignored (RFC 9110, section 10.1.1), so that no answer bypasses the edge.
    """
    is_asked = request.headers.get("Expect", "").lower() == "100-continue"
    fits = (request.content_length or 0) <= request.app[CONTEXT].max_body_bytes
    if is_asked and (fits or is_stream(request)):
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # the answer itself has not begun
