"""Faults on demand: which of them strike a call, and what a struck call feels like.

PUT /_control/faults -> Faults -> each call to a target
"""

import asyncio
import random
import socket
import struct
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from typing import Annotated, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

Endpoint = Callable[[web.Request], Awaitable[web.StreamResponse]]
GARBAGE = b"<html><body><h1>He thong dang bao tri</h1>"


class Mode(StrEnum):
    """What a fault does. `latency` and `token_expired` let the call go on; the others end it."""

    STATUS = "status"  # answers `status`; nothing is stored unless `stores`
    LATENCY = "latency"  # waits, then goes on
    RESET = "reset"  # takes the request and resets the connection; nothing is stored
    SILENT = "silent"  # does the work and drops the connection without an answer
    GARBAGE = "garbage"  # answers 200 with HTML; nothing is stored
    TOKEN_EXPIRED = "token_expired"  # noqa: S105 - the token that the call carries stops being valid
    POISON = "poison"  # answers `status` to any batch that holds `sector_id`; nothing is stored


class Fault(BaseModel):
    """One fault; `remaining` counts down the calls it still strikes, without it it stays until deleted."""

    model_config = ConfigDict(extra="forbid")

    target: Literal["temis", "registry", "token", "lists"]
    mode: Mode
    probability: float = Field(1.0, ge=0, le=1)
    status: int = Field(503, ge=300, le=599)
    latency_ms: int = Field(0, ge=0, le=3_600_000)
    retry_after_s: int | None = Field(None, ge=0)
    stores: bool = False
    remaining: int | None = Field(None, ge=1)
    sector_id: str | None = None


FAULTS: TypeAdapter[list[Fault]] = TypeAdapter(Annotated[list[Fault], Field(max_length=1000)])


class Faults:
    """The faults in force. Chance comes from a seeded source, so that a run can be repeated."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self.active: list[Fault] = []
        self.struck: Counter[str] = Counter()  # "target.mode" -> calls

    def replace(self, faults: Sequence[Fault]) -> None:
        self.active = list(faults)

    def draw(self, target: str) -> list[Fault]:
        """The faults that strike this call, in the order they were set."""
        if not self.active:
            return []
        drawn = [
            fault
            for fault in self.active
            if fault.target == target
            and fault.mode is not Mode.POISON
            and (fault.probability >= 1 or self._chance.random() < fault.probability)
        ]
        for fault in drawn:
            self._spend(fault)
        return drawn

    def poison(self, sector_ids: Callable[[], set[str]]) -> Fault | None:
        """The poison that one of these people is, if any. Asked for only when there is poison at all."""
        poisons = [fault for fault in self.active if fault.mode is Mode.POISON]
        present = sector_ids() if poisons else set()
        for fault in poisons:
            if fault.sector_id in present:
                self._spend(fault)
                return fault
        return None

    def _spend(self, fault: Fault) -> None:
        self.struck[f"{fault.target}.{fault.mode}"] += 1
        if fault.remaining is not None:
            fault.remaining -= 1
            if fault.remaining == 0:
                self.active = [other for other in self.active if other is not fault]


def exposed(faults: Faults, target: str, endpoint: Endpoint, expire: Callable[[web.Request], None]) -> Endpoint:
    """`endpoint` behind the faults of `target`. `expire` makes the token of a request invalid."""

    async def handle(request: web.Request) -> web.StreamResponse:
        struck = faults.draw(target)
        if struck:
            await request.read()  # an answer before the whole request was taken would look like a reset
        for fault in struck:
            match fault.mode:
                case Mode.LATENCY:
                    await asyncio.sleep(fault.latency_ms / 1000)
                case Mode.TOKEN_EXPIRED:
                    expire(request)
                case Mode.STATUS:
                    if fault.stores:
                        await endpoint(request)
                    return answer(fault)
                case Mode.GARBAGE:
                    return web.Response(body=GARBAGE, content_type="text/html")
                case Mode.SILENT:
                    await endpoint(request)
                    return sever(request, reset=False)
                case Mode.RESET:
                    return sever(request, reset=True)
        return await endpoint(request)

    return handle


def answer(fault: Fault) -> web.Response:
    """The refusal that a fault stands for."""
    headers = {} if fault.retry_after_s is None else {"Retry-After": str(fault.retry_after_s)}
    return problem(fault.status, "a fault was asked for", headers)


def problem(status: int, title: str, headers: dict[str, str] | None = None) -> web.Response:
    """Source: RFC 9457."""
    body = {"type": "about:blank", "title": title, "status": status}
    return web.json_response(body, status=status, headers=headers, content_type="application/problem+json")


def sever(request: web.Request, *, reset: bool) -> web.Response:
    """End the connection with no answer. Returns: a response that nobody will see, for the server's sake."""
    if (transport := request.transport) is not None:
        if reset and (connection := transport.get_extra_info("socket")) is not None:
            # Lingering for zero seconds makes the kernel send RST instead of FIN.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response()
