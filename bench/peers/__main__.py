"""One run of one peer: PeerTask in, PeerDone out."""

import gc
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import cast

import aiohttp
import orjson
import uvloop

from bench.completions import VENDOR, bodies, people_for, roster
from bench.peers.peer import Job, Peer, PeerDone, PeerTask, Send
from bench.processes import Failed
from gateway.bdtx.modules import find
from gateway.connectors import discover as connectors
from gateway.model.discovery import discover
from gateway.temis.client import BATCH_PATH
from gateway.temis.contract import BATCH_REQUEST, BatchRequest
from gateway.temis.mapping import to_item


@asynccontextmanager
async def _temis(sandbox: str) -> AsyncIterator[Send]:
    """Sends one request and wants its record created."""
    async with aiohttp.ClientSession() as http:
        form = {"grant_type": "client_credentials", "client_id": "peer"}
        async with http.post(f"{sandbox}/oauth/token", data=form) as answer:
            token = (await answer.json())["access_token"]
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

        async def send(body: bytes) -> None:
            async with http.post(f"{sandbox}/temis{BATCH_PATH}", data=body, headers=headers) as answer:
                told = orjson.loads(await answer.read())
            if [one["status"] for one in told.get("answers", ())] != ["created"]:
                raise Failed(f"TEMIS answered {answer.status}")

        yield send


def _requests(total: int) -> list[bytes]:
    """What the gateway would send to TEMIS about the same completions, one record each."""
    connector, people = connectors()[VENDOR], roster(people_for(total))
    found = []
    for number, body in enumerate(bodies(total)):
        completion = connector.normalize(orjson.loads(body))
        module = find(completion.course.module_hint or "")
        assert module is not None
        account = int(completion.claim.lms_user_id[:8], 16) - 0x6500_0000  # the account's place in the roster
        item = to_item(
            completion, sector_id=people[account].sector_id, module_code=module.code,
            school_year=str(completion.course.school_year), revision=1, programme=module.programme,
            periods=module.periods, delivery=str(number),
        )  # fmt: skip
        found.append(BATCH_REQUEST.dump_json(BatchRequest(items=[item])))
    return found


async def _main(task: PeerTask) -> PeerDone:
    peer = cast("Peer", discover("bench.peers", "PEER")[task.peer])
    async with _temis(task.sandbox) as send:
        work = await peer.prepare(Job(_requests(task.total), send, Path(task.folder), task.concurrency))
        gc.collect()
        gc.freeze()
        started, cpu_s = time.perf_counter(), time.process_time()
        syncs = await work()
        return PeerDone(time.perf_counter() - started, time.process_time() - cpu_s, syncs)


if __name__ == "__main__":
    os.environ.setdefault("XDG_RUNTIME_DIR", os.environ.get("TMPDIR", "/tmp"))
    done = uvloop.run(_main(PeerTask(**orjson.loads(sys.stdin.readline()))))
    print(orjson.dumps(asdict(done)).decode(), flush=True)
