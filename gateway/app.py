"""The composition root: the only place that picks classes and wires them together.

settings -> one Gateway with everything that `serve`, `work` and the commands need.
"""

import asyncio
import os
import random
import secrets
import socket
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from gateway.bdtx.courses import Courses
from gateway.bdtx.unit_store import UnitRegister
from gateway.connectors import discover as discover_connectors
from gateway.connectors.lists import discover as discover_lists
from gateway.identity.accounts import Accounts
from gateway.identity.people import Bounds, People
from gateway.identity.policy import DEFAULT as DEFAULT_POLICY
from gateway.identity.policy import Policy
from gateway.identity.policy import load as load_policy
from gateway.identity.registry import RegistryClient
from gateway.identity.snapshots import Snapshots
from gateway.model.clock import DAY_MS, HOUR_MS, Clock, SystemClock
from gateway.observe.metrics import Metrics
from gateway.outbound.breaker import Breaker, BreakerLimits
from gateway.outbound.gate import Gate
from gateway.outbound.guard import Guard
from gateway.outbound.guarded import Poster
from gateway.outbound.hook import Hook
from gateway.outbound.http import Caller
from gateway.outbound.limiter import Limiter
from gateway.outbound.static_key import StaticKey
from gateway.outbound.tls import TlsOptions
from gateway.outbound.token import TokenSource
from gateway.queue.accept import Acceptor
from gateway.queue.alerts import Severity
from gateway.queue.job_worker import JobWork, JobWorker
from gateway.queue.jobs import Jobs
from gateway.queue.polls import Poll
from gateway.queue.turns import Turns
from gateway.queue.vendors import Vendors
from gateway.queue.worker import Worker
from gateway.security.blind import BlindIndex
from gateway.security.keys import KeyRing
from gateway.security.seals import sealing_key
from gateway.security.tokens import Tokens
from gateway.security.vault import Vault
from gateway.settings import Destination, Settings
from gateway.stages.alerting import Alerting
from gateway.stages.audit_sealing import AuditSealing
from gateway.stages.backlog import Backlog
from gateway.stages.budgets import SharedBudgets
from gateway.stages.callback_acts import CallbackActs
from gateway.stages.calling import Calling
from gateway.stages.cases.follow import FollowCases
from gateway.stages.cases.reparent import ReparentCases
from gateway.stages.cause_watch import CauseWatch
from gateway.stages.changed_rules import ChangedRules
from gateway.stages.changes import Changes
from gateway.stages.checking import Checking
from gateway.stages.course_acts import CourseActs
from gateway.stages.deadline_watch import DeadlineWatch
from gateway.stages.deliver import Deliver
from gateway.stages.duties import TTL_MS, Duties, Duty
from gateway.stages.edits import Edits
from gateway.stages.expected import Expected
from gateway.stages.expiring import Expiring
from gateway.stages.feed import Feed
from gateway.stages.file_check.judging import FileJudge
from gateway.stages.file_check.work import FileChecks, FileCheckWork
from gateway.stages.gated_registry import GatedRegistry
from gateway.stages.gated_temis import GatedTemis
from gateway.stages.guesses import Guesses
from gateway.stages.identities import Identities
from gateway.stages.incidents import Incidents
from gateway.stages.judging import Judging
from gateway.stages.links import Links
from gateway.stages.near_misses import ACCOUNT_SEARCHES, VENDOR_SEARCHES, NearMisses
from gateway.stages.owners import Owners
from gateway.stages.parking import Parking
from gateway.stages.polling import Polling
from gateway.stages.progress.headcounts import Headcounts
from gateway.stages.progress.tree import Progresses
from gateway.stages.publishing import Publishing
from gateway.stages.receive import Receive
from gateway.stages.reconcile import Reconcile, Reconciling
from gateway.stages.replay import Replaying
from gateway.stages.replay_plan import NobodyAsked, Planner
from gateway.stages.sessions import Sessions
from gateway.stages.shared_gates import SharedGates
from gateway.stages.shared_guesses import SharedGuesses
from gateway.stages.sign_in import SignIn
from gateway.stages.statements import Statements
from gateway.stages.status import StatusBoard
from gateway.stages.streaming import Streaming
from gateway.stages.sweep import Sweep
from gateway.stages.then_and_now import ThenAndNow
from gateway.stages.tidy import Tidy
from gateway.stages.unit_facts import FactsOfUnits
from gateway.stages.users import UserActs
from gateway.stages.verify import Verify
from gateway.stages.wake import Wake
from gateway.storage.data_keys import ensure_data_keys
from gateway.storage.engine import Database, open_database
from gateway.storage.schema import check_schema
from gateway.temis.client import TemisClient

