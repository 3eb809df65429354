"""Calls to addresses that others have named: resolved once, checked, and connected to just what was checked.

The connector asks our resolver and connects to what it answers, so a name that resolves to something else the
next moment (DNS rebinding) is never asked again in between. No redirect is followed, no proxy is used.
"""

import asyncio
import socket
from collections.abc import Mapping

import aiohttp
import httpx
from aiohttp.abc import AbstractResolver, ResolveResult
from httpx_aiohttp import AiohttpTransport

from gateway.model.errors import Garbled, NotSent, Unanswered, UpstreamError
from gateway.outbound.exchange import Reply, exchange, open_client
from gateway.outbound.guard import AddressRefused, Guard
from gateway.outbound.tls import context

ANSWER_BYTES = 16 * 1024


class GuardedResolver(AbstractResolver):
    """Resolves through another resolver and lets nothing pass that the guard refuses."""

    def __init__(self, guard: Guard, resolver: AbstractResolver | None = None) -> None:
        self._guard = guard
        self._resolver = resolver or aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Raises: AddressRefused when any address of the name may not be called; OSError of the resolver."""
        found = await self._resolver.resolve(host, port, family)
        if not found or not all(self._guard.may_connect(host, one["host"]) for one in found):
            raise AddressRefused("the name leads to an address that may not be called")
        return found

    async def close(self) -> None:
        await self._resolver.close()


class _Transport(AiohttpTransport):
    """aiohttp whose connector asks the guarded resolver, each time it connects."""

    def __init__(self, resolver: GuardedResolver) -> None:
        super().__init__(verify=context())
        self._resolver = resolver

    def get_client(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=64,
            limit_per_host=8,
            resolver=self._resolver,
            use_dns_cache=False,
            force_close=True,  # a connection kept open would be used again unchecked
            ssl=self.ssl_context,
        )
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())


class Poster:
    """Posts to addresses that the guard lets pass."""

    def __init__(
        self, guard: Guard, *, timeout_s: float = 15.0, resolver: AbstractResolver | None = None
    ) -> None:
        self._guard = guard
        self._timeout_s = timeout_s
        self._resolver = resolver
        self._client: httpx.AsyncClient | None = None  # made when first needed: most commands call nobody

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """One POST of JSON; whatever is answered is a Reply, also a redirect.

        Raises: Refused `callback.url_refused` for the URL itself; NotSent (also where the name leads to an
        address that may not be called), Unanswered, Garbled.
        """
        self._guard.check_url(url)
        client = self._opened()
        request = client.build_request(
            "POST", httpx.URL(url), content=body, headers={"content-type": "application/json", **headers}
        )
        try:
            async with asyncio.timeout(self._timeout_s):
                return await exchange(client, request, limit_bytes=ANSWER_BYTES)
        except TimeoutError:
            raise Unanswered(f"no answer within {self._timeout_s:g} s") from None
        except UpstreamError as error:
            if isinstance(error, Garbled) and error.status is not None:
                return Reply(error.status, httpx.Headers(), b"")  # a long answer to what needs none
            if is_refused(error):
                raise NotSent("the name leads to an address that may not be called") from error
            raise

    def check(self, url: str) -> None:
        """Raises: Refused `callback.url_refused` for a URL that is not to be called, before it is resolved."""
        self._guard.check_url(url)

    async def aclose(self) -> None:
        if self._client is not None:
            await self._client.aclose()

    def _opened(self) -> httpx.AsyncClient:
        if self._client is None:
            transport = _Transport(GuardedResolver(self._guard, self._resolver))
            self._client = open_client(tls=None, proxy=None, timeout_s=self._timeout_s, transport=transport)
        return self._client


def is_refused(error: BaseException) -> bool:
    """Whether the guard stands behind this error."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, AddressRefused):
            return True
        inner = getattr(seen, "os_error", None)
        seen = inner if isinstance(inner, AddressRefused) else seen.__cause__ or seen.__context__
    return False
