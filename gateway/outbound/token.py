"""OAuth2 access tokens by client credentials: fetched once, shared, renewed before they expire.

Source: RFC 6749 sections 2.3.1 (HTTP Basic), 4.4 (client credentials), 5.1 and 5.2 (answers).
"""

import asyncio
import base64
import time
from collections.abc import Callable
from urllib.parse import quote_plus

import httpx
from pydantic import BaseModel, Field, TypeAdapter

from gateway.model.clock import Clock, SystemClock
from gateway.model.errors import (
    CredentialsRefused,
    Garbled,
    NotSent,
    RefusedWhole,
    Throttled,
    Unanswered,
    UpstreamError,
)
from gateway.outbound.exchange import exchange, open_client
from gateway.outbound.refusals import refusal
from gateway.outbound.tls import TlsOptions

RENEW_BEFORE_S = 60.0


class TokenAnswer(BaseModel):
    """Other members of the answer (scope, refresh_token) are ignored."""

    access_token: str = Field(pattern=r"^[!-~]{1,16384}$")  # what may stand in a header
    token_type: str = Field(pattern=r"^(?i:bearer)$")
    expires_in: int = Field(300, ge=1)  # seconds; optional in the RFC, five minutes where it is left out


TOKEN_ANSWER = TypeAdapter(TokenAnswer)


class TokenSource:
    """One destination's token. Any number of tasks may ask at once; one of them fetches."""

    def __init__(
        self,
        url: str,
        client_id: str,
        client_secret: str,
        *,
        scope: str | None = None,
        timeout_s: float = 10,
        tls: TlsOptions | None = None,
        proxy: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        now: Callable[[], float] = time.monotonic,
        clock: Clock | None = None,
    ) -> None:
        self._url = url
        pair = f"{quote_plus(client_id)}:{quote_plus(client_secret)}"
        self._authorization = f"Basic {base64.b64encode(pair.encode()).decode()}"
        self._form = {"grant_type": "client_credentials"} | ({"scope": scope} if scope else {})
        self._timeout_s = timeout_s
        self._client = open_client(tls=tls, proxy=proxy, timeout_s=timeout_s, transport=transport)
        self._now = now
        self._clock = clock or SystemClock()
        self._token: str | None = None
        self._renew_at = self._ends_at = 0.0
        self._fetching: asyncio.Task[str] | None = None

    async def get(self) -> str:
        """A token that is good for a while yet.

        Raises: NotSent, Throttled or CredentialsRefused: in each case the call it was for has not been made.
        """
        if self._token is not None and self._now() < self._renew_at:
            return self._token
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._fetch())
            self._fetching.add_done_callback(self._fetched)
        try:
            # Shielded: the task belongs to everybody who waits, not to the first who gives up.
            return await asyncio.shield(self._fetching)
        except UpstreamError:
            if self._token is not None and self._now() < self._ends_at:
                return self._token  # the renewal failed, the present one still holds
            raise

    def invalidate(self, token: str) -> None:
        """The destination refused this token. A newer one, fetched meanwhile by another task, is kept."""
        if token == self._token:
            self._token = None

    async def aclose(self) -> None:
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)
        await self._client.aclose()

    def _fetched(self, task: asyncio.Task[str]) -> None:
        self._fetching = None
        if not task.cancelled():
            task.exception()  # read, so that a failure nobody waits for any more is not reported as lost

    async def _fetch(self) -> str:
        asked_at = self._now()
        request = self._client.build_request(
            "POST", self._url, data=self._form, headers={"authorization": self._authorization}
        )
        try:
            async with asyncio.timeout(self._timeout_s):
                reply = await exchange(self._client, request, limit_bytes=65_536)
        except (TimeoutError, Unanswered, Garbled) as error:
            raise NotSent("no answer from the token endpoint") from error
        if refused := refusal(reply, "the token endpoint", now_ms=self._clock.now_ms()):
            raise _for_the_call(refused) from None
        try:
            answer = TOKEN_ANSWER.validate_json(reply.body)
        except ValueError:
            # Without the cause: it would quote the answer, and with it perhaps a token.
            raise NotSent("the token endpoint's answer is not a bearer token", status=reply.status) from None
        self._token = answer.access_token
        self._ends_at = asked_at + answer.expires_in
        self._renew_at = self._ends_at - min(RENEW_BEFORE_S, answer.expires_in / 2)
        return self._token


def _for_the_call(refused: UpstreamError) -> UpstreamError:
    """The token endpoint's refusal, as it concerns the call that needed the token: that call was not made."""
    if isinstance(refused, Throttled | CredentialsRefused):
        return refused
    if isinstance(refused, RefusedWhole):  # RFC 6749 5.2: invalid_client and its like are answered 400
        return CredentialsRefused(str(refused), status=refused.status, excerpt=refused.excerpt)
    return NotSent(str(refused), status=refused.status)