POLL_TIMEOUT_S = 30.0  # a page of a vendor's list
CHECK_PATIENCE_S = 5.0  # who asks before saving a profile gets an answer by then: a verdict, or `pending`


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
    turns: Turns
    streaming: Streaming
    courses: Courses
    units: UnitRegister
    owners: Owners
    snapshots: Snapshots
    accounts: Accounts
    policy: Policy
    guesses: Guesses
    budgets: SharedBudgets
    wake: Wake
    links: Links
    poster: Poster
    callbacks: CallbackActs
    statements: Statements
    identities: Identities
    changes: Changes
    status: StatusBoard
    jobs: Jobs
    file_checks: FileChecks
    progresses: Progresses
    headcounts: Headcounts
    course_acts: CourseActs
    replaying: Replaying
    edits: Edits
    planner: Planner
    sign_in: SignIn
    sessions: Sessions
    users: UserActs
    metrics: Metrics


@dataclass(frozen=True, slots=True)
class Authority:
    """The way to the sector database, and what stands on it."""

    registry: GatedRegistry
    gate: Gate
    people: People
    checking: Checking
    then_and_now: ThenAndNow
    file_judge: FileJudge


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
async def open_gateway(settings: Settings, *, clock: Clock | None = None) -> AsyncIterator[Gateway]:
    """Opens keys and database. Raises: ConfigError, KeyMissing, saying what to run or mend."""
    clock = clock or SystemClock()
    keyring = KeyRing.load(settings.keys_file)
    vault = Vault(keyring)
    blind = BlindIndex(keyring)
    db = open_database(settings.database)
    poster = Poster(Guard.parse(settings.callback_allow))
    turns = Turns()
    try:
        await check_schema(db)
        await ensure_data_keys(db, vault, clock)
        metrics = Metrics()

        def committed(seconds: float, items: int) -> None:
            metrics.commits.observe(seconds)
            metrics.commit_items.observe(items)

        snapshots = Snapshots(db, vault, blind)
        accounts = Accounts(db, vault, blind)
        units = UnitRegister(db, clock)
        jobs = Jobs(db, clock, vault)
        headcounts = Headcounts(db, clock)
        vendors = Vendors(db, vault, clock)
        wake = Wake(db, clock, blind)
        courses = Courses(db, clock)
        policy = load_policy(settings.policy_file or DEFAULT_POLICY)
        guesses, budgets = SharedGuesses(db, clock, blind, metrics), SharedBudgets(db, clock)
        acceptor = Acceptor(db, clock, max_wait_ms=settings.accept_queue_max_age_ms, committed=committed)
        receive = Receive(
            acceptor,
            discover_connectors(),
            vault,
            keyring.digest.material,
            max_items=settings.max_batch_items,
        )
        metrics.waiting.set_function(lambda: acceptor.waiting)
        yield Gateway(
            settings=settings,
            clock=clock,
            db=db,
            keyring=keyring,
            vault=vault,
            blind=blind,
            vendors=vendors,
            acceptor=acceptor,
            receive=receive,
            turns=turns,
            streaming=Streaming(receive, Tokens(keyring.digest.material), db, clock, turns),
            courses=courses,
            units=units,
            owners=Owners(units, clock),
            snapshots=snapshots,
            accounts=accounts,
            policy=policy,
            guesses=guesses,
            budgets=budgets,
            wake=wake,
            course_acts=CourseActs(db, clock, vendors, units, wake),
            links=Links(db, clock, blind, accounts),
            poster=poster,
            callbacks=CallbackActs(db, clock, vault, poster),
            statements=Statements(db, clock, vault, receive),
            identities=Identities(db, clock, vault),
            changes=Changes(db, clock, blind, snapshots),
            status=StatusBoard(
                db, clock, {"temis": settings.temis.contact, "registry": settings.registry.contact}
            ),
            jobs=jobs,
            progresses=Progresses(db, clock, headcounts),
            headcounts=headcounts,
            replaying=Replaying(db, clock, jobs),
            edits=Edits(db, clock, vault),
            planner=_planner(db, clock, vault, blind, snapshots, accounts, courses, units, policy, metrics),
            file_checks=FileChecks(db, jobs, clock, keep_days=settings.files_keep_days),
            sign_in=SignIn(db, clock, vault, units),
            sessions=Sessions(
                db,
                clock,
                vault,
                units,
                idle_ms=settings.session_idle_s * 1000,
                longest_ms=settings.session_max_s * 1000,
            ),
            users=UserActs(db, clock, vault, units),
            metrics=metrics,
        )
        await acceptor.drain()
        await guesses.close()
        await budgets.close()
    finally:
        await poster.aclose()
        await db.close()


