"""What the console is given by the composition root: the parts that pages use, and two settings."""

from dataclasses import dataclass

from aiohttp import web

from gateway.bdtx.courses import Courses
from gateway.bdtx.unit_store import UnitRegister
from gateway.identity.accounts import Accounts
from gateway.identity.people import People
from gateway.identity.policy import Policy
from gateway.identity.snapshots import Snapshots
from gateway.model.clock import Clock
from gateway.model.texts import Lang
from gateway.observe.metrics import Metrics
from gateway.outbound.gate import Gate
from gateway.queue.jobs import Jobs
from gateway.queue.vendors import Vendors
from gateway.security.blind import BlindIndex
from gateway.security.vault import Vault
from gateway.stages.checking import Checking
from gateway.stages.course_acts import CourseActs
from gateway.stages.edits import Edits
from gateway.stages.file_check.work import FileChecks
from gateway.stages.guesses import Guesses
from gateway.stages.identities import Identities
from gateway.stages.links import Links
from gateway.stages.progress.headcounts import Headcounts
from gateway.stages.progress.tree import Progresses
from gateway.stages.replay import Replaying
from gateway.stages.replay_plan import Planner
from gateway.stages.sessions import Sessions
from gateway.stages.sign_in import SignIn
from gateway.stages.then_and_now import ThenAndNow
from gateway.stages.users import UserActs
from gateway.stages.wake import Wake
from gateway.storage.engine import Database


@dataclass(frozen=True, slots=True)
class Parts:
    """One for the process. What asks the sector database is None where its address is not set."""

    clock: Clock
    db: Database
    vault: Vault
    blind: BlindIndex
    units: UnitRegister
    sign_in: SignIn
    sessions: Sessions
    users: UserActs
    vendors: Vendors
    courses: Courses
    snapshots: Snapshots
    accounts: Accounts
    policy: Policy
    guesses: Guesses
    wake: Wake
    links: Links
    identities: Identities
    file_checks: FileChecks
    jobs: Jobs
    replaying: Replaying
    planner: Planner
    edits: Edits
    progresses: Progresses
    headcounts: Headcounts
    course_acts: CourseActs
    metrics: Metrics
    people: People | None = None
    checking: Checking | None = None
    then_and_now: ThenAndNow | None = None
    gates: tuple[Gate, ...] = ()  # of the worker in this process; none when it runs elsewhere
    lang: Lang = "vi"  # for readers who have chosen none
    address: str | None = None  # at which people open the console, when it is not that of this process

    @property
    def is_https(self) -> bool:
        return self.address is not None and self.address.startswith("https:")


PARTS: web.AppKey[Parts] = web.AppKey("parts", Parts)
