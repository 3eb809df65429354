"""What every command shares: storage, keys, and the parts that need no outside system.

settings -> one Gateway.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from gateway.bdtx.courses import Courses
from gateway.bdtx.unit_store import UnitRegister
from gateway.connectors import discover as discover_connectors
from gateway.identity.accounts import Accounts
from gateway.identity.people import Bounds, People
from gateway.identity.policy import DEFAULT as DEFAULT_POLICY
from gateway.identity.policy import Policy
from gateway.identity.policy import load as load_policy
from gateway.identity.snapshots import Snapshots
from gateway.model.clock import Clock, SystemClock
from gateway.observe.metrics import Metrics
from gateway.outbound.guard import Guard
from gateway.outbound.guarded import Poster
from gateway.queue.accept import Acceptor
from gateway.queue.jobs import Jobs
from gateway.queue.turns import Turns
from gateway.queue.vendors import Vendors
from gateway.security.blind import BlindIndex
from gateway.security.keys import KeyRing
from gateway.security.tokens import Tokens
from gateway.security.vault import Vault
from gateway.settings import Settings
from gateway.stages.budgets import SharedBudgets
from gateway.stages.callback_acts import CallbackActs
from gateway.stages.changes import Changes
from gateway.stages.course_acts import CourseActs
from gateway.stages.edits import Edits
from gateway.stages.expected import Expected
from gateway.stages.file_check.work import FileChecks
from gateway.stages.guesses import Guesses
from gateway.stages.identities import Identities
from gateway.stages.judging import Judging
from gateway.stages.links import Links
from gateway.stages.owners import Owners
from gateway.stages.progress.headcounts import Headcounts
from gateway.stages.progress.tree import Progresses
from gateway.stages.receive import Receive
from gateway.stages.replay import Replaying
from gateway.stages.replay_plan import NobodyAsked, Planner
from gateway.stages.sessions import Sessions
from gateway.stages.shared_guesses import SharedGuesses
from gateway.stages.sign_in import SignIn
from gateway.stages.statements import Statements
from gateway.stages.status import StatusBoard
from gateway.stages.streaming import Streaming
from gateway.stages.unit_facts import FactsOfUnits
from gateway.stages.users import UserActs
from gateway.stages.wake import Wake
from gateway.storage.data_keys import ensure_data_keys
from gateway.storage.engine import Database, open_database
from gateway.storage.schema import check_schema


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
