"""Checks of the outside systems: one harmless question to each, over the same way as the worker's calls."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial

from gateway.app import open_caller, open_token
from gateway.cli.diagnosis import Check, fault
from gateway.identity.registry import RegistryClient
from gateway.model.clock import Clock
from gateway.model.errors import GatewayError
from gateway.model.person import IdentifierType, LookupKey
from gateway.settings import Destination, Settings
from gateway.temis.client import TemisClient
from gateway.temis.contract import NaturalKey

NOBODY = "0000000000"  # an identifier that is nobody's: the question reads nothing of anybody
NO_RECORD = NaturalKey(NOBODY, "GVPT01", "2000-2001")


async def outside(settings: Settings, clock: Clock) -> list[Check]:
    """Token and one question for each destination, side by side."""
    checks = await asyncio.gather(
        _destination("temis", settings, settings.temis, clock),
        _destination("registry", settings, settings.registry, clock),
    )
    return [check for both in checks for check in both]


async def _destination(name: str, settings: Settings, destination: Destination, clock: Clock) -> list[Check]:
    needed = {"GATEWAY_TOKEN_URL": settings.token_url, f"GATEWAY_{name.upper()}_URL": destination.url}
    missing = [setting for setting, value in needed.items() if value is None]
    if missing:
        return [Check(name, "fault", "doctor.destination.missing", {"names": ", ".join(missing)})]
    async with AsyncExitStack() as stack:
        try:
            token = open_token(stack, settings, destination)
            caller = open_caller(stack, settings, destination, clock)
        except GatewayError as error:  # a certificate that cannot be read
            return [fault(name, error)]
        checks = [await _timed(f"{name}_token", token.get)]
        if checks[0].status != "ok":
            return [*checks, Check(name, "skipped", "doctor.skipped")]
        if name == "temis":
            ask: Callable[[], Awaitable[object]] = partial(TemisClient(caller).query, [NO_RECORD])
        else:
            key = LookupKey(IdentifierType.SECTOR, NOBODY)
            ask = partial(RegistryClient(caller, clock).lookup, [key])
        return [*checks, await _timed(name, ask)]


async def _timed(name: str, ask: Callable[[], Awaitable[object]]) -> Check:
    started = time.monotonic()
    try:
        await ask()
    except GatewayError as error:
        return fault(name, error, round((time.monotonic() - started) * 1000))
    return Check(name, "ok", "doctor.destination.ok", duration_ms=round((time.monotonic() - started) * 1000))
