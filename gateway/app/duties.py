"""What only the leader does, as the settings say: following, watching, polling, reconciling."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from gateway.app.gateway import Gateway
from gateway.app.outside import new_gate, open_caller, sharing
from gateway.connectors.lists import discover as discover_lists
from gateway.outbound.gate import Gate
from gateway.outbound.hook import Hook
from gateway.outbound.http import Caller
from gateway.outbound.static_key import StaticKey
from gateway.queue.alerts import Severity
from gateway.queue.polls import Poll
from gateway.stages.alerting import Alerting
from gateway.stages.backlog import Backlog
from gateway.stages.cases.follow import FollowCases
from gateway.stages.cases.reparent import ReparentCases
from gateway.stages.cause_watch import CauseWatch
from gateway.stages.deadline_watch import DeadlineWatch
from gateway.stages.duties import TTL_MS, Duty
from gateway.stages.expected import Expected
from gateway.stages.gated_temis import GatedTemis
from gateway.stages.incidents import Incidents
from gateway.stages.parking import Parking
from gateway.stages.polling import Polling
from gateway.stages.reconcile import Reconcile
from gateway.temis.client import TemisClient

POLL_TIMEOUT_S = 30.0  # a page of a vendor's list


def reconcile_of(g: Gateway, temis: TemisClient, gate: Gate) -> Reconcile:
    expected = Expected(g.db, g.vault, g.snapshots, g.courses)
    rate = g.settings.temis.reconcile_rate_per_s
    return Reconcile(g.db, g.clock, g.snapshots, expected, temis, gate, rate_per_s=rate)


def polling_of(g: Gateway, stack: AsyncExitStack) -> Polling:
    """Asks vendors that only offer a list API; none are asked that nobody has set."""

    def way_to(poll: Poll) -> Caller:
        return Caller(poll.url, token=StaticKey(poll.key), timeout_s=POLL_TIMEOUT_S, clock=g.clock)

    polling = Polling(g.db, g.clock, g.vault, g.vendors, g.receive, discover_lists(), way_to, ttl_ms=TTL_MS)
    stack.push_async_callback(polling.aclose)
    return polling


def case_duties(g: Gateway) -> list[Duty]:
    """What keeps the lists of the console up with the queue and with the units."""
    follow = FollowCases(
        g.db, g.clock, g.vault, g.blind, g.accounts, g.snapshots, g.units, g.metrics, ttl_ms=TTL_MS
    )
    return [follow, ReparentCases(g.db, g.clock, g.units, ttl_ms=TTL_MS)]


def watch_duties(g: Gateway, stack: AsyncExitStack) -> list[Duty]:
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


@asynccontextmanager
async def open_reconcile(gateway: Gateway) -> AsyncIterator[Reconcile]:
    """Opens the way to TEMIS for reading back alone; its addresses must be set."""
    async with AsyncExitStack() as stack:
        s = gateway.settings
        gate = new_gate("temis", s.temis, None)
        temis = GatedTemis(open_caller(stack, s, s.temis, gateway.clock), gate)
        await stack.enter_async_context(sharing(gateway, gate))
        yield reconcile_of(gateway, temis, gate)
