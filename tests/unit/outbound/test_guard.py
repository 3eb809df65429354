"""What may be called on behalf of others: nothing that is not public, however it is written or resolved."""

import socket
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver

from gateway.model.errors import NotSent, Refused
from gateway.outbound.guard import Guard, is_public
from gateway.outbound.guarded import Poster, is_refused

PUBLIC = "93.184.216.34"

REFUSED = [
    "http://lms.example.vn/hook",  # not encrypted
    "https://127.0.0.1/",
    "https://127.1/",
    "https://2130706433/",  # decimal
    "https://0x7f000001/",  # hexadecimal
    "https://017700000001/",  # octal
    "https://0177.0.0.1/",
    "https://0x7f.0.0.1/",
    "https://127.0.0.0x1/",
    "https://127.0.0.1./",
    "https://0/",
    "https://0.0.0.0/",
    "https://10.0.0.8/",
    "https://172.16.0.1/",
    "https://192.168.1.1/",
    "https://169.254.169.254/latest/meta-data/",  # link-local: where clouds keep credentials
    "https://100.64.0.1/",  # carrier-grade NAT
    "https://192.0.0.8/",
    "https://198.18.0.1/",
    "https://224.0.0.1/",
    "https://240.0.0.1/",
    "https://255.255.255.255/",
    "https://[::1]/",
    "https://[::]/",
    "https://[::ffff:127.0.0.1]/",  # IPv4-mapped
    "https://[::ffff:7f00:1]/",
    "https://[::ffff:93.184.216.34]/",
    "https://[::127.0.0.1]/",
    "https://[64:ff9b::7f00:1]/",  # NAT64
    "https://[2002:7f00:1::]/",  # 6to4
    "https://[2001:0:7f00:1::]/",  # Teredo
    "https://[fe80::1]/",
    "https://[fe80::1%25eth0]/",
    "https://[fc00::1]/",
    "https://[fd00:ec2::254]/",
    "https://[ff02::1]/",
    "https://[fec0::1]/",
    "https://localhost/",
    "https://LOCALHOST/",
    "https://db/",
    "https://printer.local/",
    "https://vault.internal/",
    "https://lms.example.vn@127.0.0.1/",
    "https://user:secret@lms.example.vn/",
    "https://lms.example.vn\\@127.0.0.1/",
    "https://lms.example.vn/#x",
    "https://lms example.vn/",
    "https://lms.exámple.vn/",
    "https://①②⑦.0.0.1/",
    "https://lms.example.vn:0/",
    "https://lms.example.vn:99999/",
    "https://-lms.example.vn/",
    "https:///hook",
    "ftp://lms.example.vn/",
    "file:///etc/passwd",
    "gopher://lms.example.vn/",
    "",
    "https://" + "a" * 2_000 + ".vn/",
]


@pytest.mark.parametrize("url", REFUSED)
def test_an_address_that_is_not_public_is_refused_as_it_is_written(url):
    """Private, loopback, link-local, mapped, numbers in disguise, users in the URL: none is even resolved."""
    with pytest.raises(Refused) as refused:
        Guard().check_url(url)
    assert refused.value.code == "callback.url_refused"


@pytest.mark.parametrize(
    "url",
    ["https://lms.example.vn/hook?x=1", "https://lms.example.vn:8443/", f"https://{PUBLIC}/",
     "https://[2606:2800:220:1:248:1893:25c8:1946]/", "https://xn--tp-hcm-xta.vn/"],
)  # fmt: skip
def test_a_public_address_passes(url):
    """The guard is no obstacle to a vendor's ordinary endpoint."""
    assert Guard().check_url(url)


def test_the_operator_may_allow_an_lms_on_the_premises():
    """A host or a network by name, and then without TLS too; everything else stays refused."""
    guard = Guard.parse("lms.so-gd.local, 10.1.0.0/16")
    assert guard.check_url("http://lms.so-gd.local/hook") == "lms.so-gd.local"
    assert guard.check_url("http://10.1.2.3:8080/") == "10.1.2.3"
    assert guard.may_connect("lms.so-gd.local", "192.168.7.7")
    assert guard.may_connect("other.example.vn", "10.1.2.3")
    for url in ("https://10.2.0.1/", "https://other.local/", "http://lms.example.vn/"):
        with pytest.raises(Refused):
            guard.check_url(url)
    assert not guard.may_connect("other.example.vn", "192.168.7.7")


