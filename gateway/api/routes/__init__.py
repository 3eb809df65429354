"""The routes, one file per resource: a module that defines ROUTES is found, served and documented.

What stands beside a handler here is what openapi.json says of it.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from aiohttp import web
from pydantic import BaseModel

from gateway.model.discovery import discover as find

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Route:
    """One operation: how it is reached, what it answers, which problems it may answer with."""

    method: str
    path: str
    handler: Handler
    name: str  # operationId
    summary: str
    answers: Mapping[int, tuple[str, type[BaseModel] | None]]  # status -> meaning, model; None: no JSON
    problems: Sequence[str] = ()  # codes of problems.STATUS
    parameters: Mapping[str, str] = field(default_factory=dict)  # of the path: name -> meaning
    query: Mapping[str, str] = field(default_factory=dict)  # name -> meaning; none of them is required
    body: Mapping[str, Any] | None = None  # JSON Schema of the request body
    lines: Mapping[str, Any] | None = None  # JSON Schema of each line, where the body may be lines instead
    is_signed: bool = False
    has_basic: bool = False  # Basic authentication of a source
    needs_token: bool = False  # a bearer token of the vendor (decisions record 0030)
    is_probe: bool = False  # served by a worker without vendors too


def discover() -> list[Route]:
    """Every route of this folder, by file name. Raises: ConfigError when a file is broken."""
    return [route for routes in find(__name__, "ROUTES").values() for route in cast(tuple[Route, ...], routes)]
