"""The composition root: the only place that picks classes and wires them together.

settings -> one Gateway with everything that `serve`, `work` and the commands need.
"""

import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from gateway.bdtx.courses import Courses
from gateway.connectors import discover as discover_connectors
from gateway.identity.people import People
from gateway.identity.policy import Policy
from gateway.identity.policy import load as load_policy
from gateway.identity.registry import RegistryClient
from gateway.model.clock import Clock, SystemClock
from gateway.observe.metrics import Metrics
from gateway.outbound.breaker import Breaker, BreakerLimits
from gateway.outbound.gate import Gate
from gateway.outbound.http import Caller
from gateway.outbound.limiter import Limiter
from gateway.outbound.tls import TlsOptions
from gateway.outbound.token import TokenSource
from gateway.queue.accept import Acceptor
from gateway.queue.vendors import Vendors
from gateway.queue.worker import Worker
from gateway.security.blind import BlindIndex
from gateway.security.keys import KeyRing
from gateway.security.vault import Vault
from gateway.settings import Destination, Settings
from gateway.stages.deliver import Deliver
from gateway.stages.gated_registry import GatedRegistry
from gateway.stages.receive import Receive
from gateway.stages.verify import Verify
from gateway.stages.wake import Wake
from gateway.storage.data_keys import ensure_data_keys
from gateway.storage.engine import Database, open_database
from gateway.storage.schema import check_schema
from gateway.temis.client import TemisClient


@dataclass(frozen=True, slots=True)
class Gateway:
    """What every command shares: storage, keys, and the parts that need no outside system."""

    settings: Settings
    clock: Clock
    db: Database
    keyring: KeyRing
    vault: Vault
    blind: BlindIndex
    vendors: Vendors
    acceptor: Acceptor
    receive: Receive
    courses: Courses
    policy: Policy
    wake: Wake
    metrics: Metrics


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The working part: outside systems and the loop over the stages."""

    registry: RegistryClient
    registry_gate: Gate
    people: People
    temis: TemisClient
    temis_gate: Gate
    worker: Worker

    @property
    def gates(self) -> Sequence[Gate]:
        return (self.registry_gate, self.temis_gate)


@asynccontextmanager
async def open_gateway(settings: Settings, *, clock: Clock | None = None) -> AsyncIterator[Gateway]:
    """Opens keys and database. Raises: ConfigError, KeyMissing, saying what to run or mend."""
    clock = clock or SystemClock()
    keyring = KeyRing.load(settings.keys_file)
    vault = Vault(keyring)
    blind = BlindIndex(keyring)
    db = open_database(settings.database)
    try:
        await check_schema(db)
        await ensure_data_keys(db, vault, clock)
        acceptor = Acceptor(db, clock, max_wait_ms=settings.accept_queue_max_age_ms)
        yield Gateway(
            settings=settings,
            clock=clock,
            db=db,
            keyring=keyring,
            vault=vault,
            blind=blind,
            vendors=Vendors(db, vault, clock),
            acceptor=acceptor,
            receive=Receive(
                acceptor,
                discover_connectors(),
                vault,
                keyring.digest.material,
                max_items=settings.max_batch_items,
            ),
            courses=Courses(db, clock),
            policy=load_policy(),
            wake=Wake(db, clock, blind),
            metrics=Metrics(),
        )
        await acceptor.drain()
    finally:
        await db.close()


@asynccontextmanager
async def open_pipeline(gateway: Gateway, *, limits: BreakerLimits | None = None) -> AsyncIterator[Pipeline]:
    """Opens the ways to the registry and TEMIS and wires the stages. Nothing runs until `worker.run()`."""
    g, s = gateway, gateway.settings
    jitter = random.Random()  # noqa: S311 - spreads retries, guards nothing
    async with AsyncExitStack() as stack:
        registry_gate = _gate("registry", s.registry, limits)
        temis_gate = _gate("temis", s.temis, limits)
        registry_caller = await _open_caller(stack, s, s.registry, g.clock)
        temis_caller = await _open_caller(stack, s, s.temis, g.clock)
        registry = RegistryClient(registry_caller, g.clock, concurrency=s.registry.concurrency)
        people = People(
            g.db,
            g.clock,
            g.vault,
            g.blind,
            GatedRegistry(registry, registry_gate, page=s.registry.batch_items),
            max_age_ms=s.snapshot_max_age_s * 1000,
            negative_max_age_ms=s.negative_max_age_s * 1000,
        )
        temis = TemisClient(temis_caller)
        verify = Verify(
            g.db,
            g.clock,
            g.vault,
            g.blind,
            people,
            g.courses,
            g.policy,
            registry_gate,
            claim_rows=s.claim_rows,
            lease_ms=s.lease_ms,
            jitter=jitter,
        )
        deliver = Deliver(
            g.db,
            g.clock,
            g.vault,
            g.blind,
            people,
            g.courses,
            temis,
            temis_gate,
            batch_items=s.temis.batch_items,
            lease_ms=s.lease_ms,
            call_timeout_ms=int(s.temis.timeout_s * 1000),
            jitter=jitter,
        )

        async def lanes() -> Sequence[int]:
            return [vendor.lane for vendor in await g.vendors.all() if not vendor.paused]

        worker = Worker(
            g.db, g.clock, lanes, [(verify, s.verify_concurrency), (deliver, s.deliver_concurrency)]
        )
        yield Pipeline(registry, registry_gate, people, temis, temis_gate, worker)


def _gate(name: str, destination: Destination, limits: BreakerLimits | None) -> Gate:
    limiter = Limiter(rate_per_s=destination.rate_per_s, concurrency=destination.concurrency)
    return Gate(name, Breaker(time.monotonic, limits), limiter)


async def _open_caller(
    stack: AsyncExitStack, settings: Settings, destination: Destination, clock: Clock
) -> Caller:
    tls = TlsOptions(destination.ca_file, destination.client_cert, destination.client_key)
    proxy = destination.proxy.get_secret_value() if destination.proxy else None
    assert settings.token_url is not None and destination.url is not None  # settings.require_destinations
    token = TokenSource(
        settings.token_url,
        client_id=destination.client_id,
        client_secret=destination.client_secret.get_secret_value(),
        tls=tls,
        proxy=proxy,
        timeout_s=destination.timeout_s,
    )
    stack.push_async_callback(token.aclose)
    caller = Caller(
        destination.url,
        token=token,
        timeout_s=destination.timeout_s,
        tls=tls,
        proxy=proxy,
        clock=clock,
    )
    stack.push_async_callback(caller.aclose)
    return caller
