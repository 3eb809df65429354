"""A night's results in one stream, cut again and again: each line once, and memory that does not grow."""

import asyncio
import random
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson
import pytest

from bench.checks import balance_of
from bench.place import Place, a_place
from bench.processes import running
from gateway.security.signatures import sign
from tests.streaming import Sending, head_of

TOTAL, CUTS = 1_000_000, 10
MEMORY_MB = 200
LINE = (
    b'{"eventId":"night-%d","eventType":"COURSE_COMPLETED","revision":1,"occurredAt":1773032400000,'
    b'"user":{"userId":"5f0a5f0a5f0a5f0a5f0a%04d","fullName":"Nguy\xe1\xbb\x85n Th\xe1\xbb\x8b H\xc3\xb2a",'
    b'"sectorCode":"03100000001"},"course":{"courseId":"course-%d","courseCode":"GVPT 03",'
    b'"schoolYear":"2025-2026","periods":40},"result":{"score":8.5,"maxScore":10,"passed":true}}\n'
)


def pieces(first: int) -> Iterator[bytes]:
    """The lines from `first` on, some at a time."""
    for start in range(first, TOTAL, 200):
        yield b"".join(LINE % (n, n % 10_000, n % 50) for n in range(start, min(start + 200, TOTAL)))


async def opened(place: Place) -> dict[str, Any]:
    """Opens the stream, new or again."""
    asked = orjson.dumps({"stream": "night"})
    headers = sign(place.secret, f"msg-{time.monotonic_ns()}", int(time.time()), asked)
    headers["Content-Type"] = "application/json"
    at = f"{place.address}/v1/vendors/viettel/streams"
    async with aiohttp.ClientSession() as session, session.post(at, data=asked, headers=headers) as answer:
        assert answer.status in (200, 201), await answer.text()
        return await answer.json()


async def send(place: Place, cut_at: int | None) -> dict[str, Any]:
    """Sends what is missing, or `cut_at` bytes of it. Returns: the last line of the answer."""
    stream = await opened(place)
    at = urlsplit(place.address)
    reader, writer = await asyncio.open_connection(at.hostname, at.port)
    sender = Sending(reader, writer)
    writer.write(head_of(stream["token"]))
    sent = 0
    for piece in pieces(stream["committed_through_line"]):
        left = len(piece) if cut_at is None else cut_at - sent
        await sender.send(piece[:left])
        sent += len(piece)
        if left < len(piece):
            sender.cut()
            await gone(writer)
            return {}
    await sender.finish()
    assert await sender.head() == 200
    last = (await sender.rest())[-1]
    writer.close()
    await gone(writer)
    return last


async def gone(writer: asyncio.StreamWriter) -> None:
    """Returns once the connection is closed, however it ended."""
    with suppress(ConnectionError):
        await writer.wait_closed()


@pytest.mark.large
async def test_a_million_lines_cut_ten_times_count_once_each_in_little_memory():
    """Ten cuts at random bytes: the ledger has each line once, and the server stays below 200 MB."""
    chance = random.Random(1_000_000)
    async with a_place(1) as place:
        argv, log = ["gateway", "serve", "--no-worker"], place.folder / "serve.log"
        async with running("gateway", argv, place.environment(), log) as process:
            average = len(LINE) * TOTAL // (CUTS + 1)
            for _ in range(CUTS):
                assert await send(place, chance.randrange(1, average)) == {}
            last = await send(place, None)
            assert last == {"committed_through_line": TOTAL, "ended": "complete"}
            assert process.peak_mb() < MEMORY_MB
        sheet = await balance_of(place)
        assert (sheet.received, sheet.states["accepted"]) == (TOTAL, TOTAL)
