"""The way to the sector database, and what stands on it.

Gateway -> Authority.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from gateway.app.gateway import Gateway
from gateway.app.outside import new_gate, open_caller
from gateway.identity.people import Bounds, People
from gateway.identity.registry import RegistryClient
from gateway.outbound.breaker import BreakerLimits
from gateway.outbound.gate import Gate
from gateway.stages.checking import Checking
from gateway.stages.file_check.judging import FileJudge
from gateway.stages.gated_registry import GatedRegistry
from gateway.stages.then_and_now import ThenAndNow
from gateway.stages.unit_facts import FactsOfUnits

CHECK_PATIENCE_S = 5.0  # who asks before saving a profile gets an answer by then: a verdict, or `pending`


@dataclass(frozen=True, slots=True)
class Authority:
    """The way to the sector database, and what stands on it."""

    registry: GatedRegistry
    gate: Gate
    people: People
    checking: Checking
    then_and_now: ThenAndNow
    file_judge: FileJudge


@asynccontextmanager
async def open_authority(gateway: Gateway, *, limits: BreakerLimits | None = None) -> AsyncIterator[Authority]:
    """Opens the way to the sector database; its addresses must be set."""
    g, s = gateway, gateway.settings
    async with AsyncExitStack() as stack:
        gate = new_gate("registry", s.registry, limits)
        caller = open_caller(stack, s, s.registry, g.clock)
        client = RegistryClient(caller, g.clock, concurrency=s.registry.concurrency)
        registry = GatedRegistry(client, gate, page=s.registry.batch_items, calls=g.metrics.calls)
        bounds = Bounds(
            max_age_ms=s.snapshot_max_age_s * 1000,
            negative_max_age_ms=s.negative_max_age_s * 1000,
            feed_max_age_ms=s.snapshot_feed_max_age_s * 1000,
            feed_lag_max_ms=s.feed_lag_max_s * 1000,
        )
        people = People(g.snapshots, g.clock, registry, bounds, g.metrics.lookups, turns=s.registry.concurrency)
        units = FactsOfUnits(g.units)
        checking = Checking(
            g.clock, people, g.accounts, g.policy, g.guesses, units, patience_s=CHECK_PATIENCE_S
        )
        then_and_now = ThenAndNow(g.db, g.clock, g.vault, g.snapshots, g.accounts, checking, g.owners)
        file_judge = FileJudge(g.db, g.clock, g.blind, people, g.policy, units, registry)
        yield Authority(registry, gate, people, checking, then_and_now, file_judge)
