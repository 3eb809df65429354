"""One HTTP request, one reply: what left this machine and what came back, with nothing hidden in between.

request -> Reply | NotSent | Unanswered | Garbled
"""

import base64
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_fixed

from gateway.model.errors import Garbled, NotSent, Unanswered, Untrusted, UpstreamError
from gateway.outbound.tls import TlsOptions, context

MAX_BODY_BYTES = 16 * 1024 * 1024
EXCERPT_BYTES = 16 * 1024
CONNECTIONS = 64  # per destination; the limiter decides how many are used
IDLE_S = 15.0  # servers commonly close idle connections after 60 s or more; we must be the first
CONNECT_S = 5.0
RETRY_WAIT_S = 0.2

# aiohttp's faults of the connect phase: nothing of the request has left this machine.
# They are asked first because httpx_aiohttp 0.2 reports a reset *after* sending as httpx.ConnectTimeout.
BEFORE_SENDING = (
    aiohttp.ClientConnectorError,  # refused, DNS, TLS handshake, unreachable proxy
    aiohttp.ConnectionTimeoutError,
    aiohttp.ServerFingerprintMismatch,
    aiohttp.ClientHttpProxyError,  # the proxy refused the tunnel
    aiohttp.InvalidURL,
    aiohttp.NonHttpUrlClientError,
)
# Of these, what does not mend itself: an expired certificate, another name, no TLS that both speak.
UNTRUSTED = (
    aiohttp.ClientConnectorCertificateError,
    aiohttp.ClientConnectorSSLError,
    aiohttp.ServerFingerprintMismatch,
)
# httpx's own words for the same; used when another transport than aiohttp's is plugged in.
BEFORE_SENDING_HTTPX = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back. `body` of a 2xx is whole; of any other status it is the first 16 kB."""

    status: int
    headers: httpx.Headers
    body: bytes


def open_client(
    *, tls: TlsOptions | None, proxy: str | None, timeout_s: float, transport: httpx.AsyncBaseTransport | None
) -> httpx.AsyncClient:
    """A client for one destination. Proxies and certificates named by the environment are ignored.

    A `transport` of one's own takes the place of TLS and proxy. Raises: ConfigError naming a wrong file.
    """
    if transport is None:
        transport = _Transport(verify=context(tls), proxy=_proxy(proxy) if proxy else None)
    return httpx.AsyncClient(
        transport=transport,
        trust_env=False,
        follow_redirects=False,
        timeout=httpx.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s / 3)),
        # A load balancer's cookies would tie all our calls to one machine behind it.
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        headers={"accept": "application/json", "accept-encoding": "gzip", "user-agent": "lms-temis-gateway"},
    )


def _proxy(address: str) -> httpx.Proxy:
    """The proxy without its user and password, which go to it in a header.

    aiohttp turns Authorization among the proxy's headers into Proxy-Authorization, for tunnels and plain HTTP.
    """
    url = httpx.URL(address)
    if not url.userinfo:
        return httpx.Proxy(url)
    pair = base64.b64encode(f"{url.username}:{url.password}".encode()).decode()
    return httpx.Proxy(url.copy_with(username=None, password=None), headers={"authorization": f"Basic {pair}"})


class _Transport(AiohttpTransport):
    """aiohttp with our own pool."""

    def get_client(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(limit=CONNECTIONS, keepalive_timeout=IDLE_S, ssl=self.ssl_context)
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())


async def exchange(
    client: httpx.AsyncClient, request: httpx.Request, *, limit_bytes: int = MAX_BODY_BYTES
) -> Reply:
    """Send once and read the reply. A fault of the connect phase is tried a second time, which is safe.

    Raises:
        NotSent: nothing left this machine; Untrusted: because of TLS or its certificate.
        Unanswered: sent, and no complete reply came.
        Garbled: the reply is not HTTP, cannot be decompressed or is over `limit_bytes`.
    """
    tries = AsyncRetrying(
        stop=stop_after_attempt(2),
        wait=wait_fixed(RETRY_WAIT_S),
        retry=retry_if_exception_type(NotSent),
        reraise=True,
    )
    return await tries(_once, client, request, limit_bytes)


async def _once(client: httpx.AsyncClient, request: httpx.Request, limit_bytes: int) -> Reply:
    try:
        response = await client.send(request, stream=True)
        try:
            return await _read(response, limit_bytes)
        finally:
            await response.aclose()
    except (httpx.RequestError, httpx.InvalidURL, aiohttp.ClientError, OSError) as error:
        raise _sorted(error, f"{request.method} {request.url.path}") from error


async def _read(response: httpx.Response, limit_bytes: int) -> Reply:
    parts, size = [], 0
    wanted = limit_bytes if response.is_success else EXCERPT_BYTES
    try:
        async for part in response.aiter_bytes():
            parts.append(part)
            size += len(part)
            if size > wanted:
                break
    except (httpx.RequestError, aiohttp.ClientError, OSError):
        if response.is_success:
            raise
        # A refusal whose body breaks off is still that refusal: the status has been read.
    if size > wanted and response.is_success:
        raise Garbled(f"an answer over {limit_bytes} bytes", status=response.status_code)
    return Reply(response.status_code, response.headers, b"".join(parts)[:wanted])


def _sorted(error: Exception, what: str) -> UpstreamError:
    """The one question that matters: can the destination have seen the request?"""
    cause = error.__cause__ if isinstance(error.__cause__, aiohttp.ClientError) else error
    name = type(cause).__name__
    if isinstance(cause, UNTRUSTED):
        return Untrusted(f"{what}: the connection is not to be trusted ({name})")
    if isinstance(cause, BEFORE_SENDING):
        return NotSent(f"{what}: no connection ({name})")
    if isinstance(cause, aiohttp.ClientResponseError | httpx.DecodingError):
        return Garbled(f"{what}: the answer is not valid HTTP ({name})")
    if isinstance(cause, BEFORE_SENDING_HTTPX):
        return NotSent(f"{what}: no connection ({name})")
    return Unanswered(f"{what}: sent, no answer ({name})")
