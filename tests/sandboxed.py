"""A real sandbox on a real socket, our real clients, and its control: what contract tests stand on."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import orjson

from gateway.identity.registry import RegistryClient
from gateway.outbound.http import Caller
from gateway.outbound.token import TokenSource
from gateway.sandbox.app import make_sandbox
from gateway.sandbox.roster import StaffRow
from gateway.sandbox.server import serving
from gateway.temis.client import TemisClient
from tests.builders import FakeClock


@dataclass
class Sandboxed:
    """The two clients, and a plain HTTP client for the sandbox's control."""

    address: str
    clock: FakeClock
    token: TokenSource
    temis_caller: Caller
    registry_caller: Caller
    control: httpx.AsyncClient

    @property
    def temis(self) -> TemisClient:
        return TemisClient(self.temis_caller)

    @property
    def registry(self) -> RegistryClient:
        return RegistryClient(self.registry_caller, self.clock)

    async def faults(self, *faults: dict[str, Any]) -> None:
        """Sets the faults in force."""
        (await self.control.put("/_control/faults", json=list(faults))).raise_for_status()

    async def lines(self, path: str) -> list[dict[str, Any]]:
        """An NDJSON answer of the control."""
        answer = (await self.control.get(path)).raise_for_status()
        return [orjson.loads(line) for line in answer.content.splitlines()]

    async def writes(self) -> list[dict[str, Any]]:
        return await self.lines("/_control/temis/writes")

    async def stats(self) -> dict[str, Any]:
        return (await self.control.get("/_control/stats")).raise_for_status().json()

    async def set(self, path: str, **values: Any) -> None:
        """PUT to the control."""
        (await self.control.put(path, json=values)).raise_for_status()


@asynccontextmanager
async def sandboxed(
    roster: Iterable[StaffRow] = (), *, clock: FakeClock, timeout_s: float = 5, **settings: Any
) -> AsyncIterator[Sandboxed]:
    """`settings` are those of make_sandbox."""
    async with serving(make_sandbox(roster, clock=clock, **settings)) as address:
        token = TokenSource(f"{address}/oauth/token", "gateway", "right")
        temis = Caller(f"{address}/temis", token=token, timeout_s=timeout_s)
        registry = Caller(f"{address}/registry", token=token, timeout_s=timeout_s)
        async with httpx.AsyncClient(base_url=address, trust_env=False) as control:
            yield Sandboxed(address, clock, token, temis, registry, control)
        await temis.aclose()
        await registry.aclose()
