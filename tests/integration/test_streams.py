"""Streams over real sockets: whatever is cut, told or not read, every line counts exactly once."""

import asyncio
import gzip
import io
import random
from pathlib import Path

import orjson
import pytest

from tests.listening import POST_PATH, Desk, a_database, an_item, open_desk
from tests.streaming import STREAMS, lines_of, opened, read_as, sending


@pytest.fixture(params=["sqlite", "postgresql"])
async def desk(request: pytest.FixtureRequest, tmp_path: Path):
    url = await a_database(request.param, tmp_path, lambda: str(request.getfixturevalue("postgres_url")))
    async with open_desk(url, tmp_path) as found:
        yield found


@pytest.fixture
async def lite(tmp_path: Path):
    """On SQLite alone, for what the engine has no say in."""
    async with open_desk(f"sqlite:///{tmp_path / 'gateway.db'}", tmp_path) as found:
        yield found


async def sent_whole(desk: Desk, token: str, body: bytes, **headers: str):
    """One body in one go, its answer read to the end."""
    told = {"Content-Type": "application/x-ndjson", "Authorization": f"Bearer {token}", **headers}
    return await desk.ask("POST", POST_PATH, data=io.BytesIO(body), headers=told)


def told(body: bytes) -> list[dict]:
    return [orjson.loads(line) for line in body.splitlines()]


async def committed(desk: Desk, name: str) -> int:
    return int((await read_as(desk, f"{STREAMS}/{name}"))["committed_through_line"])


async def test_a_stream_is_committed_with_its_completions(desk):
    """Each line is received once, a checkpoint names the last, and only what is not plain is told."""
    stream = await opened(desk)
    assert stream["committed_through_line"] == 0
    bad = orjson.dumps({"eventId": "bad-1", "eventType": "COURSE_COMPLETED"}) + b"\n"
    body = lines_of(1, 600) + b"\n  \r\n" + bad + lines_of(5, 5)
    answer = await sent_whole(desk, stream["token"], body)
    assert answer.status == 200
    lines = told(answer.body)
    assert lines[-1] == {"committed_through_line": 604, "ended": "complete"}
    receipts = [line for line in lines if "line" in line]
    assert [(r["line"], r["status"]) for r in receipts] == [(603, "invalid"), (604, "duplicate")]
    assert receipts[0]["event_id"] == "bad-1"
    assert receipts[0]["errors"]
    assert await desk.arrived() == {"received": 600, "invalid": 1, "duplicate": 1}
    kept = await read_as(desk, f"{STREAMS}/{stream['stream']}/receipts")
    assert kept == {"receipts": receipts, "next": 604, "more": False}
    after = await read_as(desk, f"{STREAMS}/{stream['stream']}/receipts?after=603")
    assert [one["line"] for one in after["receipts"]] == [604]


async def test_cut_anywhere_and_resumed_every_line_counts_once(desk):
    """Ten cuts at random bytes: the sender goes on after the line it is told, nothing is lost or doubled."""
    chance, total = random.Random(20261122), 1_500
    lines = lines_of(1, total).splitlines(keepends=True)
    stream = await opened(desk)
    cuts = 0
    while cuts < 10:
        rest = b"".join(lines[stream["committed_through_line"] :])
        async with sending(desk, stream["token"]) as sender:
            upto = chance.randrange(1, max(2, min(len(rest), 90_000)))
            for at in range(0, upto, 7_001):
                await sender.send(rest[at : min(at + 7_001, upto)])
            if chance.random() < 0.5:
                await sender.head()
                await sender.checkpoint() if upto > 2_000 else None
            sender.cut()
        cuts += 1
        stream = await opened(desk, stream["stream"])
    rest = b"".join(lines[stream["committed_through_line"] :])
    answer = await sent_whole(desk, stream["token"], rest)
    assert told(answer.body)[-1] == {"committed_through_line": total, "ended": "complete"}
    assert stream["committed_through_line"] > 0  # the cuts did not undo everything
    assert await desk.arrived() == {"received": total}
    assert (await read_as(desk, f"{STREAMS}/{stream['stream']}/receipts"))["receipts"] == []


