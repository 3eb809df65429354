"""The vendor's LMS of a measurement, a process of its own: signed requests over keep-alive connections.

stdin: a line of JSON (Spec), later `go`; stdout: `ready` once every request is built, then JSON (Sent).
"""

import asyncio
import re
import sys
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Generic, TypeVar, cast
from urllib.parse import urlsplit

import orjson
import uvloop

from bench import completions
from bench.place import Place
from bench.processes import Process, running
from gateway.security.signatures import sign

Came = TypeVar("Came")  # what came of it, as the generator's process tells
WITHIN_S = 900.0
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.I)
_TAKEN = b'"status":"accepted"'


@dataclass(frozen=True, slots=True)
class Spec:
    """What to send: `total` items in bodies of `batch` over `connections`, after `warm` that do not count.

    `rate_per_s` 0: as fast as answers come; else so many requests a second, however slow the answers are.
    `first`: of the made-up completions so many are left out. `run` sets event ids apart from other runs' ones.
    """

    address: str
    secret: str
    total: int
    batch: int = 1
    connections: int = 64
    warm: int = 0
    rate_per_s: float = 0
    first: int = 0
    run: int = 0


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of it. Times of answers are from the moment a request was due."""

    took_s: float
    statuses: dict[str, int]
    accepted: int  # receipts that say so, those of `warm` included
    p50_ms: float
    p99_ms: float
    cpu_s: float  # of the load generator itself

    @property
    def all_taken(self) -> bool:
        return set(self.statuses) == {"202"}


class Load(Generic[Came]):
    """A load generator whose requests are built."""

    def __init__(self, process: Process, came: type[Came]) -> None:
        self._process = process
        self._came = came

    async def go(self) -> Came:
        """Sends everything. Raises: Failed."""
        await self._process.tell(b"go")
        return self._came(**orjson.loads(await self._process.line(WITHIN_S)))


@asynccontextmanager
async def generator(name: str, place: Place, spec: Spec, came: type[Came]) -> AsyncIterator[Load[Came]]:
    """The load generator of `bench/NAME.py`, ready to go."""
    argv, log = [f"bench.{name}"], place.folder / f"{name}.log"
    async with running(name, argv, place.environment(), log, talks=True) as process:
        await process.tell(orjson.dumps(asdict(spec)))
        assert await process.line(WITHIN_S) == b"ready\n"
        yield Load(process, came)


def load(place: Place, spec: Spec) -> AbstractAsyncContextManager[Load[Sent]]:
    """A load generator that is ready to go."""
    return generator("load", place, spec, Sent)


class _Connection(asyncio.Protocol):
    """One keep-alive connection with at most one request on its way."""

    def __init__(self, sender: "_Sender") -> None:
        self._sender = sender
        self._answer = b""
        self._due = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def send(self, request: bytes, due: float) -> None:
        assert self._transport is not None
        self._due = due
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head = self._answer.find(b"\r\n\r\n")
        found = _LENGTH.search(self._answer, 0, head + 2) if head >= 0 else None
        if found is None or len(self._answer) < head + 4 + int(found[1]):
            return
        answer, self._answer = self._answer, b""
        self._sender.answered(self, answer, self._due)

    def connection_lost(self, error: Exception | None) -> None:
        self._sender.lost()


class _Sender:
    """Hands requests to connections and notes the answers."""

    def __init__(self, requests: Iterator[bytes]) -> None:
        self._requests = requests
        self._idle: list[_Connection] = []
        self._due: deque[float] = deque()  # due already, while every connection waits for an answer
        self._left = 0
        self._done: asyncio.Future[None] | None = None
        self.took_ms: list[float] = []
        self.statuses: Counter[str] = Counter()
        self.accepted = 0

    async def connect(self, address: str, count: int) -> None:
        place, loop = urlsplit(address), asyncio.get_running_loop()
        host, port = str(place.hostname), place.port or 80
        for _ in range(count):
            _, connection = await loop.create_connection(lambda: _Connection(self), host, port)
            self._idle.append(connection)

    async def send(self, total: int, rate_per_s: float = 0) -> None:
        """The next `total` requests; returns when all are answered. Raises: ConnectionError."""
        self.took_ms = []
        self._left = total
        self._done = asyncio.get_running_loop().create_future()
        if rate_per_s:
            await self._pace(total, rate_per_s)
        else:
            self._due.extend([0.0] * total)
            while self._idle and self._due:
                self._next(self._idle.pop())
        await self._done

    def answered(self, connection: _Connection, answer: bytes, due: float) -> None:
        self.took_ms.append((time.perf_counter() - due) * 1000)
        self.statuses[answer[9:12].decode()] += 1
        self.accepted += answer.count(_TAKEN)
        self._left -= 1
        if self._due:
            self._next(connection)
        else:
            self._idle.append(connection)
        if not self._left and self._done is not None and not self._done.done():
            self._done.set_result(None)

    def lost(self) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_exception(ConnectionError(f"a connection ended with {self._left} requests left"))

    def _next(self, connection: _Connection) -> None:
        connection.send(next(self._requests), self._due.popleft() or time.perf_counter())

    async def _pace(self, total: int, rate_per_s: float) -> None:
        started = time.perf_counter()
        for number in range(total):
            due = started + number / rate_per_s
            if (wait_s := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait_s)
            self._due.append(due)
            if self._idle:
                self._next(self._idle.pop())


async def _main(spec: Spec, wait_for_go: Callable[[], object]) -> Sent:
    items = completions.bodies(spec.warm + spec.total, first=spec.first, run=spec.run)
    warm = list(completions.batched(islice(items, spec.warm), spec.batch))
    bodies = list(completions.batched(items, spec.batch))
    requests: Iterator[bytes] = (_request(spec, n, body) for n, body in enumerate([*warm, *bodies]))
    if not spec.rate_per_s:  # else each is signed when it is sent, since a signature ages
        requests = iter(list(requests))
    sender = _Sender(requests)
    await sender.connect(spec.address, spec.connections)
    print("ready", flush=True)
    await asyncio.to_thread(wait_for_go)
    if warm:
        await sender.send(len(warm))
    started, cpu_s = time.perf_counter(), time.process_time()
    await sender.send(len(bodies), spec.rate_per_s)
    took_s, cpu_s = time.perf_counter() - started, time.process_time() - cpu_s
    times = sorted(sender.took_ms)
    return Sent(
        took_s=took_s,
        statuses=dict(sender.statuses),
        accepted=sender.accepted,
        p50_ms=times[len(times) // 2],
        p99_ms=times[len(times) * 99 // 100],
        cpu_s=cpu_s,
    )


def _request(spec: Spec, number: int, body: bytes) -> bytes:
    headers = sign(spec.secret, f"bench-{spec.run}-{number}", int(time.time()), body) | {
        "Host": urlsplit(spec.address).netloc,
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    path = f"/v1/vendors/{completions.VENDOR}/completions"
    return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + body


if __name__ == "__main__":
    spec_ = Spec(**orjson.loads(sys.stdin.readline()))
    sent = uvloop.run(_main(spec_, sys.stdin.readline))
    print(orjson.dumps(asdict(sent)).decode(), flush=True)
