"""gateway/sandbox/server.py: the sandbox as `gateway sandbox` runs it."""

import asyncio
import os
import signal

import httpx
import pytest

from gateway.model.errors import ConfigError
from gateway.sandbox.roster import write_roster
from gateway.sandbox.server import run
from tests.records import a_person


async def start(**options):
    """The running sandbox and its address, once it is bound."""
    bound = asyncio.get_running_loop().create_future()
    running = asyncio.create_task(run(0, ready=bound.set_result, **options))
    return running, await bound


async def stats(address):
    async with httpx.AsyncClient(trust_env=False) as client:
        return (await client.get(f"{address}/_control/stats")).json()


async def test_port_0_takes_a_free_port_on_loopback_and_sigterm_ends_it():
    """It tells where it listens, is not reachable from elsewhere, and stops when told to."""
    running, address = await start(people=[a_person()])
    assert address.startswith("http://127.0.0.1:")
    assert (await stats(address))["registry"]["people"] == 1
    os.kill(os.getpid(), signal.SIGTERM)
    await running
    with pytest.raises(httpx.ConnectError):
        await stats(address)


async def test_the_roster_file_names_the_people(tmp_path):
    """`--roster` replaces the made-up people."""
    write_roster(tmp_path / "r.csv", [a_person(), a_person()])
    running, address = await start(roster_path=tmp_path / "r.csv", people=[a_person()])
    assert (await stats(address))["registry"]["people"] == 2
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_wrong_roster_stops_the_start(tmp_path):
    """Nothing listens on half a roster."""
    (tmp_path / "r.csv").write_text("name\nA\n")
    with pytest.raises(ConfigError):
        await run(0, tmp_path / "r.csv")
