"""gateway/outbound/http.py: every outcome of a call told apart."""

import asyncio
import gzip

import aiohttp
import httpx
import orjson
import pytest
import respx
import structlog

from gateway.model.errors import (
    CredentialsRefused,
    Failing,
    Garbled,
    NotSent,
    RefusedWhole,
    Throttled,
    Unanswered,
)
from gateway.observe.trace import parse
from gateway.outbound import exchange
from gateway.outbound.http import Caller
from gateway.outbound.token import TokenSource

URL = "https://temis.example/api"
TOKEN_URL = "https://temis.example/oauth/token"


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(exchange, "RETRY_WAIT_S", 0)


@pytest.fixture
def router():
    return respx.Router(assert_all_called=False)


@pytest.fixture
async def caller(router, clock):
    caller = Caller(URL, transport=httpx.MockTransport(router.async_handler), clock=clock)
    yield caller
    await caller.aclose()


@pytest.fixture
async def with_token(router, clock):
    transport = httpx.MockTransport(router.async_handler)
    token = TokenSource(TOKEN_URL, "gateway", "s", transport=transport, clock=clock)
    caller = Caller(URL, token=token, transport=transport, clock=clock)
    yield caller
    await caller.aclose()


def tokens(router, *names):
    answers = [httpx.Response(200, json={"access_token": n, "token_type": "Bearer"}) for n in names]
    return router.post(TOKEN_URL).mock(side_effect=answers)


def as_gzip(body):
    """An answer that claims to be gzip, decoded only when it is read."""

    async def parts():
        yield body

    return httpx.Response(200, content=parts(), headers={"content-encoding": "gzip"})


async def test_a_call_sends_json_and_parses_the_answer(router, caller):
    """What goes out is JSON by orjson, what comes back is what `parse` makes of it."""
    route = router.post(f"{URL}/x").respond(json={"n": 1})
    assert await caller.post("/x", {"tên": "Hòa"}, orjson.loads) == {"n": 1}
    request = route.calls.last.request
    assert request.content == '{"tên":"Hòa"}'.encode()
    assert request.headers["content-type"] == "application/json"


async def test_bytes_are_sent_as_they_are(router, caller):
    """A body that is serialised already is not serialised again."""
    route = router.post(f"{URL}/x").respond(json={})
    await caller.post("/x", b'{"a": 1}', orjson.loads)
    assert route.calls.last.request.content == b'{"a": 1}'


async def test_a_get_has_parameters_and_no_body(router, caller):
    """The change feed is read with its cursor in the query."""
    route = router.get(f"{URL}/x", params={"since": "7", "limit": "10"}).respond(json=[])
    await caller.get("/x", orjson.loads, {"since": "7", "limit": 10})
    assert route.calls.last.request.content == b""


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (301, Failing),
        (307, Failing),
        (400, RefusedWhole),
        (401, CredentialsRefused),
        (403, CredentialsRefused),
        (404, Failing),
        (408, Failing),
        (409, Failing),
        (410, Failing),
        (413, RefusedWhole),
        (422, RefusedWhole),
        (429, Throttled),
        (500, Failing),
        (502, Failing),
        (503, Throttled),
        (504, Failing),
    ],
)
async def test_every_status_has_its_error(router, caller, status, error):
    """The table of statuses: what is not 2xx is an error of a known kind, with status and excerpt."""
    route = router.post(f"{URL}/x").respond(status, text="why", headers={"location": f"{URL}/elsewhere"})
    with pytest.raises(error) as caught:
        await caller.post("/x", {}, orjson.loads)
    assert type(caught.value) is error
    assert caught.value.status == status
    assert caught.value.excerpt == b"why"
    assert route.call_count == 1  # no redirect followed, nothing retried


@pytest.mark.parametrize(
    ("error", "becomes", "calls"),
    [
        (httpx.ConnectError, NotSent, 2),
        (httpx.ConnectTimeout, NotSent, 2),
        (httpx.PoolTimeout, NotSent, 2),
        (httpx.ProxyError, NotSent, 2),
        (httpx.ReadTimeout, Unanswered, 1),
        (httpx.WriteTimeout, Unanswered, 1),
        (httpx.ReadError, Unanswered, 1),
        (httpx.WriteError, Unanswered, 1),
        (httpx.RemoteProtocolError, Unanswered, 1),
    ],
)
async def test_only_what_never_left_counts_as_not_sent(router, caller, error, becomes, calls):
    """A fault before sending is tried once more, which is safe; any fault after it is unknown and final."""
    route = router.post(f"{URL}/x").mock(side_effect=error("boom"))
    with pytest.raises(becomes):
        await caller.post("/x", {}, orjson.loads)
    assert route.call_count == calls


