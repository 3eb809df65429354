"""Alerts to one address of the operator's own, signed by Standard Webhooks.

The address is a setting: whoever may set it may read everything, so it may lie inside the network.
Source: contracts/alerts/README.md; Standard Webhooks 1.0.0.
"""

import asyncio

import httpx

from gateway.model.errors import Unanswered
from gateway.outbound.exchange import exchange, open_client
from gateway.outbound.refusals import refusal
from gateway.security.signatures import sign

TIMEOUT_S = 15.0


class Hook:
    """Where alerts go. Close it with `aclose`."""

    def __init__(self, url: str, secret: str, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._url = url
        self._secret = secret
        self._client = open_client(tls=None, proxy=None, timeout_s=TIMEOUT_S, transport=transport)

    async def post(self, message_id: str, at_s: int, body: bytes) -> None:
        """Once. Raises: UpstreamError unless it was answered 2xx."""
        headers = {"content-type": "application/json"}
        if self._secret:
            headers |= sign(self._secret, message_id, at_s, body)
        request = self._client.build_request("POST", self._url, content=body, headers=headers)
        try:
            async with asyncio.timeout(TIMEOUT_S):
                reply = await exchange(self._client, request, limit_bytes=65_536)
        except TimeoutError:
            raise Unanswered(f"no answer within {TIMEOUT_S:g} s") from None
        if refused := refusal(reply, "the alerts' address", now_ms=at_s * 1000):
            raise refused

    async def aclose(self) -> None:
        await self._client.aclose()
