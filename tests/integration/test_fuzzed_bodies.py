"""Any bytes at all, signed or streamed by a vendor: an answer each time, never a crash, a hang or a 500."""

import asyncio
import gzip
import io
import json
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack
from typing import Any

import orjson
import pytest
import uvloop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.listening import POST_PATH, Desk, an_item, open_desk
from tests.streaming import opened

FUZZ = settings(
    max_examples=100,
    deadline=None,  # the machine is shared; `answered` sets the limit that counts
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
ANSWER_S = 10
VALID = orjson.dumps([an_item("fuzz-1"), an_item("fuzz-2", revision=2)])

_scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
_json = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
_names = st.sampled_from(["eventId", "eventType", "revision", "occurredAt", "user", "course", "result"])
_items = st.dictionaries(_names, _json, max_size=7).map(lambda changes: {**an_item("fuzz-3"), **changes})


@st.composite
def _damaged(draw: st.DrawFn, whole: bytes = VALID) -> bytes:
    """A valid body with some bytes taken out and others put in."""
    start = draw(st.integers(0, len(whole)))
    end = draw(st.integers(start, min(len(whole), start + 40)))
    return whole[:start] + draw(st.binary(max_size=12)) + whole[end:]


def _dumped(value: object) -> bytes:
    return json.dumps(value).encode()  # NaN and lone surrogates too, which nobody may send


bodies = st.binary(max_size=200) | _damaged() | _json.map(_dumped) | st.lists(_items, max_size=3).map(_dumped)
streams = st.lists(
    st.binary(max_size=60) | _items.map(_dumped) | _damaged(orjson.dumps(an_item("fuzz-4"))), max_size=6
).map(b"\n".join)

Run = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Desk, Run]]:
    """One gateway for all examples, and the loop it lives in."""
    folder = tmp_path_factory.mktemp("fuzz")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        stack = AsyncExitStack()
        desk = runner.run(stack.enter_async_context(open_desk(f"sqlite:///{folder / 'gateway.db'}", folder)))
        yield desk, runner.run
        sheet = runner.run(desk.arrived())  # which asserts that the balance closes
        assert sheet["quarantined"] > 0
        runner.run(stack.aclose())


async def answered(asking: Coroutine[Any, Any, Any]) -> Any:
    async with asyncio.timeout(ANSWER_S):
        return await asking


@FUZZ
@given(body=bodies)
def test_any_signed_body_is_answered(place, body):
    """Whatever is signed, the answer is a receipt or a problem that names what is wrong."""
    desk, run = place
    answer = run(answered(desk.post(body)))
    assert answer.status in {202, 400, 409, 413, 422}, (answer.status, body)
    if answer.status == 202:
        assert answer.json()["receipts"]
    else:
        assert answer.code


@FUZZ
@given(body=streams, packed=st.sampled_from(["", "gzip", "claimed"]))
def test_any_stream_is_answered(place, body, packed):
    """Whatever is streamed, every line has its place, and the last line of the answer says where it ended."""
    desk, run = place
    token = run(opened(desk))["token"]
    headers = {"Content-Type": "application/x-ndjson", "Authorization": f"Bearer {token}"}
    if packed:
        headers["Content-Encoding"] = "gzip"
    data = io.BytesIO(gzip.compress(body) if packed == "gzip" else body)
    answer = run(answered(desk.ask("POST", POST_PATH, data=data, headers=headers)))
    assert answer.status == 200
    last = orjson.loads(answer.body.splitlines()[-1])
    if packed == "claimed" and body:
        assert last["ended"] in {"refused", "cut"}
        assert last["committed_through_line"] == 0
    else:
        n_lines = body.count(b"\n") + (not body.endswith(b"\n") and body != b"")
        assert last == {"committed_through_line": n_lines, "ended": "complete"}


@FUZZ
@given(head=st.binary(max_size=80))
def test_any_token_is_answered(place, head):
    """A header of any bytes that HTTP lets pass opens nothing, and breaks nothing."""
    desk, run = place
    value = "Bearer " + "".join(chr(byte) for byte in head if 32 < byte < 127)
    headers = {"Content-Type": "application/x-ndjson", "Authorization": value}
    answer = run(answered(desk.ask("POST", POST_PATH, data=b"{}\n", headers=headers)))
    assert answer.status == 401
    assert answer.code in {"token.missing", "token.invalid"}