@pytest.mark.parametrize(
    "cause",
    [
        aiohttp.ServerDisconnectedError(),
        aiohttp.ClientOSError(104, "Connection reset by peer"),
        aiohttp.ClientConnectionResetError("Cannot write to closing transport"),
        aiohttp.SocketTimeoutError("Timeout on reading data"),
    ],
)
async def test_a_reset_after_sending_is_never_called_a_failed_connect(clock, cause):
    """The transport reports these as ConnectTimeout; believing it would send a stored record as new."""

    def breaks(_request):
        raise httpx.ConnectTimeout("as the transport says") from cause

    caller = Caller(URL, transport=httpx.MockTransport(breaks), clock=clock)
    with pytest.raises(Unanswered):
        await caller.post("/x", {}, orjson.loads)
    await caller.aclose()


async def test_a_connect_that_works_the_second_time_is_no_failure(router, caller):
    """One lost handshake costs nothing."""
    router.post(f"{URL}/x").mock(side_effect=[httpx.ConnectError("x"), httpx.Response(200, json={"ok": 1})])
    assert await caller.post("/x", {}, orjson.loads) == {"ok": 1}


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"a":', b"\xff\xfe"])
async def test_an_answer_that_does_not_parse_is_garbled(router, caller, body):
    """200 with something else than the contract's answer proves nothing about what was applied."""
    router.post(f"{URL}/x").respond(200, content=body)
    with pytest.raises(Garbled) as caught:
        await caller.post("/x", {}, orjson.loads)
    assert caught.value.excerpt == body


async def test_an_answer_over_the_limit_is_garbled_and_not_read_to_its_end(router, caller, monkeypatch):
    """An endless answer must not fill the memory."""
    parts = []

    async def endless():
        while True:
            parts.append(1)
            yield b"x" * 1_000_000

    router.post(f"{URL}/x").mock(return_value=httpx.Response(200, content=endless()))
    with pytest.raises(Garbled):
        await caller.post("/x", {}, orjson.loads)
    assert len(parts) <= 18


async def test_a_compressed_answer_is_bounded_by_its_real_size(router, caller):
    """A small body that inflates beyond the limit is refused like a large one."""
    router.post(f"{URL}/x").mock(return_value=as_gzip(gzip.compress(b"0" * 20_000_000)))
    with pytest.raises(Garbled):
        await caller.post("/x", {}, orjson.loads)


async def test_a_broken_compression_is_garbled(router, caller):
    """Content-Encoding that lies is an answer we cannot read, not a lost connection."""
    router.post(f"{URL}/x").mock(return_value=as_gzip(b"plain"))
    with pytest.raises(Garbled):
        await caller.post("/x", {}, orjson.loads)


async def test_an_error_page_is_cut_to_an_excerpt(router, caller):
    """Attempts keep at most 16 kB of what a destination said."""
    router.post(f"{URL}/x").respond(500, content=b"e" * 100_000)
    with pytest.raises(Failing) as caught:
        await caller.post("/x", {}, orjson.loads)
    assert caught.value.excerpt == b"e" * 16_384


async def test_a_refusal_whose_body_breaks_off_is_still_that_refusal(router, caller):
    """The status has been read: it says that nothing was applied."""

    async def breaks():
        yield b"so"
        raise httpx.ReadError("reset")

    router.post(f"{URL}/x").mock(return_value=httpx.Response(422, content=breaks()))
    with pytest.raises(RefusedWhole):
        await caller.post("/x", {}, orjson.loads)


async def test_an_answer_that_breaks_off_is_unanswered(router, caller):
    """Half an answer says nothing about what was applied."""

    async def breaks():
        yield b'{"answers":['
        raise httpx.ReadError("reset")

    router.post(f"{URL}/x").mock(return_value=httpx.Response(200, content=breaks()))
    with pytest.raises(Unanswered):
        await caller.post("/x", {}, orjson.loads)


async def test_no_error_quotes_what_was_sent_or_answered(router, caller):
    """Messages end in logs: they name the call and never a value."""
    router.post(f"{URL}/x").respond(200, content=b'{"full_name":"Nguyen Thi Hoa"')
    with pytest.raises(Garbled) as caught:
        await caller.post("/x", {"full_name": "Nguyen Thi Hoa"}, orjson.loads)
    assert "Hoa" not in str(caught.value)
    assert caught.value.__suppress_context__


