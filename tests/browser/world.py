"""One gateway for all browser tests: real processes on real sockets, made-up people, some results that wait."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from gateway.app import Gateway, open_gateway
from gateway.cli.demonstration import office, stage
from gateway.cli.demonstration.cast import cast
from gateway.cli.demonstration.control import Control
from gateway.cli.demonstration.feed import Sent, feed
from gateway.cli.demonstration.office import Login
from gateway.cli.demonstration.place import Place, make_place
from gateway.cli.demonstration.serving import serving
from gateway.model.clock import SystemClock
from gateway.queue.balance import balance
from gateway.sandbox.item import Item
from gateway.sandbox.roster import StaffRow, write_roster
from gateway.sandbox.vendor import VendorClient
from gateway.settings import load
from tests.waiting import until

COMPLETIONS = 300
OWN_PASSWORD = "con mèo ngủ trên mái nhà"


@dataclass
class World:
    """What stands, who may look at it, and what went through it."""

    place: Place
    gateway: Gateway  # another process's view of the same database, for tests that look behind the pages
    people: Sequence[StaffRow]
    items: Sequence[Item]
    school: str  # the unit of the login `truong`
    logins: Mapping[str, Login]
    cookies: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return self.place.gateway

    @property
    def sandbox(self) -> str:
        return self.place.sandbox

    async def change_person(self, sector_id: str, **columns: str) -> None:
        """Corrects somebody's file in the sector database."""
        async with aiohttp.ClientSession() as http:
            url = f"{self.sandbox}/_control/registry/staff/{sector_id}"
            async with http.patch(url, json=columns) as answer:
                answer.raise_for_status()


@asynccontextmanager
async def standing(folder: Path) -> AsyncIterator[World]:
    """Builds it, lets 300 completions go through, signs everybody in once; takes it down at the end."""
    place = make_place(folder, "vi")
    env = place.environment({**os.environ, "GATEWAY_LOG_LEVEL": "warning"})
    settings = load(place.settings())
    await stage.make_storage(settings)
    people, items = cast(COMPLETIONS)
    write_roster(folder / "roster.csv", people)
    async with AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(open_gateway(settings))
        await office.bring_units(gateway)
        secrets = await stage.add_vendors(gateway)
        await stage.map_courses(gateway)
        await stack.enter_async_context(_sandbox(place, folder / "roster.csv", env))
        await stack.enter_async_context(serving(env, place.gateway, place.log_file))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        clients = {name: VendorClient(http, place.gateway, name, secret) for name, secret in secrets.items()}
        await feed(clients, items, Sent())
        school = office.busiest(people, items)
        logins = {one.login: one for one in await office.hand_out(gateway, school)}
        await _settled(gateway)
        world = World(place, gateway, people, items, school, logins)
        for login in logins.values():
            world.cookies[login.login] = await sign_in(place.gateway, login)
        yield world


async def sign_in(address: str, login: Login) -> list[dict[str, Any]]:
    """The first sign-in of a new login, by forms as a browser sends them -> its cookies for Playwright."""
    jar = aiohttp.CookieJar(unsafe=True)  # of an address that is a number
    async with aiohttp.ClientSession(cookie_jar=jar) as http:

        async def send(path: str, **fields: str) -> str:
            async with http.get(address + path) as page:
                token = re.search(r'name="csrf" value="(\w+)"', await page.text())
            assert token
            fields["csrf"] = token[1]
            async with http.post(address + path, data=fields) as answer:
                assert answer.status == 200, await answer.text()
                return answer.url.path

        where = await send("/console/sign-in", login=login.login, password=login.password)
        if where == "/console/sign-in/code":
            assert login.secret
            where = await send(where, code=office.code_now(login.secret, now_ms()))
        assert where == "/console/password", where
        fields = {"old": login.password, "new": OWN_PASSWORD, "again": OWN_PASSWORD}
        assert await send(where, **fields) == "/console"
    return [{"name": cookie.key, "value": cookie.value, "url": address} for cookie in jar]


@asynccontextmanager
async def _sandbox(place: Place, roster: Path, env: Mapping[str, str]) -> AsyncIterator[None]:
    """A process of its own: it must answer while no test runs."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "sandbox"),
        *("--port", str(place.sandbox_port), "--roster", str(roster)),
        env=dict(env),
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        async with aiohttp.ClientSession() as http:
            await _answers(Control(http, place.sandbox), process)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()


async def _answers(control: Control, process: asyncio.subprocess.Process) -> None:
    async def is_up() -> bool:
        assert process.returncode is None, "the sandbox did not start"
        try:
            await control.records()
        except aiohttp.ClientConnectionError:
            return False
        return True

    await until(is_up)


async def _settled(gateway: Gateway) -> None:
    async def is_still() -> bool:
        return not (await balance(gateway.db)).total.in_flight

    await until(is_still, within_s=60, every_s=0.1)


def now_ms() -> int:
    """The clock that the running gateway goes by."""
    return SystemClock().now_ms()
