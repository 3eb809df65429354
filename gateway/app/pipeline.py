"""The working part: outside systems, the stages and the loop over them.

Gateway -> Pipeline.
"""

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from gateway.app.authority import Authority, open_authority
from gateway.app.duties import case_duties, polling_of, reconcile_of, watch_duties
from gateway.app.gateway import Gateway
from gateway.app.outside import new_gate, open_caller, this_process
from gateway.model.clock import DAY_MS, HOUR_MS
from gateway.outbound.breaker import BreakerLimits
from gateway.outbound.gate import Gate
from gateway.queue.job_worker import JobWork, JobWorker
from gateway.queue.worker import Worker
from gateway.security.seals import sealing_key
from gateway.stages.audit_sealing import AuditSealing
from gateway.stages.calling import Calling
from gateway.stages.changed_rules import ChangedRules
from gateway.stages.deliver import Deliver
from gateway.stages.duties import TTL_MS, Duties, Duty
from gateway.stages.expiring import Expiring
from gateway.stages.feed import Feed
from gateway.stages.file_check.work import FileCheckWork
from gateway.stages.gated_registry import GatedRegistry
from gateway.stages.gated_temis import GatedTemis
from gateway.stages.judging import Judging
from gateway.stages.near_misses import ACCOUNT_SEARCHES, VENDOR_SEARCHES, NearMisses
from gateway.stages.publishing import Publishing
from gateway.stages.reconcile import Reconcile, Reconciling
from gateway.stages.shared_gates import SharedGates
from gateway.stages.sweep import Sweep
from gateway.stages.tidy import Tidy
from gateway.stages.unit_facts import FactsOfUnits
from gateway.stages.verify import Verify
from gateway.temis.client import TemisClient


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The working part: outside systems and the loop over the stages."""

    authority: Authority
    temis: TemisClient
    temis_gate: Gate
    verify: Verify
    deliver: Deliver
    reconcile: Reconcile
    worker: Worker

    @property
    def gates(self) -> Sequence[Gate]:
        return (self.authority.gate, self.temis_gate)


@asynccontextmanager
async def open_pipeline(gateway: Gateway, *, limits: BreakerLimits | None = None) -> AsyncIterator[Pipeline]:
    """Opens the ways to the registry and TEMIS and wires the stages. Nothing runs until `worker.run()`."""
    g, s = gateway, gateway.settings
    jitter = random.Random()  # noqa: S311 - spreads retries, guards nothing
    async with AsyncExitStack() as stack:
        authority = await stack.enter_async_context(open_authority(g, limits=limits))
        people = authority.people
        temis_gate = new_gate("temis", s.temis, limits)
        temis_caller = open_caller(stack, s, s.temis, g.clock)
        temis = GatedTemis(temis_caller, temis_gate, g.metrics.calls)
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
        judging = Judging(g.clock, g.blind, people, g.accounts, g.courses, g.policy, FactsOfUnits(g.units))
        verify = Verify(
            g.db,
            g.clock,
            g.vault,
            judging,
            g.accounts,
            _near_misses(g, authority.registry),
            g.guesses,
            authority.gate,
            deliver,
            g.metrics,
            claim_rows=s.claim_rows,
            lease_ms=s.lease_ms,
            jitter=jitter,
        )

        async def lanes() -> Sequence[int]:
            return [vendor.lane for vendor in await g.vendors.all() if not vendor.paused]

        feed = Feed(
            g.db,
            g.clock,
            g.changes,
            g.snapshots,
            people,
            authority.registry,
            authority.gate,
            g.metrics,
            every_s=s.registry.changes_poll_s,
            ttl_ms=TTL_MS,
        )
        sweep = Sweep(g.db, g.clock)
        changed_rules = ChangedRules(g.db, g.clock, g.policy, ttl_ms=TTL_MS)
        sealing = AuditSealing(g.db, g.clock, sealing_key(g.keyring.digest.material), ttl_ms=TTL_MS)
        reconcile = reconcile_of(g, temis, temis_gate)
        reconciling = Reconciling(g.db, g.clock, reconcile, interval_ms=s.temis.reconcile_every_s * 1000)
        publishing = Publishing(g.db, g.clock, ttl_ms=TTL_MS)
        expiring = Expiring(g.db, g.clock, ttl_ms=TTL_MS)
        calling = Calling(g.db, g.clock, g.vault, g.poster, jitter=jitter, ttl_ms=TTL_MS)
        # One of each kind of job.
        works: list[JobWork] = [
            FileCheckWork(g.jobs, g.clock, authority.file_judge, g.owners),
            g.replaying,
        ]
        tidy = Tidy(g.jobs, g.clock, keep_days=s.files_keep_days)
        always: list[Duty] = [
            sweep,
            polling_of(g, stack),
            changed_rules,
            sealing,
            tidy,
            publishing,
            calling,
            expiring,
            reconciling,
            *case_duties(g),
        ]
        watching = watch_duties(g, stack)
        holder = this_process()
        polls = [feed] if s.registry.changes_poll_s else []
        duties = Duties(g.db, g.clock, holder, [*always, *watching, *polls], when_lost=g.metrics.clear_backlog)
        shared = SharedGates(g.db, g.clock, holder, (authority.gate, temis_gate), jitter)
        await shared.tick()  # what is paused is paused from the first moment
        worker = Worker(
            g.db,
            g.clock,
            lanes,
            [(verify, s.verify_concurrency), (deliver, s.deliver_concurrency)],
            [duties, shared, JobWorker(g.jobs, works)],
            rest_s=s.poll_ms / 1000,
        )
        yield Pipeline(authority, temis, temis_gate, verify, deliver, reconcile, worker)


def _near_misses(g: Gateway, registry: GatedRegistry) -> NearMisses:
    def hidden(account: str) -> str:
        return g.blind.index("tally.account", account).hex()

    return NearMisses(
        g.clock,
        registry,
        of_vendor=g.budgets.budget("search.vendor", VENDOR_SEARCHES, HOUR_MS),
        of_account=g.budgets.budget("search.account", ACCOUNT_SEARCHES, DAY_MS, hidden=hidden),
    )