async def test_the_time_limit_bounds_the_whole_call(router, clock):
    """A destination that drips its answer does not hold a worker beyond its lease."""

    async def drips():
        while True:
            await asyncio.sleep(0.001)
            yield b" "

    router.post(f"{URL}/x").mock(return_value=httpx.Response(200, content=drips()))
    caller = Caller(URL, timeout_s=0.05, transport=httpx.MockTransport(router.async_handler), clock=clock)
    with pytest.raises(Unanswered):
        await caller.post("/x", {}, orjson.loads)
    await caller.aclose()


async def test_running_out_of_time_for_the_token_is_not_sent(router, clock):
    """As long as no token has come, the call itself has not been made."""

    async def never(_request):
        await asyncio.Event().wait()

    router.post(TOKEN_URL).mock(side_effect=never)
    transport = httpx.MockTransport(router.async_handler)
    token = TokenSource(TOKEN_URL, "gateway", "s", transport=transport)
    caller = Caller(URL, token=token, timeout_s=0.05, transport=transport)
    with pytest.raises(NotSent):
        await caller.post("/x", {}, orjson.loads)
    await caller.aclose()


async def test_the_token_is_sent_and_shared(router, with_token):
    """One token serves many calls."""
    fetched = tokens(router, "one")
    route = router.post(f"{URL}/x").respond(json={})
    await with_token.post("/x", {}, orjson.loads)
    await with_token.post("/x", {}, orjson.loads)
    assert fetched.call_count == 1
    assert route.calls.last.request.headers["authorization"] == "Bearer one"


async def test_a_401_is_answered_by_one_fresh_token(router, with_token):
    """A token that ended early costs nobody a try."""
    tokens(router, "old", "new")
    route = router.post(f"{URL}/x")
    route.side_effect = [httpx.Response(401), httpx.Response(200, json={"ok": 1})]
    assert await with_token.post("/x", {}, orjson.loads) == {"ok": 1}
    assert [c.request.headers["authorization"] for c in route.calls] == ["Bearer old", "Bearer new"]


async def test_a_401_after_a_fresh_token_is_about_our_credentials(router, with_token):
    """The second 401 pauses the destination: there is no third call."""
    tokens(router, "old", "new", "never")
    route = router.post(f"{URL}/x").respond(401)
    with pytest.raises(CredentialsRefused):
        await with_token.post("/x", {}, orjson.loads)
    assert route.call_count == 2


async def test_a_403_is_not_asked_again(router, with_token):
    """A fresh token does not change what this client may do."""
    fetched = tokens(router, "one", "two")
    route = router.post(f"{URL}/x").respond(403)
    with pytest.raises(CredentialsRefused):
        await with_token.post("/x", {}, orjson.loads)
    assert (route.call_count, fetched.call_count) == (1, 1)


async def test_cookies_are_not_sent_back(router, caller):
    """A load balancer's cookie must not tie all calls to one machine behind it."""
    route = router.post(f"{URL}/x").respond(200, json={}, headers={"set-cookie": "node=7; Path=/"})
    await caller.post("/x", {}, orjson.loads)
    await caller.post("/x", {}, orjson.loads)
    assert "cookie" not in route.calls.last.request.headers


async def test_an_address_that_is_none_is_not_sent(clock):
    """A wrong address in the settings is told as not sent, never as a crash of the worker."""
    caller = Caller("ftp://temis.example", clock=clock)
    with pytest.raises(NotSent):
        await caller.post("/x", {}, orjson.loads)
    await caller.aclose()


async def test_a_call_carries_the_trace_of_the_request_it_is_made_for(router, caller):
    """W3C Trace Context goes on: same trace, a span of its own; what nobody waits for has its own."""
    route = router.post(f"{URL}/x").respond(200, json={})
    await caller.post("/x", {}, orjson.loads)
    with structlog.contextvars.bound_contextvars(trace_id="4bf92f3577b34da6a3ce929d0e0e4736"):
        for _ in range(2):
            await caller.post("/x", {}, orjson.loads)
    own, first, second = [parse(call.request.headers["traceparent"]) for call in route.calls]
    assert first.trace_id == second.trace_id == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert own.trace_id != first.trace_id
    assert first.span_id != second.span_id
