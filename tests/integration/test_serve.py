"""`gateway serve` and `gateway work` as processes of their own, until SIGTERM."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import asynccontextmanager

import aiohttp
import orjson
import pytest

from gateway.app import open_gateway
from gateway.cli import run
from gateway.cli.exits import Exit
from gateway.cli.serve import _serve
from gateway.cli.work import _work
from gateway.model.errors import ConfigError
from gateway.queue.vendors import add_vendor
from gateway.sandbox.app import make_sandbox
from gateway.sandbox.roster import StaffRow
from gateway.sandbox.server import serving
from gateway.security.keys import KeyRing
from gateway.security.signatures import sign
from gateway.settings import load
from gateway.storage.engine import open_database
from gateway.storage.schema import migrate
from tests.listening import POST_PATH, an_item

PERSON = StaffRow("3100000001", "Nguyễn Thị Hòa", "1985-03-01", unit_code="31000717", role="GV")


def a_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def env(tmp_path):
    """The settings of a gateway whose outside systems are not there."""
    return {
        "GATEWAY_DATA_DIR": str(tmp_path / "data"),
        "GATEWAY_KEYS_FILE": str(tmp_path / "keys.json"),
        "GATEWAY_PORT": str(a_free_port()),
        "GATEWAY_TOKEN_URL": "http://127.0.0.1:9/oauth/token",
        "GATEWAY_TEMIS_URL": "http://127.0.0.1:9/temis",
        "GATEWAY_REGISTRY_URL": "http://127.0.0.1:9/registry",
        "GATEWAY_LANG": "en",
    }


async def prepare(env) -> str:
    """What `gateway init` and `vendors add` do. Returns: the vendor's secret."""
    KeyRing.generate(load(env).keys_file)
    os.makedirs(env["GATEWAY_DATA_DIR"])
    db = open_database(load(env).database)
    await migrate(db)
    await db.close()
    async with open_gateway(load(env)) as gateway:
        return await add_vendor(gateway.db, gateway.vault, gateway.clock, "viettel", "viettel")


@asynccontextmanager
async def running(env, *argv):
    """The command as a process that has said it is ready; ended by SIGTERM, with status 0 and a drained log."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", *argv,
        env={"PATH": os.environ["PATH"], **env}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        ready = await asyncio.wait_for(process.stdout.readline(), 30)
        assert b"Ctrl-C" in ready, (ready, await process.stderr.read())
        yield process
        process.send_signal(signal.SIGTERM)
        _, errors = await asyncio.wait_for(process.communicate(), 30)
        assert process.returncode == 0, errors.decode()
        lines = [orjson.loads(line) for line in errors.splitlines()]
        assert [line["event"] for line in lines if line["event"].startswith("drain.")] == [
            "drain.begun", "drain.done",
        ]  # fmt: skip
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def send(env, secret, item) -> dict:
    body = orjson.dumps(item)
    headers = {**sign(secret, "msg_1", int(time.time()), body), "Content-Type": "application/json"}
    url = f"http://127.0.0.1:{env['GATEWAY_PORT']}{POST_PATH}"
    async with aiohttp.ClientSession() as http, http.post(url, data=body, headers=headers) as answer:
        return {"status": answer.status, **await answer.json()}


async def records_of(base: str) -> list[dict]:
    """Waits for the first records of the sandbox's TEMIS."""
    async with aiohttp.ClientSession() as http, asyncio.timeout(20):
        while True:
            async with http.get(f"{base}/_control/temis/records") as answer:
                if lines := (await answer.read()).splitlines():
                    return [orjson.loads(line) for line in lines]
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("is_split", [False, True], ids=["serve", "serve-and-work"])
async def test_a_completion_sent_to_the_process_ends_in_temis(env, is_split):
    """One process does it all, or two share one database file; SIGTERM ends each of them with status 0."""
    secret = await prepare(env)
    async with serving(make_sandbox([PERSON])) as base:
        env |= {
            "GATEWAY_TOKEN_URL": f"{base}/oauth/token",
            "GATEWAY_TEMIS_URL": f"{base}/temis",
            "GATEWAY_REGISTRY_URL": f"{base}/registry",
        }
        async with running(env, "serve", *(["--no-worker"] if is_split else [])):
            answer = await send(env, secret, an_item("over-the-wire"))
            assert (answer["status"], answer["receipts"][0]["status"]) == (202, "accepted")
            if is_split:
                port = str(a_free_port())
                async with running(env, "work", "--metrics-port", port), aiohttp.ClientSession() as http:
                    [record] = await records_of(base)
                    async with http.get(f"http://127.0.0.1:{port}/readyz") as ready:
                        assert set((await ready.json())["components"]) == {"database", "registry", "temis"}
                    async with http.post(f"http://127.0.0.1:{port}{POST_PATH}") as none:
                        assert none.status == 404
            else:
                [record] = await records_of(base)
    assert (record["sector_id"], record["module_code"]) == ("3100000001", "GVPT03")


DIES = """
import os, sys
from gateway.cli import run
from gateway.stages.duties import Duties

async def die(self):
    raise RuntimeError("person 0310000001")

Duties.run = die
sys.exit(run([sys.argv[1]], os.environ))
"""


@pytest.mark.parametrize("command", ["serve", "work"])
async def test_a_process_whose_worker_dies_ends_with_a_fault(env, command):
    """Whoever watches the process starts it again; the log says what it died of, without a person's value."""
    await prepare(env)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", DIES, command,
        env={"PATH": os.environ["PATH"], **env}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    _, errors = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == Exit.BUG, errors.decode()
    lines = [orjson.loads(line) for line in errors.splitlines()]
    assert [line["event"] for line in lines if line["event"].startswith(("drain.", "worker."))] == [
        "worker.died", "drain.begun", "drain.done",
    ]  # fmt: skip
    assert b"RuntimeError" in errors
    assert b"0310000001" not in errors


@pytest.mark.parametrize("command", ["serve", "work"])
def test_a_start_without_destinations_names_them(env, command, capsys):
    """The worker needs them; `--no-worker` does not, and gets as far as the keys."""
    env["GATEWAY_TEMIS_URL"] = ""
    assert run([command], env) == Exit.USAGE
    said = capsys.readouterr()
    assert (said.out, "GATEWAY_TEMIS_URL" in said.err) == ("", True)


async def test_a_start_without_keys_or_database_says_what_to_run(env):
    """Nothing is made on the way: a database under other keys, or an empty one, would hide the mistake."""
    settings = load(env)
    for main in (_serve(settings, has_worker=False, ready=print), _work(settings, 0, ready=print)):
        with pytest.raises(ConfigError, match=r"keys file .* is missing: run `gateway init`"):
            await main
    KeyRing.generate(settings.keys_file)
    with pytest.raises(ConfigError, match=r"folder .* is missing: run `gateway init`"):
        await _serve(settings, has_worker=False, ready=print)
    settings.data_dir.mkdir()
    with pytest.raises(ConfigError, match="the database is empty: run `gateway init` first"):
        await _serve(settings, has_worker=False, ready=print)


def test_a_refused_start_is_status_2_and_one_message(env):
    """As a process: no traceback, and nothing on stdout that looks like a start."""
    ran = subprocess.run(
        [sys.executable, "-m", "gateway", "serve"], env=env, capture_output=True, text=True, timeout=60
    )
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("Error (configuration): keys file")
    assert ran.stderr.count("\n") == 1