@pytest.mark.parametrize("words", ["10.0.0.1/8", "a b_c", "http://x", "*"])
def test_an_exception_that_cannot_be_read_is_an_error(words):
    """A mistyped exception must not quietly allow something else."""
    with pytest.raises(ValueError, match="neither"):
        Guard.parse(words)


class Names(AbstractResolver):
    """A resolver whose answers a test writes: one after the other, the last for ever."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def resolve(self, host, port=0, family=socket.AF_INET):
        self.asked += 1
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [
            {"hostname": host, "host": one, "port": port, "proto": 0, "flags": 0,
             "family": socket.AF_INET6 if ":" in one else socket.AF_INET}
            for one in found
        ]  # fmt: skip

    async def close(self):
        pass


@asynccontextmanager
async def a_server(status: int = 200, headers: dict[str, str] | None = None):
    """A receiver on this machine. Yields: its port and what it was sent."""
    seen: list[web.Request] = []

    async def take(request: web.Request) -> web.Response:
        seen.append(request)
        await request.read()
        return web.Response(status=status, headers=headers)

    app = web.Application()
    app.router.add_route("*", "/{any:.*}", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield site._server.sockets[0].getsockname()[1], seen
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    "answers",
    [["127.0.0.1"], ["10.0.0.1"], ["169.254.169.254"], ["100.64.0.1"], ["::1"], ["::ffff:10.0.0.1"],
     ["fe80::1%eth0"], [PUBLIC, "127.0.0.1"], []],
    ids=str,
)  # fmt: skip
async def test_a_public_name_that_leads_inside_is_refused(answers):
    """The name is judged by what it resolves to: one bad address among good ones is enough."""
    async with a_server() as (port, seen):
        poster = Poster(Guard(), resolver=Names(answers))
        with pytest.raises(NotSent) as error:
            await poster.post(f"https://lms.example.vn:{port}/", {}, b"{}")
        await poster.aclose()
    assert is_refused(error.value)
    assert seen == []


async def test_a_name_that_changes_its_mind_is_judged_anew_each_time():
    """DNS rebinding: harmless when it was registered, inside when it is called."""
    guard = Guard.parse("lms.so-gd.local")
    names = Names(["127.0.0.1"])
    async with a_server() as (port, seen):
        poster = Poster(guard, resolver=names)
        assert (await poster.post(f"http://lms.so-gd.local:{port}/", {}, b"{}")).status == 200
        rebound = Poster(Guard.parse("203.0.113.0/24"), resolver=Names(["127.0.0.1"]))
        with pytest.raises(NotSent):
            await rebound.post(f"https://lms.example.vn:{port}/", {}, b"{}")
        await poster.aclose()
        await rebound.aclose()
    assert len(seen) == 1


async def test_the_connection_goes_to_the_address_that_was_checked():
    """One question, one answer: there is no second look-up that could differ from the one judged."""
    names = Names(["127.0.0.1"], ["192.0.2.1"])
    async with a_server() as (port, seen):
        poster = Poster(Guard.parse("lms.so-gd.local"), resolver=names)
        assert (await poster.post(f"http://lms.so-gd.local:{port}/a", {"x-y": "1"}, b'{"a":1}')).status == 200
        await poster.aclose()
    assert names.asked == 1
    [request] = seen
    assert (request.path, request.headers["x-y"], request.headers["Host"]) == (
        "/a", "1", f"lms.so-gd.local:{port}",
    )  # fmt: skip


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_an_answer_and_not_followed(status):
    """What a receiver points at is never called."""
    async with (
        a_server() as (inner, inside),
        a_server(status, {"Location": f"http://127.0.0.1:{inner}/secret"}) as (port, seen),
    ):
        poster = Poster(Guard.parse("lms.so-gd.local 127.0.0.0/8"), resolver=Names(["127.0.0.1"]))
        assert (await poster.post(f"http://lms.so-gd.local:{port}/", {}, b"{}")).status == status
        await poster.aclose()
    assert len(seen) == 1
    assert inside == []


def test_documentation_ranges_are_not_public():
    """Addresses of manuals are nobody's: a callback to them is a mistake."""
    from ipaddress import ip_address

    assert not is_public(ip_address("192.0.2.1"))
    assert not is_public(ip_address("2001:db8::1"))
    assert is_public(ip_address(PUBLIC))
