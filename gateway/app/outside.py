"""The ways out: callers with their tokens, gates with breaker and limits, what processes share of them."""

import asyncio
import os
import random
import secrets
import socket
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from gateway.app.gateway import Gateway
from gateway.model.clock import Clock
from gateway.outbound.breaker import Breaker, BreakerLimits
from gateway.outbound.gate import Gate
from gateway.outbound.http import Caller
from gateway.outbound.limiter import Limiter
from gateway.outbound.tls import TlsOptions
from gateway.outbound.token import TokenSource
from gateway.settings import Destination, Settings
from gateway.stages.shared_gates import SharedGates


@asynccontextmanager
async def sharing(gateway: Gateway, gate: Gate) -> AsyncIterator[None]:
    """Keeps a gate that no worker keeps, as in `serve --no-worker`, up with what all processes know."""
    jitter = random.Random()  # noqa: S311 - spreads probes, guards nothing
    shared = SharedGates(gateway.db, gateway.clock, this_process(), (gate,), jitter, works=False)
    await shared.tick()
    running = asyncio.create_task(shared.run())
    try:
        yield
    finally:
        shared.stop()
        await running


def this_process() -> str:
    """Names this process among all that may lead."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


def new_gate(name: str, destination: Destination, limits: BreakerLimits | None) -> Gate:
    limiter = Limiter(rate_per_s=destination.rate_per_s, concurrency=destination.concurrency)
    limits = limits or BreakerLimits(probe_s=destination.probe_s)
    return Gate(name, Breaker(time.monotonic, limits), limiter, spread_s=limits.spread_s)


def open_caller(stack: AsyncExitStack, settings: Settings, destination: Destination, clock: Clock) -> Caller:
    """The way to one destination, with a token of its own; `stack` closes it. Its addresses must be set."""
    assert destination.url is not None  # settings.require_destinations
    caller = Caller(
        destination.url,
        token=open_token(stack, settings, destination),
        timeout_s=destination.timeout_s,
        tls=_tls(destination),
        proxy=_proxy(destination),
        clock=clock,
    )
    stack.push_async_callback(caller.aclose)
    return caller


def open_token(stack: AsyncExitStack, settings: Settings, destination: Destination) -> TokenSource:
    """Where the tokens for one destination come from; `stack` closes it."""
    assert settings.token_url is not None  # settings.require_destinations
    token = TokenSource(
        settings.token_url,
        client_id=destination.client_id,
        client_secret=destination.client_secret.get_secret_value(),
        tls=_tls(destination),
        proxy=_proxy(destination),
        timeout_s=destination.timeout_s,
    )
    stack.push_async_callback(token.aclose)
    return token


def _tls(destination: Destination) -> TlsOptions:
    return TlsOptions(destination.ca_file, destination.client_cert, destination.client_key)


def _proxy(destination: Destination) -> str | None:
    return destination.proxy.get_secret_value() if destination.proxy else None
