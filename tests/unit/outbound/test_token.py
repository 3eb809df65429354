"""gateway/outbound/token.py: OAuth2 client credentials."""

import asyncio
import base64

import httpx
import pytest
import respx

from gateway.model.errors import CredentialsRefused, NotSent, Throttled
from gateway.outbound import exchange
from gateway.outbound.token import TokenSource

URL = "https://id.example/oauth/token"


class Seconds:
    """A monotonic clock that only the test moves."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(exchange, "RETRY_WAIT_S", 0)


@pytest.fixture
def now():
    return Seconds()


@pytest.fixture
def router():
    return respx.Router(assert_all_called=False)


@pytest.fixture
async def source(router, now, clock):
    transport = httpx.MockTransport(router.async_handler)
    source = TokenSource(
        URL, "gate way", "p:s/ệ", scope="bdtx", transport=transport, now=now, clock=clock, timeout_s=0.05
    )
    yield source
    await source.aclose()


def answer(token="t", **more):
    return httpx.Response(200, json={"access_token": token, "token_type": "Bearer", "expires_in": 3600} | more)


async def test_it_asks_by_client_credentials(router, source):
    """Name and secret go form-encoded in HTTP Basic (RFC 6749 2.3.1), never in the body or the URL."""
    route = router.post(URL).mock(return_value=answer())
    assert await source.get() == "t"
    request = route.calls.last.request
    assert request.content == b"grant_type=client_credentials&scope=bdtx"
    pair = base64.b64decode(request.headers["authorization"].removeprefix("Basic ")).decode()
    assert pair == "gate+way:p%3As%2F%E1%BB%87"


async def test_many_callers_share_one_fetch(router, source):
    """A thousand workers that start together ask the token endpoint once."""
    route = router.post(URL).mock(return_value=answer())
    assert set(await asyncio.gather(*(source.get() for _ in range(1000)))) == {"t"}
    assert route.call_count == 1


async def test_it_is_renewed_a_minute_before_it_ends(router, source, now):
    """No call starts with a token that ends on the way."""
    router.post(URL).mock(side_effect=[answer("one"), answer("two")])
    assert await source.get() == "one"
    now.at = 3539
    assert await source.get() == "one"
    now.at = 3540
    assert await source.get() == "two"


async def test_a_short_token_is_used_for_half_its_life(router, source, now):
    """A destination whose tokens last a minute is not asked for one at each call."""
    router.post(URL).mock(side_effect=[answer("one", expires_in=60), answer("two")])
    await source.get()
    now.at = 29
    assert await source.get() == "one"
    now.at = 30
    assert await source.get() == "two"


async def test_without_a_stated_life_five_minutes_are_assumed(router, source, now):
    """`expires_in` is optional in the RFC."""
    first = httpx.Response(200, json={"access_token": "one", "token_type": "bearer"})
    router.post(URL).mock(side_effect=[first, answer("two")])
    await source.get()
    now.at = 239
    assert await source.get() == "one"
    now.at = 240
    assert await source.get() == "two"


async def test_a_failed_renewal_keeps_the_token_that_still_holds(router, source, now):
    """The token endpoint may be down for the last minute of a token without anybody noticing."""
    router.post(URL).mock(side_effect=[answer("one"), httpx.Response(500), httpx.Response(500)])
    await source.get()
    now.at = 3550
    assert await source.get() == "one"
    now.at = 3600
    with pytest.raises(NotSent):
        await source.get()


async def test_an_invalidated_token_is_not_used_again(router, source):
    """After a 401 the next call brings a new token."""
    router.post(URL).mock(side_effect=[answer("one"), answer("two")])
    source.invalidate(await source.get())
    assert await source.get() == "two"


async def test_only_the_present_token_can_be_invalidated(router, source):
    """Ten calls that meet the same ended token lead to one new one, not to ten."""
    route = router.post(URL).mock(side_effect=[answer("one"), answer("two")])
    old = await source.get()
    source.invalidate(old)
    await source.get()
    source.invalidate(old)
    assert await source.get() == "two"
    assert route.call_count == 2


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (httpx.Response(400, json={"error": "invalid_client"}), CredentialsRefused),
        (httpx.Response(401, json={"error": "invalid_client"}), CredentialsRefused),
        (httpx.Response(403), CredentialsRefused),
        (httpx.Response(429, headers={"retry-after": "3"}), Throttled),
        (httpx.Response(503), Throttled),
        (httpx.Response(500), NotSent),
        (httpx.Response(302, headers={"location": "https://evil.example"}), NotSent),
        (httpx.Response(200, text="<html>"), NotSent),
        (httpx.Response(200, json={"access_token": "", "token_type": "Bearer"}), NotSent),
        (httpx.Response(200, json={"access_token": "a\r\nb", "token_type": "Bearer"}), NotSent),
        (httpx.Response(200, json={"access_token": "t", "token_type": "mac"}), NotSent),
    ],
)
async def test_every_failure_says_that_the_call_was_not_made(router, source, reply, error):
    """Whatever the token endpoint does, the record it was for has not been sent: its outcome is known."""
    router.post(URL).mock(return_value=reply)
    with pytest.raises(error) as caught:
        await source.get()
    assert type(caught.value) is error


@pytest.mark.parametrize("fault", [httpx.ReadTimeout, httpx.ReadError, httpx.ConnectError])
async def test_no_answer_from_the_token_endpoint_is_not_sent(router, source, fault):
    """A token request that was lost on the way back is still no sent record."""
    router.post(URL).mock(side_effect=fault("x"))
    with pytest.raises(NotSent):
        await source.get()


async def test_a_silent_token_endpoint_ends_by_its_time_limit(router, source):
    """Waiting for a token has an end of its own."""

    async def never(_request):
        await asyncio.Event().wait()

    router.post(URL).mock(side_effect=never)
    with pytest.raises(NotSent):
        await source.get()


async def test_a_caller_that_gives_up_does_not_stop_the_fetch(router, source):
    """The token that one impatient worker began to fetch serves the next one."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_request):
        begun.set()
        await go_on.wait()
        return answer("shared")

    route = router.post(URL).mock(side_effect=slow)
    impatient = asyncio.create_task(source.get())
    await begun.wait()
    impatient.cancel()
    patient = asyncio.create_task(source.get())
    await asyncio.sleep(0)
    go_on.set()
    assert await patient == "shared"
    assert route.call_count == 1


async def test_no_error_quotes_the_secret_or_the_token(router, source):
    """Errors end in logs."""
    router.post(URL).respond(200, json={"access_token": "very secret\n", "token_type": "Bearer"})
    with pytest.raises(NotSent) as caught:
        await source.get()
    assert "secret" not in str(caught.value)
    assert caught.value.excerpt == b""
    assert caught.value.__suppress_context__
