"""The examples of the vendors' guide, run as a vendor runs them: with nothing but Python's own library."""

import asyncio
import os
import sys
from pathlib import Path

import orjson
import pytest

from gateway.model.clock import SystemClock
from tests.generated import ROOT
from tests.listening import an_item, open_desk

EXAMPLES = ROOT / "docs" / "vendors" / "examples"


@pytest.fixture
async def desk(tmp_path):
    async with open_desk(f"sqlite:///{tmp_path / 'gateway.db'}", tmp_path) as found:
        found.clock.advance(
            ms=SystemClock().now_ms() - found.clock.now_ms()
        )  # the examples sign with real time
        yield found


async def example(name: str, secret: str, *argv: str) -> tuple[int, str]:
    """Runs one; returns its exit status and what it printed."""
    env = {"PATH": os.environ["PATH"], "GATEWAY_VENDOR_SECRET": secret}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", str(EXAMPLES / name), *argv, env=env, stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(30):
        printed, _ = await process.communicate()
    return process.returncode or 0, printed.decode()


def results(folder: Path, count: int) -> Path:
    file = folder / "results.ndjson"
    items = [an_item(f"guide-{n}") for n in range(count)]
    file.write_bytes(b"".join(orjson.dumps(item) + b"\n" for item in items))
    return file


async def test_batches_are_sent_and_bad_items_printed(desk, tmp_path):
    """Every item of a file arrives; a second run is all duplicates; what is invalid is told."""
    file = results(tmp_path, 700)
    argv = (desk.address, "viettel", str(file))
    assert await example("send_batches.py", desk.secret, *argv) == (0, "")
    assert await desk.arrived() == {"received": 700}
    file.write_bytes(file.read_bytes() + b'{"eventId":"bad","eventType":"COURSE_COMPLETED"}\n')
    status, printed = await example("send_batches.py", desk.secret, *argv)
    assert (status, orjson.loads(printed)["event_id"]) == (1, "bad")
    assert await desk.arrived() == {"received": 700, "duplicate": 700, "invalid": 1}


async def test_a_stream_is_sent_once_however_often_it_is_run(desk, tmp_path):
    """The second run opens the stream again, learns that all is there, and sends nothing."""
    argv = (desk.address, "viettel", str(results(tmp_path, 1_200)), "nightly")
    for _ in range(2):
        assert await example("send_stream.py", desk.secret, *argv) == (0, "committed through line 1200\n")
    assert await desk.arrived() == {"received": 1_200}


async def test_a_wrong_secret_is_told_at_once(desk, tmp_path):
    """Nobody waits for hours for what can never work."""
    argv = (desk.address, "viettel", str(results(tmp_path, 1)))
    status, _ = await example("send_batches.py", "whsec_" + "A" * 32, *argv)
    assert status == 1
    status, _ = await example("send_stream.py", "whsec_" + "A" * 32, *argv, "nightly")
    assert status == 1
