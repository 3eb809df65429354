"""The vendor's LMS that streams, a process of its own: one body of lines for each connection, read meanwhile.

stdin: a line of JSON (Spec), later `go`; stdout: `ready` once every line is built, then JSON (Streamed).
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass

import aiohttp
import orjson
import uvloop

from bench import completions
from bench.load import WITHIN_S, Load, Spec, generator
from bench.place import Place
from gateway.security.signatures import sign

PIECE_LINES = 100
NDJSON = "application/x-ndjson"


@dataclass(frozen=True, slots=True)
class Streamed:
    """What came of it. `accepted`: lines committed and plainly accepted."""

    took_s: float
    accepted: int
    cpu_s: float  # of the load generator itself


def stream_load(place: Place, spec: Spec) -> AbstractAsyncContextManager[Load[Streamed]]:
    """A load generator that is ready to go. Of the spec, batches, warm requests and rates are not used."""
    return generator("stream_load", place, spec, Streamed)


async def _main(spec: Spec, wait_for_go: Callable[[], object]) -> Streamed:
    lines = list(completions.bodies(spec.total, first=spec.first, run=spec.run))
    shares = [lines[n :: spec.connections] for n in range(spec.connections)]
    pieces = [
        [b"\n".join(share[i : i + PIECE_LINES]) + b"\n" for i in range(0, len(share), PIECE_LINES)]
        for share in shares
    ]
    print("ready", flush=True)
    await asyncio.to_thread(wait_for_go)
    started, cpu_s = time.perf_counter(), time.process_time()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=WITHIN_S)) as session:
        accepted = await asyncio.gather(
            *(_stream(session, spec, n, one) for n, one in enumerate(pieces) if one)
        )
    return Streamed(time.perf_counter() - started, sum(accepted), time.process_time() - cpu_s)


async def _stream(session: aiohttp.ClientSession, spec: Spec, number: int, pieces: list[bytes]) -> int:
    at = f"{spec.address}/v1/vendors/{completions.VENDOR}"
    headers = sign(spec.secret, f"stream-{spec.run}-{number}", int(time.time()), b"{}")
    json = {**headers, "Content-Type": "application/json"}
    async with session.post(f"{at}/streams", data=b"{}", headers=json) as opened:
        token = (await opened.json())["token"]

    async def body() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    headers = {"Authorization": f"Bearer {token}", "Content-Type": NDJSON}
    others, last = 0, b"{}"
    async with session.post(f"{at}/completions", data=body(), headers=headers) as answer:
        async for line in answer.content:
            others += line.startswith(b'{"line":')
            last = line
    end = orjson.loads(last)
    return int(end["committed_through_line"]) - others if end.get("ended") == "complete" else 0


if __name__ == "__main__":
    spec_ = Spec(**orjson.loads(sys.stdin.readline()))
    sent = uvloop.run(_main(spec_, sys.stdin.readline))
    print(orjson.dumps(asdict(sent)).decode(), flush=True)