@asynccontextmanager
async def open_authority(gateway: Gateway, *, limits: BreakerLimits | None = None) -> AsyncIterator[Authority]:
    """Opens the way to the sector database; its addresses must be set."""
    g, s = gateway, gateway.settings
    async with AsyncExitStack() as stack:
        gate = _gate("registry", s.registry, limits)
        caller = open_caller(stack, s, s.registry, g.clock)
        client = RegistryClient(caller, g.clock, concurrency=s.registry.concurrency)
        registry = GatedRegistry(client, gate, page=s.registry.batch_items, calls=g.metrics.calls)
        bounds = Bounds(
            max_age_ms=s.snapshot_max_age_s * 1000,
            negative_max_age_ms=s.negative_max_age_s * 1000,
            feed_max_age_ms=s.snapshot_feed_max_age_s * 1000,
            feed_lag_max_ms=s.feed_lag_max_s * 1000,
        )
        people = People(g.snapshots, g.clock, registry, bounds, g.metrics.lookups)
        units = FactsOfUnits(g.units)
        checking = Checking(
            g.clock, people, g.accounts, g.policy, g.guesses, units, patience_s=CHECK_PATIENCE_S
        )
        then_and_now = ThenAndNow(g.db, g.clock, g.vault, g.snapshots, g.accounts, checking, g.owners)
        file_judge = FileJudge(g.db, g.clock, g.blind, people, g.policy, units, registry)
        yield Authority(registry, gate, people, checking, then_and_now, file_judge)


@asynccontextmanager
async def open_pipeline(gateway: Gateway, *, limits: BreakerLimits | None = None) -> AsyncIterator[Pipeline]:
    """Opens the ways to the registry and TEMIS and wires the stages. Nothing runs until `worker.run()`."""
    g, s = gateway, gateway.settings
    jitter = random.Random()  # noqa: S311 - spreads retries, guards nothing
    async with AsyncExitStack() as stack:
        authority = await stack.enter_async_context(open_authority(g, limits=limits))
        people = authority.people
        temis_gate = _gate("temis", s.temis, limits)
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
        reconcile = _reconcile(g, temis, temis_gate)
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
            _polling(g, stack),
            changed_rules,
            sealing,
            tidy,
            publishing,
            calling,
            expiring,
            reconciling,
            *_case_duties(g),
        ]
        watching = _watch_duties(g, stack)
        holder = _holder()
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


@asynccontextmanager
async def open_reconcile(gateway: Gateway) -> AsyncIterator[Reconcile]:
    """Opens the way to TEMIS for reading back alone; its addresses must be set."""
    async with AsyncExitStack() as stack:
        s = gateway.settings
        gate = _gate("temis", s.temis, None)
        temis = GatedTemis(open_caller(stack, s, s.temis, gateway.clock), gate)
        await stack.enter_async_context(sharing(gateway, gate))
        yield _reconcile(gateway, temis, gate)


