"""accepted or held delivery -> registry answers, mapping, judgement -> verified | held.

An outage of the registry is never a verdict: those deliveries wait for it and burn no try.
"""

import random
from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec
import structlog

from gateway.identity.accounts import Accounts
from gateway.model.clock import MINUTE_MS, Clock
from gateway.model.errors import KeyMissing, SealBroken
from gateway.model.outcomes import Advance, Bury, RetryLater
from gateway.model.states import Kind, State
from gateway.observe.metrics import Metrics
from gateway.outbound.gate import Gate
from gateway.queue import payloads
from gateway.queue.claim import claim_in as claim_due_in
from gateway.queue.delivery import Delivery, Result
from gateway.queue.keep import kept
from gateway.queue.lanes import INTERACTIVE, REPLAY
from gateway.queue.record import Recorded, record_in
from gateway.queue.retry import MAX_UNRECORDED_CLAIMS
from gateway.queue.wake import newest_wake_in
from gateway.security.vault import Vault
from gateway.stages.deliver import Deliver
from gateway.stages.guesses import NOBODYS, Guesses
from gateway.stages.judging import Judged, Judging, Opened
from gateway.stages.near_misses import NearMisses
from gateway.stages.verdict_log import log_in, rows_of
from gateway.storage.data_keys import load_keys_of
from gateway.storage.engine import Database, Tx

log = structlog.get_logger(__name__)

PROBE_ROWS = 20


class Verify:
    """The verify stage. One instance per process; steps may run side by side."""

    name: str = "verify"
    states: tuple[State, ...] = (State.ACCEPTED, State.HELD)

    def __init__(
        self,
        db: Database,
        clock: Clock,
        vault: Vault,
        judging: Judging,
        accounts: Accounts,
        near_misses: NearMisses,
        guesses: Guesses,
        gate: Gate,
        deliver: Deliver,
        metrics: Metrics,
        *,
        claim_rows: int,
        lease_ms: int,
        jitter: random.Random,
    ) -> None:
        self._db = db
        self._clock = clock
        self._vault = vault
        self._judging = judging
        self._accounts = accounts
        self._near_misses = near_misses
        self._guesses = guesses
        self._gate = gate
        self._deliver = deliver
        self._metrics = metrics
        self._claim_rows = claim_rows
        self._lease_ms = lease_ms
        self._jitter = jitter

    def wait_s(self) -> float:
        return self._gate.wait_s()

    async def step(self, state: State, lane: int) -> int:
        """Claims one batch of `lane`, judges it and records the verdicts. Returns: deliveries claimed."""
        if not self._gate.allows():
            return 0
        is_probe = self._gate.is_probe
        seen_wake, claimed, bodies = await self._claim(
            state, lane, PROBE_ROWS if is_probe else self._claim_rows
        )
        if not claimed:
            self._gate.forgo()
            return 0
        await load_keys_of(self._db, self._vault, bodies.values())
        unopened, opened = self._open(claimed, bodies)
        # What somebody waits for, or what was held for the registry's word, is always asked live.
        is_recheck = state is State.HELD or lane in (INTERACTIVE, REPLAY)
        not_before_ms = self._clock.now_ms() if is_recheck else 0
        async with kept(self._db, self._clock, claimed, self._lease_ms):  # a slow registry is nobody's fault
            judged = await self._judging.judge(opened, seen_wake, not_before_ms=not_before_ms)
            judged = await self._hinted(judged)
        if is_probe:
            self._gate.forgo()  # everybody was known and nobody was called: the probe is not used up
        recorded = await self._record([*unopened, *judged], seen_wake, lease=self._deliver.takes_over())
        if recorded.leased:
            completions = {d.id: completion for d, completion in opened}
            leased = [(d, completions[d.id], recorded.places[d.id]) for d in recorded.leased]
            await self._deliver.deliver_leased(leased, seen_wake)
        return len(claimed)

    async def _claim(self, state: State, lane: int, limit: int) -> tuple[int, list[Delivery], dict[int, bytes]]:
        """Returns: the newest wake before anything was looked at, what is leased now, its sealed bodies."""

        async def in_tx(tx: Tx) -> tuple[int, list[Delivery], dict[int, bytes]]:
            seen_wake = await newest_wake_in(tx)
            claimed = await claim_due_in(
                tx, state, lane, now=self._clock.now_ms(), limit=limit, lease_ms=self._lease_ms
            )
            return seen_wake, claimed, await payloads.load_in(tx, [d.id for d in claimed]) if claimed else {}

        return await self._db.write(in_tx)

    async def _hinted(self, judged: Sequence[Judged]) -> list[Judged]:
        """Near misses beside what nobody has; they change no verdict."""
        told = [(j.case.vendor, j.case.claim, j.verdict) for j in judged if j.case and j.verdict]
        places = [n for n, j in enumerate(judged) if j.case and j.verdict]
        for vendor, claim, verdict in told:
            if verdict.reason in NOBODYS:
                self._guesses.not_found(vendor, claim)
        hints = await self._near_misses.hints(told)
        hinted = list(judged)
        for n, verdict in hints.items():
            hinted[places[n]] = msgspec.structs.replace(judged[places[n]], verdict=verdict)
        return hinted

    def _open(
        self, claimed: Sequence[Delivery], bodies: Mapping[int, bytes]
    ) -> tuple[list[Judged], list[Opened]]:
        """Unseals the payloads. What cannot be opened waits for its key; what kills workers is buried."""
        unopened: list[Judged] = []
        opened: list[Opened] = []
        for d in claimed:
            if d.kind is Kind.WITHDRAWAL:  # held by TEMIS's refusal: it has nothing to judge, and goes again
                unopened.append(Judged(Result(d, Advance(State.VERIFIED), "verified")))
                continue
            if d.claims > MAX_UNRECORDED_CLAIMS + 1:  # the last of them took it alone
                unopened.append(Judged(Result(d, Bury("internal.crash_loop"), "internal.crash_loop")))
                continue
            try:
                body = bodies[d.id]
                completion, _ = payloads.open_body(self._vault, d.vendor_id, d.event_id, d.revision, body)
                opened.append((d, completion))
            except (KeyError, KeyMissing, SealBroken) as error:
                code = getattr(error, "code", "payload.missing")
                log.error("payload.unreadable", delivery=d.id, code=code)
                unopened.append(Judged(Result(d, RetryLater(code, delay_ms=MINUTE_MS), code)))
        return unopened, opened

    async def _record(self, judged: Sequence[Judged], seen_wake: int, *, lease: bool) -> Recorded:
        """Writes all verdicts. With `lease`, what is verified is claimed for delivery already."""
        rows = rows_of(judged)
        results = [j.result for j in judged]
        statements = [j.statement for j in judged if j.statement is not None]
        next_lease_ms = self._lease_ms if lease else 0

        async def in_tx(tx: Tx) -> Recorded:
            now = self._clock.now_ms()
            recorded = await record_in(tx, self.name, results, (), seen_wake, now, self._jitter, next_lease_ms)
            await log_in(tx, rows, now)
            await self._accounts.state_in(tx, statements, now)
            return recorded

        recorded = await self._db.write(in_tx)
        for code, n in Counter(j.result.code for j in judged if j.verdict is not None).items():
            self._metrics.verdicts.labels(code).inc(n)
        return recorded
