"""A person at the console over HTTP, without a browser: cookies, forms with their token, JSON twins.

async with visiting(desk, "hoa") as hoa:                 # an account made by `an_account`
    answer = await hoa.get("/console/failures")          # status, headers, body
    told = await hoa.told("/console/failures")           # the JSON twin
    answer = await hoa.post("/console/cases/42/recheck", note="…")
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from gateway.console.cookies import csrf_of, new_token, session_name
from gateway.security.passwords import hash_password
from gateway.stages.users import Actor
from gateway.storage.users import NewUser, find_user, set_password
from tests.listening import Answer, Desk

MACHINE = Actor("machine:test")
PASSWORD = "con mèo ngủ trên mái nhà"


async def an_account(
    desk: Desk, login: str, role: str = "unit_admin", unit: str | None = None, vendor_id: int | None = None
) -> str:
    """An account whose password is its own already (PASSWORD). Its unit must exist. Returns: the login."""
    gateway = desk.gateway
    await gateway.users.make(MACHINE, [NewUser(login, "Trần Thị Hoà", role, unit, vendor_id)])
    hashed, now = hash_password(PASSWORD), desk.clock.now_ms()
    await gateway.db.write(lambda tx: set_password(tx, login, hashed, must_change=False, now=now))
    return login


class Visitor:
    """One browser's worth of cookies."""

    def __init__(self, desk: Desk, http: aiohttp.ClientSession, token: str) -> None:
        self.desk = desk
        self._http = http
        self.cookies = {session_name(is_https=False): token}

    @property
    def token(self) -> str:
        return self.cookies[session_name(is_https=False)]

    async def ask(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **options: Any
    ) -> Answer:
        """One request; redirects are not followed, cookies are kept."""
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        sent = {"Cookie": cookie, **(headers or {})}
        url = self.desk.address + path
        async with self._http.request(method, url, headers=sent, allow_redirects=False, **options) as answer:
            for name, morsel in answer.cookies.items():
                self.cookies[name] = morsel.value
            return Answer(answer.status, answer.headers, await answer.read())

    async def get(self, path: str, **headers: str) -> Answer:
        return await self.ask("GET", path, headers=headers)

    async def told(self, path: str) -> Any:
        """What the JSON twin says; asserts that it is shown."""
        answer = await self.ask("GET", path, headers={"Accept": "application/json"})
        assert answer.status == 200, answer.body
        return answer.json()

    async def post(self, path: str, **fields: str) -> Answer:
        """A form with the session's token; `csrf` replaces it."""
        return await self.ask("POST", path, data={"csrf": csrf_of(self.token), **fields})


@asynccontextmanager
async def visiting(desk: Desk, login: str | None = None) -> AsyncIterator[Visitor]:
    """Somebody at the console; signed in as `login`, second factor and all, where one is named."""
    token = new_token()
    if login is not None:
        user = await find_user(desk.gateway.db, desk.gateway.vault, login)
        assert user is not None
        token = await desk.gateway.sessions.begin(user, is_whole=True)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        yield Visitor(desk, http, token)
