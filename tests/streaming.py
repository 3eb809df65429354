"""A vendor who streams over a bare socket, so that a test decides what is sent, cut and read, to the byte."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import orjson

from tests.listening import POST_PATH, Desk, an_item

STREAMS = "/v1/vendors/viettel/streams"


def lines_of(first: int, last: int, **changes: Any) -> bytes:
    """Items event-first..event-last, a line each."""
    return b"".join(orjson.dumps(an_item(f"line-{n}", **changes)) + b"\n" for n in range(first, last + 1))


async def opened(desk: Desk, name: str | None = None) -> dict[str, Any]:
    """Opens a stream, new or again."""
    answer = await desk.post({} if name is None else {"stream": name}, path=STREAMS)
    assert answer.status in (200, 201), answer.body
    found = answer.json()
    assert isinstance(found, dict)
    return found


async def read_as(desk: Desk, path: str) -> Any:
    """GET with a token for reading."""
    token = (await desk.post({"purpose": "read"}, path="/v1/vendors/viettel/tokens")).json()["token"]
    answer = await desk.ask("GET", path, headers={"Authorization": f"Bearer {token}"})
    assert answer.status == 200, answer.body
    return answer.json()


@dataclass
class Sending:
    """One connection that sends a chunked body."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    lines: list[dict[str, Any]] = field(default_factory=list)

    async def send(self, data: bytes) -> None:
        if data:
            self.writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
            await self.writer.drain()

    async def finish(self) -> None:
        self.writer.write(b"0\r\n\r\n")
        await self.writer.drain()

    def cut(self) -> None:
        """The connection is gone, without a word."""
        self.writer.transport.abort()

    async def head(self) -> int:
        """The status; the headers are read past."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        return int(head.split(b" ", 2)[1])

    async def rest(self) -> list[dict[str, Any]]:
        """Every line of the answer that has not been read yet."""
        body = b""
        while size := int(await self.reader.readline() or b"0", 16):
            body += await self.reader.readexactly(size)
            await self.reader.readexactly(2)
        return [orjson.loads(line) for line in body.splitlines()]

    async def checkpoint(self) -> int:
        """The next checkpoint; what stands before it is left unread only if the answer was."""
        size = int(await self.reader.readline(), 16)
        chunk = await self.reader.readexactly(size)
        await self.reader.readexactly(2)
        self.lines += [orjson.loads(line) for line in chunk.splitlines()]
        found = [line["committed_through_line"] for line in self.lines if "committed_through_line" in line]
        return int(found[-1]) if found else await self.checkpoint()


def head_of(token: str, headers: Iterable[str] = ()) -> bytes:
    """The head of a request whose lines follow in chunks."""
    head = [
        f"POST {POST_PATH} HTTP/1.1",
        "Host: gateway",
        "Content-Type: application/x-ndjson",
        "Transfer-Encoding: chunked",
        f"Authorization: Bearer {token}",
        *headers,
    ]
    return ("\r\n".join(head) + "\r\n\r\n").encode()


@asynccontextmanager
async def sending(
    desk: Desk, token: str, *, headers: Iterable[str] = (), limit: int = 2**16
) -> AsyncIterator[Sending]:
    """Opens the connection and sends the head."""
    at = urlsplit(desk.address)
    reader, writer = await asyncio.open_connection(at.hostname, at.port, limit=limit)
    writer.write(head_of(token, headers))
    try:
        yield Sending(reader, writer)
    finally:
        writer.transport.abort()
