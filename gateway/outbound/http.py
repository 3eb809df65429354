"""Calls to one destination: one request per attempt, every outcome told apart.

body -> Caller -> parsed answer | UpstreamError
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import httpx
import orjson
from structlog.contextvars import get_contextvars

from gateway.model.clock import Clock, SystemClock
from gateway.model.errors import Garbled, NotSent, Unanswered
from gateway.observe.trace import Trace
from gateway.outbound.exchange import EXCERPT_BYTES, Reply, exchange, open_client
from gateway.outbound.refusals import refusal
from gateway.outbound.tls import TlsOptions
from gateway.outbound.token import TokenSource

Answer = TypeVar("Answer")


class Caller:
    """One destination. Retrying is the queue's work; only a fault of the connect phase is tried twice here."""

    def __init__(
        self,
        base_url: str,
        *,
        token: TokenSource | None = None,
        timeout_s: float = 20,
        tls: TlsOptions | None = None,
        proxy: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._token = token
        self.timeout_s = timeout_s  # bounds a whole call: token, connecting, sending, reading
        self._client = open_client(tls=tls, proxy=proxy, timeout_s=timeout_s, transport=transport)
        self._clock = clock or SystemClock()

    async def post(self, path: str, body: object, parse: Callable[[bytes], Answer]) -> Answer:
        """POST `body` (bytes of JSON, or what orjson takes) and parse the answer. Raises: as `call`."""
        return await self.call("POST", path, parse, body=body)

    async def get(
        self, path: str, parse: Callable[[bytes], Answer], params: Mapping[str, str | int] | None = None
    ) -> Answer:
        """GET and parse the answer. `params` never carry a personal value. Raises: as `call`."""
        return await self.call("GET", path, parse, params=params)

    async def call(
        self,
        method: str,
        path: str,
        parse: Callable[[bytes], Answer],
        *,
        body: object = None,
        params: Mapping[str, str | int] | None = None,
    ) -> Answer:
        """One attempt. `parse` raises ValueError for a body that is not the contract's.

        Raises:
            NotSent: nothing reached the destination.
            Unanswered: it may have seen the request; nobody knows what became of it.
            Throttled, CredentialsRefused, RefusedWhole, Failing: its answer, by status; no 3xx is followed.
            Garbled: it answered 2xx with something else than the contract's answer.
        """
        content = body if body is None or isinstance(body, bytes) else orjson.dumps(body)
        attempt = _Attempt(method, path, content, params)
        try:
            async with asyncio.timeout(self.timeout_s):
                reply = await self._authorised(attempt)
        except TimeoutError:
            if attempt.sending:
                raise Unanswered(f"{attempt}: no answer within {self.timeout_s:g} s") from None
            raise NotSent(f"{attempt}: no token within {self.timeout_s:g} s") from None
        if refused := refusal(reply, str(attempt), now_ms=self._clock.now_ms()):
            raise refused
        try:
            return parse(reply.body)
        except ValueError:
            # Without the cause: it would quote the answer, and with it a person's values.
            raise Garbled(
                f"{attempt}: the answer is not the contract's",
                status=reply.status,
                excerpt=reply.body[:EXCERPT_BYTES],
            ) from None

    async def aclose(self) -> None:
        """Closes the connections, those of the token source too."""
        await self._client.aclose()
        if self._token is not None:
            await self._token.aclose()

    async def _authorised(self, attempt: "_Attempt") -> Reply:
        """With a token where there is one. A 401 applied nothing, so it is answered by one fresh token."""
        if self._token is None:
            return await self._once(attempt, None)
        token = await self._token.get()
        reply = await self._once(attempt, token)
        if reply.status == 401:
            attempt.sending = False
            self._token.invalidate(token)
            reply = await self._once(attempt, await self._token.get())
        return reply

    async def _once(self, attempt: "_Attempt", token: str | None) -> Reply:
        headers = {"traceparent": _span()}
        if attempt.content is not None:
            headers["content-type"] = "application/json"
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        request = self._client.build_request(
            attempt.method,
            self._base_url + attempt.path,
            content=attempt.content,
            params=attempt.params,
            headers=headers,
        )
        attempt.sending = True
        return await exchange(self._client, request)


def _span() -> str:
    """The next span of the request that this call is made for, or a trace of its own: W3C Trace Context."""
    trace_id = get_contextvars().get("trace_id")
    trace = Trace.new()
    return (trace._replace(trace_id=trace_id) if isinstance(trace_id, str) else trace).header()


@dataclass(slots=True)
class _Attempt:
    """One call under way, and how far it has come: that decides what running out of time means."""

    method: str
    path: str
    content: bytes | None
    params: Mapping[str, str | int] | None
    sending: bool = False

    def __str__(self) -> str:
        return f"{self.method} {self.path}"
