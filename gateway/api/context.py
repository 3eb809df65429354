"""What the HTTP floor is given by the composition root."""

import asyncio
from dataclasses import dataclass, field

from aiohttp import web

from gateway.api.write_path import WritePath
from gateway.model.clock import Clock
from gateway.model.texts import Lang
from gateway.observe.metrics import Metrics
from gateway.outbound.gate import Gate
from gateway.queue.quota import Quota
from gateway.queue.terms import Network
from gateway.queue.turns import Turns
from gateway.queue.vendors import Vendors
from gateway.security.tokens import Tokens
from gateway.stages.callback_acts import CallbackActs
from gateway.stages.changes import Changes
from gateway.stages.checking import Checking
from gateway.stages.identities import Identities
from gateway.stages.links import Links
from gateway.stages.presence import Uses
from gateway.stages.receive import Receive
from gateway.stages.statements import Statements
from gateway.stages.status import StatusBoard
from gateway.stages.streaming import Streaming
from gateway.storage.engine import Database


class Drain:
    """Whether the process is going down, and how many requests it still has in hand."""

    def __init__(self) -> None:
        self._begun = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._in_hand = 0

    @property
    def has_begun(self) -> bool:
        return self._begun.is_set()

    @property
    def is_busy(self) -> bool:
        """Whether a request is in hand."""
        return self._in_hand > 0

    def begin(self) -> None:
        """From now on nothing new is taken."""
        self._begun.set()

    def enter(self) -> None:
        self._in_hand += 1
        self._empty.clear()

    def leave(self) -> None:
        self._in_hand -= 1
        if not self._in_hand:
            self._empty.set()

    async def begun(self) -> None:
        """Returns once `begin` was called."""
        await self._begun.wait()

    async def empty(self) -> None:
        """Returns once no request is in hand."""
        await self._empty.wait()


@dataclass(frozen=True, slots=True)
class Context:
    """The parts that routes use, and the few settings they need."""

    clock: Clock
    db: Database
    vendors: Vendors
    receive: Receive
    metrics: Metrics
    write_path: WritePath
    tokens: Tokens
    gates: tuple[Gate, ...] = ()  # of the worker in this process; none when it runs elsewhere
    drain: Drain = field(default_factory=Drain)
    lang: Lang = "vi"  # for readers who state none
    max_body_bytes: int = 1_048_576
    max_items: int = 500
    patience_s: float = 30.0  # for a body to arrive, and again for its commit
    changes: Changes | None = None
    identities: Identities | None = None
    links: Links | None = None
    callbacks: CallbackActs | None = None
    statements: Statements | None = None
    quota: Quota = field(default_factory=Quota)
    turns: Turns = field(default_factory=Turns)
    uses: Uses = field(default_factory=Uses)
    trusted_proxies: tuple[Network, ...] = ()  # whose X-Forwarded-For is believed
    client_cert_header: str = ""  # in which they state the SHA-256 of a client's certificate
    checking: Checking | None = None  # none where the sector database's address is not set
    streaming: Streaming | None = None
    stream_idle_s: float = 300.0  # a stream that sends nothing for so long is ended
    status: StatusBoard | None = None
    registry_secret: str = ""  # signs what the sector database sends; empty: nothing is taken from it


CONTEXT: web.AppKey[Context] = web.AppKey("context", Context)