async def test_a_line_cut_short_is_no_line(lite):
    """Without its end a last line may be half a line: it counts only where the body ended properly."""
    stream = await opened(lite)
    async with sending(lite, stream["token"]) as sender:
        await sender.send(lines_of(1, 2)[:-1])
        assert await sender.head() == 200
        assert await sender.checkpoint() == 1
        sender.cut()
    stream = await opened(lite, stream["stream"])
    assert stream["committed_through_line"] == 1
    answer = await sent_whole(lite, stream["token"], lines_of(2, 2)[:-1])
    assert told(answer.body)[-1] == {"committed_through_line": 2, "ended": "complete"}
    assert await lite.arrived() == {"received": 2}


async def test_a_sender_that_reads_only_afterwards_is_never_waited_for(lite):
    """Most HTTP clients read when all is sent: what finds no room is left out, and fetched afterwards."""
    total = 12_000
    stream = await opened(lite)
    async with sending(lite, stream["token"], limit=1024) as sender:
        async with asyncio.timeout(120):
            for _ in range(total // 1_000):
                await sender.send(b'{"eventType":"COURSE_COMPLETED"}\n' * 1_000)
            await sender.finish()
            await until_committed(lite, stream["stream"], total)
            assert await sender.head() == 200
            lines = await sender.rest()
    last = lines[-1]
    assert (last["committed_through_line"], last["ended"]) == (total, "complete")
    read = [line["line"] for line in lines if "line" in line]
    assert read == list(range(1, last["receipts_after"] + 1))
    assert 0 < last["receipts_after"] < total
    after, fetched, more = last["receipts_after"], [], True
    while more:
        page = await read_as(lite, f"{STREAMS}/{stream['stream']}/receipts?after={after}")
        fetched += [one["line"] for one in page["receipts"]]
        after, more = page["next"], page["more"]
    assert read + fetched == list(range(1, total + 1))


async def until_committed(desk: Desk, name: str, line: int) -> None:
    while await committed(desk, name) < line:
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("members", [1, 3])
async def test_gzip_is_unpacked_as_it_comes(lite, members):
    """A packed body is the same stream, of one member or of several."""
    lines = lines_of(1, 300).splitlines(keepends=True)
    size = len(lines) // members
    packed = b"".join(gzip.compress(b"".join(lines[i * size : (i + 1) * size])) for i in range(members))
    stream = await opened(lite)
    answer = await sent_whole(lite, stream["token"], packed, **{"Content-Encoding": "gzip"})
    assert told(answer.body)[-1] == {"committed_through_line": 300, "ended": "complete"}
    assert await lite.arrived() == {"received": 300}


async def test_gzip_that_ends_too_soon_is_cut(lite):
    """A packed body without its trailer did not end properly, whatever HTTP says: its last line may be half."""
    packed = gzip.compress(lines_of(1, 300)[:-1])
    stream = await opened(lite)
    answer = await sent_whole(lite, stream["token"], packed[:-20], **{"Content-Encoding": "gzip"})
    assert told(answer.body)[-1]["ended"] == "cut"
    done = (await opened(lite, stream["stream"]))["committed_through_line"]
    assert 0 < done < 300
    assert await lite.arrived() == {"received": done}


@pytest.mark.parametrize(
    ("body", "code"),
    [(b"no gzip at all", "body.not_gzip"), (gzip.compress(b" " * 40_000_000, 9), "body.too_dense")],
    ids=["not_gzip", "bomb"],
)
async def test_what_only_claims_to_be_packed_lines_is_refused(lite, body, code):
    """Bytes that are no gzip, and a bomb, end the stream with a problem; memory stays as it was."""
    stream = await opened(lite)
    answer = await sent_whole(lite, stream["token"], body, **{"Content-Encoding": "gzip"})
    last = told(answer.body)[-1]
    assert (last["ended"], last["problem"]["code"]) == ("refused", code)
    assert last["problem"]["detail"]


async def test_a_line_too_long_is_a_fault_of_its_own(lite):
    """One endless line costs neither memory nor the lines beside it."""
    stream = await opened(lite)
    body = lines_of(1, 1) + b'{"eventId":"' + b"x" * 3_000_000 + b'"}\n' + lines_of(2, 2)
    answer = await sent_whole(lite, stream["token"], body)
    lines = told(answer.body)
    assert [(r["line"], r["errors"][0]["code"]) for r in lines if "line" in r] == [(2, "line.too_long")]
    assert await lite.arrived() == {"received": 2, "invalid": 1}


async def test_a_running_stream_outlives_its_token(lite):
    """The token is asked for when a body begins; the next body needs a new one."""
    stream = await opened(lite)
    async with sending(lite, stream["token"]) as sender:
        await sender.send(lines_of(1, 1))
        assert await sender.head() == 200
        assert await sender.checkpoint() == 1
        lite.clock.advance(s=901)
        await sender.send(lines_of(2, 2))
        await sender.finish()
        assert (await sender.rest())[-1] == {"committed_through_line": 2, "ended": "complete"}
    answer = await sent_whole(lite, stream["token"], lines_of(3, 3))
    assert (answer.status, answer.code) == (401, "token.expired")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert await lite.arrived() == {"received": 2}


async def test_an_older_epoch_commits_nothing_more(desk):
    """Once a stream is opened again, what its old connection still sends is refused, in its own transaction."""
    stream = await opened(desk)
    async with sending(desk, stream["token"]) as old:
        await old.send(lines_of(1, 3))
        assert await old.head() == 200
        assert await old.checkpoint() == 3
        again = await opened(desk, stream["stream"])
        assert again["committed_through_line"] == 3
        await old.send(lines_of(4, 6))
        last = (await old.rest())[-1]
        assert (last["ended"], last["problem"]["code"]) == ("refused", "stream.superseded")
        assert last["committed_through_line"] == 3
    assert await desk.arrived() == {"received": 3}
    answer = await sent_whole(desk, stream["token"], lines_of(4, 6))
    assert (answer.status, answer.code) == (409, "stream.superseded")
    answer = await sent_whole(desk, again["token"], lines_of(4, 6))
    assert told(answer.body)[-1] == {"committed_through_line": 6, "ended": "complete"}
    assert await desk.arrived() == {"received": 6}


async def test_two_bodies_under_one_token_cannot_both_move_the_stream(lite):
    """Lines are counted from where the token was issued, so a second body under it must not commit as well."""
    stream = await opened(lite)
    async with sending(lite, stream["token"]) as one, sending(lite, stream["token"]) as other:
        assert await one.head() == await other.head() == 200
        await one.send(lines_of(1, 2))
        assert await one.checkpoint() == 2
        await other.send(lines_of(1, 2))
        assert (await other.rest())[-1]["problem"]["code"] == "stream.superseded"
        await one.finish()
        assert (await one.rest())[-1]["ended"] == "complete"
    assert await lite.arrived() == {"received": 2}


async def test_the_end_of_the_process_ends_a_stream_at_a_checkpoint(lite):
    """SIGTERM: what came in whole lines is committed and told, the rest is the next process's."""
    stream = await opened(lite)
    async with sending(lite, stream["token"]) as sender:
        await sender.send(lines_of(1, 3) + b'{"eventId":')
        assert await sender.head() == 200
        await sender.checkpoint()
        lite.context.drain.begin()
        last = (await sender.rest())[-1]
        assert last == {"committed_through_line": 3, "ended": "draining"}
        async with asyncio.timeout(10):
            await lite.context.drain.empty()
    assert await lite.arrived() == {"received": 3}


async def test_a_silent_stream_is_ended(tmp_path):
    """A connection that nobody feeds is given back, at a checkpoint."""
    async with open_desk(f"sqlite:///{tmp_path / 'gateway.db'}", tmp_path, stream_idle_s=0.3) as desk:
        stream = await opened(desk)
        async with sending(desk, stream["token"]) as sender:
            await sender.send(lines_of(1, 1))
            assert await sender.head() == 200
            assert (await sender.rest())[-1] == {"committed_through_line": 1, "ended": "idle"}


@pytest.mark.parametrize(
    ("authorization", "code"),
    [(None, "token.missing"), ("Bearer nonsense", "token.invalid"), ("reading", "token.invalid")],
)
async def test_lines_need_the_token_of_a_stream(lite, authorization, code):
    """Neither nothing, nor anything, nor a token for reading opens the way."""
    if authorization == "reading":
        token = (await lite.post({"purpose": "read"}, path="/v1/vendors/viettel/tokens")).json()["token"]
        authorization = f"Bearer {token}"
    headers = {"Content-Type": "application/x-ndjson"}
    if authorization:
        headers["Authorization"] = authorization
    answer = await lite.ask("POST", POST_PATH, data=lines_of(1, 1), headers=headers)
    assert (answer.status, answer.code) == (401, code)
    assert await lite.arrived() == {}


async def test_a_stream_is_its_vendors_alone(lite):
    """A token opens no other vendor's address, and the name of a stream finds nothing there."""
    from gateway.queue.vendors import add_vendor

    secret = await add_vendor(lite.gateway.db, lite.gateway.vault, lite.clock, "vnpt", "vnpt")
    lite.clock.advance(s=3)  # vendors are read again
    stream = await opened(lite, "mine")
    headers = {"Content-Type": "application/x-ndjson", "Authorization": f"Bearer {stream['token']}"}
    answer = await lite.ask("POST", "/v1/vendors/vnpt/completions", data=lines_of(1, 1), headers=headers)
    assert (answer.status, answer.code) == (401, "token.invalid")
    theirs = await lite.post({"purpose": "read"}, path="/v1/vendors/vnpt/tokens", secret=secret)
    reading = {"Authorization": f"Bearer {theirs.json()['token']}"}
    answer = await lite.ask("GET", "/v1/vendors/vnpt/streams/mine", headers=reading)
    assert (answer.status, answer.code) == (404, "not_found")


async def test_a_sender_may_wait_for_the_nod(lite):
    """`Expect: 100-continue` is answered although no length is stated, as curl asks it."""
    stream = await opened(lite)
    async with sending(lite, stream["token"], headers=["Expect: 100-continue"]) as sender:
        assert await sender.head() == 100
        await sender.send(lines_of(1, 1))
        await sender.finish()
        assert await sender.head() == 200
        assert (await sender.rest())[-1]["committed_through_line"] == 1


async def test_what_opens_a_stream_is_checked(lite):
    """A body that is not the contract's opens nothing."""
    for wrong in ({"stream": "a b"}, {"stream": ""}, {"name": "x"}, [1], {"stream": "x" * 65}):
        answer = await lite.post(wrong, path=STREAMS)
        assert (answer.status, answer.code) == (422, "body.not_contract")
    assert (await lite.post({"stream": "nightly"}, path=STREAMS)).status == 201
    assert (await lite.post({"stream": "nightly"}, path=STREAMS)).status == 200


async def test_batches_and_streams_know_each_other(lite):
    """An event sent both ways is one event."""
    await lite.post([an_item("line-1")])
    stream = await opened(lite)
    answer = await sent_whole(lite, stream["token"], lines_of(1, 2))
    assert [(r["line"], r["status"]) for r in told(answer.body) if "line" in r] == [(1, "duplicate")]
    assert await lite.arrived() == {"received": 2, "duplicate": 1}