def _reconcile(g: Gateway, temis: TemisClient, gate: Gate) -> Reconcile:
    expected = Expected(g.db, g.vault, g.snapshots, g.courses)
    rate = g.settings.temis.reconcile_rate_per_s
    return Reconcile(g.db, g.clock, g.snapshots, expected, temis, gate, rate_per_s=rate)


def _polling(g: Gateway, stack: AsyncExitStack) -> Polling:
    """Asks vendors that only offer a list API; none are asked that nobody has set."""

    def way_to(poll: Poll) -> Caller:
        return Caller(poll.url, token=StaticKey(poll.key), timeout_s=POLL_TIMEOUT_S, clock=g.clock)

    polling = Polling(g.db, g.clock, g.vault, g.vendors, g.receive, discover_lists(), way_to, ttl_ms=TTL_MS)
    stack.push_async_callback(polling.aclose)
    return polling


def _case_duties(g: Gateway) -> list[Duty]:
    """What keeps the lists of the console up with the queue and with the units."""
    follow = FollowCases(
        g.db, g.clock, g.vault, g.blind, g.accounts, g.snapshots, g.units, g.metrics, ttl_ms=TTL_MS
    )
    return [follow, ReparentCases(g.db, g.clock, g.units, ttl_ms=TTL_MS)]


def _watch_duties(g: Gateway, stack: AsyncExitStack) -> list[Duty]:
    """What operators rely on: pauses that hold, causes, incidents, alerts."""
    alerts = g.settings.alerts
    hook = None
    if alerts.webhook_url is not None:
        hook = Hook(alerts.webhook_url, alerts.webhook_secret.get_secret_value())
        stack.push_async_callback(hook.aclose)
    causes = CauseWatch(g.db, g.clock, g.metrics, ttl_ms=TTL_MS)
    return [
        Parking(g.db),
        causes,
        DeadlineWatch(g.db, g.clock, g.units, causes.rate_per_s, ttl_ms=TTL_MS),
        Incidents(g.db, g.clock, ttl_ms=TTL_MS),
        Backlog(g.db, g.clock, g.metrics),
        Alerting(g.db, g.clock, g.metrics, hook, Severity(alerts.least)),
    ]


def _planner(
    db: Database,
    clock: Clock,
    vault: Vault,
    blind: BlindIndex,
    snapshots: Snapshots,
    accounts: Accounts,
    courses: Courses,
    units: UnitRegister,
    policy: Policy,
    metrics: Metrics,
) -> Planner:
    """Judges a replay's sample by what is stored, however old, and asks nobody."""
    ever = 2**62
    stored = Bounds(max_age_ms=ever, negative_max_age_ms=ever, feed_max_age_ms=ever)
    people = People(snapshots, clock, NobodyAsked(), stored, metrics.lookups)
    judging = Judging(clock, blind, people, accounts, courses, policy, FactsOfUnits(units))
    return Planner(db, clock, vault, Expected(db, vault, snapshots, courses), judging)


def _near_misses(g: Gateway, registry: GatedRegistry) -> NearMisses:
    def hidden(account: str) -> str:
        return g.blind.index("tally.account", account).hex()

    return NearMisses(
        g.clock,
        registry,
        of_vendor=g.budgets.budget("search.vendor", VENDOR_SEARCHES, HOUR_MS),
        of_account=g.budgets.budget("search.account", ACCOUNT_SEARCHES, DAY_MS, hidden=hidden),
    )


@asynccontextmanager
async def sharing(gateway: Gateway, gate: Gate) -> AsyncIterator[None]:
    """Keeps a gate that no worker keeps, as in `serve --no-worker`, up with what all processes know."""
    jitter = random.Random()  # noqa: S311 - spreads probes, guards nothing
    shared = SharedGates(gateway.db, gateway.clock, _holder(), (gate,), jitter, works=False)
    await shared.tick()
    running = asyncio.create_task(shared.run())
    try:
        yield
    finally:
        shared.stop()
        await running


def _holder() -> str:
    """Names this process among all that may lead."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


def _gate(name: str, destination: Destination, limits: BreakerLimits | None) -> Gate:
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
