"""Stand-in for the token service: OAuth2 client credentials.

Source: RFC 6749 sections 4.4 and 5; contracts/temis/README.md (assumed for both destinations).
"""

import secrets
from base64 import b64decode
from collections.abc import Mapping
from urllib.parse import unquote_plus

import orjson
from aiohttp import web

from gateway.model.clock import Clock
from gateway.sandbox.faults import problem


class Tokens:
    """Tokens given out. `clients` None: any client with any secret, as fits a sandbox."""

    def __init__(self, clock: Clock, clients: Mapping[str, str] | None, ttl_s: int) -> None:
        self._clock = clock
        self._clients = clients
        self._ttl_s = ttl_s
        self._ends_at_ms: dict[str, int] = {}
        self.issued = 0

    async def issue(self, request: web.Request) -> web.Response:
        """POST /oauth/token"""
        form = await request.post()
        if form.get("grant_type") != "client_credentials":
            return _refusal(400, "unsupported_grant_type")
        client = _basic(request) or (str(form.get("client_id", "")), str(form.get("client_secret", "")))
        if self._clients is not None and self._clients.get(client[0]) != client[1]:
            return _refusal(401, "invalid_client")
        token = secrets.token_urlsafe(24)
        self._ends_at_ms[token] = self._clock.now_ms() + self._ttl_s * 1000
        self.issued += 1
        body = {"access_token": token, "token_type": "Bearer", "expires_in": self._ttl_s}
        return web.Response(
            body=orjson.dumps(body), content_type="application/json", headers={"Cache-Control": "no-store"}
        )

    def refusal(self, request: web.Request) -> web.Response | None:
        """The 401 that a request deserves; None when its token is good."""
        ends_at_ms = self._ends_at_ms.get(_bearer(request))
        if ends_at_ms is not None and self._clock.now_ms() < ends_at_ms:
            return None
        return problem(401, "no token, or one that is not valid", {"WWW-Authenticate": "Bearer"})

    def expire(self, request: web.Request) -> None:
        """The token of this request is valid no longer."""
        self._ends_at_ms.pop(_bearer(request), None)


def _bearer(request: web.Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else ""


def _basic(request: web.Request) -> tuple[str, str] | None:
    scheme, _, coded = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, _, secret = b64decode(coded, validate=True).decode().partition(":")
    except ValueError:
        return None
    return unquote_plus(name), unquote_plus(secret)


def _refusal(status: int, error: str) -> web.Response:
    headers = {"WWW-Authenticate": "Basic"} if status == 401 else {}
    return web.json_response({"error": error}, status=status, headers=headers)
