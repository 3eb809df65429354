"""gateway/outbound over real TLS: own authority, client certificate, proxy, failed handshakes."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import orjson
import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.model.errors import NotSent, Unanswered, Untrusted
from gateway.outbound import exchange
from gateway.outbound.http import Caller
from gateway.outbound.tls import TlsOptions
from gateway.sandbox.server import serving


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(exchange, "RETRY_WAIT_S", 0)


@pytest.fixture(scope="module")
def pem(tmp_path_factory):
    """Two authorities; a server, an expired server and a server of another name, and a client, of the first."""
    folder = tmp_path_factory.mktemp("tls")
    now = datetime.now(UTC)
    ca_key, ca = _certificate("Authority", now + timedelta(days=1))
    _, stranger = _certificate("Stranger", now + timedelta(days=1))
    (folder / "ca.pem").write_bytes(_pem(ca))
    (folder / "stranger.pem").write_bytes(_pem(stranger))
    for name, address, until in (
        ("server", "127.0.0.1", now + timedelta(days=1)),
        ("expired", "127.0.0.1", now - timedelta(hours=1)),
        ("elsewhere", "127.0.0.2", now + timedelta(days=1)),
        ("client", "127.0.0.1", now + timedelta(days=1)),
    ):
        key, certificate = _certificate(name, until, (ca_key, ca), address)
        (folder / f"{name}.pem").write_bytes(_pem(certificate) + _pem(key))
    return folder


def _certificate(name, until, issuer=None, address=None):
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[1].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(until - timedelta(days=2))
        .not_valid_after(until)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if address:
        names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))])
        builder = builder.add_extension(names, critical=False)
    return key, builder.sign(issuer[0] if issuer else key, hashes.SHA256())


def _pem(thing):
    if isinstance(thing, x509.Certificate):
        return thing.public_bytes(serialization.Encoding.PEM)
    return thing.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@asynccontextmanager
async def https(pem, name="server", *, client_ca=None) -> AsyncIterator[str]:
    """A server over TLS that answers every POST with its own client's certificate name."""

    async def answer(request):
        peer = request.transport.get_extra_info("peercert") or {}
        return web.json_response({"client": dict(x[0] for x in peer.get("subject", ())).get("commonName")})

    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    made.load_cert_chain(pem / f"{name}.pem")
    if client_ca:
        made.load_verify_locations(pem / client_ca)
        made.verify_mode = ssl.CERT_REQUIRED
    app = web.Application()
    app.router.add_post("/x", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=made).start()
    try:
        yield f"https://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def proxy(*, password: str | None = None) -> AsyncIterator[tuple[str, list[str]]]:
    """A CONNECT proxy. Yields: its address and the tunnels it was asked for."""
    asked: list[str] = []
    tasks: set[asyncio.Task] = set()

    async def serve(reader, writer):
        tasks.add(asyncio.current_task())
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        asked.append(head.split()[1])
        if password is not None and password not in head:
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            writer.close()
            return
        host, _, port = head.split()[1].partition(":")
        onward_reader, onward = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            await asyncio.gather(_pipe(reader, onward), _pipe(onward_reader, writer))
        finally:
            onward.close()
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}", asked
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pipe(reader, writer):
    try:
        while part := await reader.read(65536):
            writer.write(part)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


async def ask(url, **options):
    caller = Caller(url, timeout_s=5, **options)
    try:
        return await caller.post("/x", {}, orjson.loads)
    finally:
        await caller.aclose()


async def test_an_own_authority_is_trusted(pem):
    """A destination behind the ministry's own authority is reached without switching anything off."""
    async with https(pem) as url:
        assert await ask(url, tls=TlsOptions(ca_file=pem / "ca.pem")) == {"client": None}


@pytest.mark.parametrize(
    ("server", "ca_file"),
    [("server", None), ("server", "stranger.pem"), ("expired", "ca.pem"), ("elsewhere", "ca.pem")],
)
async def test_a_certificate_that_does_not_hold_is_not_sent_and_pauses(pem, server, ca_file):
    """Unknown authority, expired, or another name: nothing has left this machine, and people are told."""
    async with https(pem, server) as url:
        with pytest.raises(Untrusted):
            await ask(url, tls=TlsOptions(ca_file=pem / ca_file if ca_file else None))


async def test_the_client_certificate_is_shown(pem):
    """Mutual TLS: the destination sees who we are."""
    async with https(pem, client_ca="ca.pem") as url:
        tls = TlsOptions(ca_file=pem / "ca.pem", client_cert=pem / "client.pem")
        assert await ask(url, tls=tls) == {"client": "client"}


async def test_a_missing_client_certificate_is_an_outage(pem):
    """TLS 1.3 lets the server refuse only after we have sent: never taken for certainly not sent."""
    async with https(pem, client_ca="ca.pem") as url:
        with pytest.raises((NotSent, Unanswered)):
            await ask(url, tls=TlsOptions(ca_file=pem / "ca.pem"))


async def test_a_proxy_is_used_and_cannot_read(pem):
    """The proxy is asked for a tunnel; TLS goes through it to the destination's own certificate."""
    async with https(pem) as url, proxy() as (address, asked):
        answer = await ask(url, tls=TlsOptions(ca_file=pem / "ca.pem"), proxy=f"http://{address}")
        assert answer == {"client": None}
        assert asked == [url.removeprefix("https://")]


async def test_a_proxy_may_ask_for_a_password(pem):
    """User and password of the proxy's address are sent to the proxy; without them nothing is sent onward."""
    async with https(pem) as url, proxy(password="Basic Z2F0ZXdheTpzM2NyZXQ=") as (address, _):
        tls = TlsOptions(ca_file=pem / "ca.pem")
        assert await ask(url, tls=tls, proxy=f"http://gateway:s3cret@{address}") == {"client": None}
        with pytest.raises(NotSent) as caught:
            await ask(url, tls=tls, proxy=f"http://gateway:wrong@{address}")
        assert "wrong" not in str(caught.value)


async def test_plain_http_goes_through_the_proxy_as_well():
    """Inside a ministry's network: the proxy gets the whole address and its own password."""
    seen = {}

    async def stand_in(request):
        seen.update(target=request.raw_path, login=request.headers.get("Proxy-Authorization"))
        return web.json_response({})

    app = web.Application()
    app.router.add_post("/{rest:.*}", stand_in)
    async with serving(app) as address:
        await ask("http://temis.example", proxy=address.replace("http://", "http://gateway:s3cret@"))
    assert seen == {"target": "http://temis.example/x", "login": "Basic Z2F0ZXdheTpzM2NyZXQ="}


async def test_a_dead_proxy_is_not_sent(pem):
    """A proxy that nobody runs is like no network."""
    async with proxy() as (address, _):
        pass
    async with https(pem) as url:
        with pytest.raises(NotSent):
            await ask(url, tls=TlsOptions(ca_file=pem / "ca.pem"), proxy=f"http://{address}")


async def test_proxies_of_the_environment_are_ignored(pem, monkeypatch):
    """Where data goes is said by the settings alone."""
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with https(pem) as url:
        assert await ask(url, tls=TlsOptions(ca_file=pem / "ca.pem")) == {"client": None}


async def test_a_destination_that_speaks_no_tls_is_not_trusted():
    """A failed handshake is no ordinary outage: it is probed rarely, and people are told."""

    async def answer(request):
        return web.json_response({})

    app = web.Application()
    app.router.add_post("/x", answer)
    async with serving(app) as address:
        with pytest.raises(Untrusted):
            await ask(address.replace("http://", "https://"))
