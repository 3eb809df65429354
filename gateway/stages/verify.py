"""accepted or held delivery -> registry answers, mapping, judgement -> verified | held.

An outage of the registry is never a verdict: those deliveries wait for it and burn no try.
"""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import orjson
import structlog

from gateway.bdtx.courses import Courses, MappedCourse
from gateway.bdtx.recognition import check_result
from gateway.bdtx.school_years import resolve as resolve_year
from gateway.identity.case import Case, keys_of
from gateway.identity.judge import judge
from gateway.identity.people import People
from gateway.identity.policy import Policy
from gateway.identity.snapshots import Known
from gateway.identity.waits import waits_of
from gateway.model.clock import MINUTE_MS, Clock, local_date
from gateway.model.completion import Completion
from gateway.model.errors import KeyMissing, SealBroken
from gateway.model.merge import rank
from gateway.model.outcomes import Advance, Bury, Hold, RetryLater, Wait
from gateway.model.person import LookupKey
from gateway.model.reasons import owner_of
from gateway.model.states import State
from gateway.model.verdict import Effect, Finding, Verdict
from gateway.observe.metrics import Metrics
from gateway.outbound.gate import Gate
from gateway.queue import payloads
from gateway.queue.claim import claim
from gateway.queue.delivery import Delivery, Result, Target
from gateway.queue.lanes import INTERACTIVE, REPLAY
from gateway.queue.record import record_in
from gateway.queue.retry import MAX_UNRECORDED_CLAIMS
from gateway.queue.wake import newest_wake
from gateway.security.blind import BlindIndex
from gateway.security.vault import Vault
from gateway.stages.deliver import Deliver
from gateway.stages.waiting import blinded
from gateway.storage.engine import Database, Tx
from gateway.storage.rows import Cell

log = structlog.get_logger(__name__)

Opened = tuple[Delivery, Completion]

LOG_VERDICTS = """
INSERT INTO verifications (delivery_id, at_ms, verified, reason, rung, person_id, snapshot_version, age_ms,
                           policy_version, findings)
SELECT x.delivery_id, :now, x.verified, x.reason, x.rung, x.person_id, x.snapshot_version, x.age_ms,
       x.policy_version, x.findings
FROM {x}"""


@dataclass(frozen=True, slots=True)
class _Judged:
    """A result and the verdict it came from, when there was one."""

    result: Result
    verdict: Verdict | None = None
    person_id: int | None = None
    snapshot_version: int | None = None
    age_ms: int = 0


class Verify:
    """The verify stage. One instance per process; steps may run side by side."""

    name: str = "verify"
    states: tuple[State, ...] = (State.ACCEPTED, State.HELD)

    def __init__(
        self,
        db: Database,
        clock: Clock,
        vault: Vault,
        blind: BlindIndex,
        people: People,
        courses: Courses,
        policy: Policy,
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
        self._blind = blind
        self._people = people
        self._courses = courses
        self._policy = policy
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
        seen_wake = await newest_wake(self._db)
        rows = 20 if self._gate.is_probe else self._claim_rows
        claimed = await claim(self._db, self._clock, state, lane, limit=rows, lease_ms=self._lease_ms)
        if not claimed:
            self._gate.forgo()
            return 0
        judged, opened = await self._open(claimed)
        # What somebody waits for, or what was held for the registry's word, is always asked live.
        is_recheck = state is State.HELD or lane in (INTERACTIVE, REPLAY)
        not_before_ms = self._clock.now_ms() if is_recheck else 0
        judged += await self._judge(opened, seen_wake, not_before_ms=not_before_ms)
        verified = await self._record(judged, seen_wake, lease=self._deliver.takes_over())
        if verified:
            completions = {d.id: completion for d, completion in opened}
            await self._deliver.deliver_leased([(d, completions[d.id]) for d in verified])
        return len(claimed)

    async def _open(self, claimed: Sequence[Delivery]) -> tuple[list[_Judged], list[Opened]]:
        """Unseals the payloads. What cannot be opened waits for its key; what kills workers is buried."""
        bodies = await payloads.load(self._db, [d.id for d in claimed])
        judged: list[_Judged] = []
        opened: list[Opened] = []
        for d in claimed:
            if d.claims > MAX_UNRECORDED_CLAIMS:
                judged.append(_Judged(Result(d, Bury("internal.crash_loop"), "internal.crash_loop")))
                continue
            try:
                body = bodies[d.id]
                completion, _ = payloads.open_body(self._vault, d.vendor_id, d.event_id, d.revision, body)
                opened.append((d, completion))
            except (KeyError, KeyMissing, SealBroken) as error:
                code = getattr(error, "code", "payload.missing")
                log.error("payload.unreadable", delivery=d.id, code=code)
                judged.append(_Judged(Result(d, RetryLater(code, delay_ms=MINUTE_MS), code)))
        return judged, opened

    async def _judge(self, opened: Sequence[Opened], seen_wake: int, *, not_before_ms: int) -> list[_Judged]:
        keys = {d.id: keys_of(completion.claim) for d, completion in opened}
        known, outage = await self._people.know(
            {key for wanted in keys.values() for key in wanted}, not_before_ms=not_before_ms
        )
        courses = await self._courses.resolve(
            ((d.vendor_id, c.course) for d, c in opened), as_of_wake=seen_wake
        )
        judged = []
        for d, completion in opened:
            if outage is not None and any(key not in known for key in keys[d.id]):
                code = outage.code
                judged.append(_Judged(Result(d, RetryLater("upstream.waiting"), code)))
                continue
            mapped = courses[d.vendor_id, completion.course.course_id]
            judged.append(self._judge_one(d, completion, keys[d.id], known, mapped))
        return judged

    def _judge_one(
        self,
        d: Delivery,
        completion: Completion,
        keys: Sequence[LookupKey],
        known: dict[LookupKey, Known],
        mapped: MappedCourse,
    ) -> _Judged:
        completed_on = local_date(completion.completed_at_ms)
        answers = {key: known[key].answer for key in keys}
        case = Case(completion.claim, completed_on, answers, vendor=completion.vendor)
        verdict = judge(case, self._policy)
        person = next(
            (
                known[key].people[verdict.sector_id]
                for key in keys
                if verdict.sector_id is not None and verdict.sector_id in known[key].people
            ),
            None,
        )
        now = self._clock.now_ms()
        age_ms = max((now - a.fetched_at_ms for a in answers.values() if not a.live), default=0)
        year = resolve_year(completion.course.school_year, completed_on)
        reason, waits = self._holds(completion, case, verdict, mapped, year)
        if reason is not None:
            owner = owner_of(reason, side=_side(verdict, reason))
            hold = Hold(reason, owner, blinded(self._blind, waits))
            result = Result(d, hold, reason)
        else:
            assert person is not None and mapped.module is not None and year is not None
            r = completion.result
            place = rank(bool(r.passed), r.score_hundredths, completion.completed_at_ms)
            target = Target(person.id, mapped.module.code, year, place)
            result = Result(d, Advance(State.VERIFIED), "verified", target)
        return _Judged(
            result, verdict, person.id if person else None, person.version if person else None, age_ms
        )

    def _holds(
        self, completion: Completion, case: Case, verdict: Verdict, mapped: MappedCourse, year: str | None
    ) -> tuple[str | None, list[Wait]]:
        """The first reason to hold, the person's first, and all that must change before it can go on."""
        reasons: list[str] = []
        waits = list(waits_of(case, verdict))
        if verdict.reason is not None:
            reasons.append(verdict.reason)
        if mapped.module is None:
            reasons.append("course.unmapped")
            waits.append(Wait("course", mapped.wait_key))
        if year is None:
            reasons.append("course.school_year_unclear")
        module, own_mark = mapped.module, mapped.pass_mark_hundredths
        pass_mark = module.pass_mark_hundredths if module and own_mark is None else own_mark or 0
        fault = check_result(
            completion.result.passed,
            completion.result.score_hundredths,
            pass_mark,  # 0 while unmapped: then only an unstated result is a fault
            module.boundary if module else ">=",
        )
        if fault is not None:
            reasons.append(fault)
        return (reasons[0] if reasons else None), waits

    async def _record(self, judged: Sequence[_Judged], seen_wake: int, *, lease: bool) -> list[Delivery]:
        """Writes all verdicts. Returns: with `lease`, the verified deliveries, claimed for delivery already."""
        rows: list[tuple[Cell, ...]] = [
            (
                j.result.delivery.id,
                int(isinstance(j.result.outcome, Advance)),
                j.result.outcome.reason if isinstance(j.result.outcome, Hold) else None,
                j.verdict.rung,
                j.person_id,
                j.snapshot_version,
                j.age_ms,
                j.verdict.policy_version,
                _findings(j.verdict.findings),
            )
            for j in judged
            if j.verdict is not None
        ]

        results = [j.result for j in judged]
        next_lease_ms = self._lease_ms if lease else 0

        async def in_tx(tx: Tx) -> list[Delivery]:
            now = self._clock.now_ms()
            recorded = await record_in(tx, self.name, results, (), seen_wake, now, self._jitter, next_lease_ms)
            if rows:
                x = tx.json_rows(
                    ("delivery_id", "int"),
                    ("verified", "int"),
                    ("reason", "text"),
                    ("rung", "int"),
                    ("person_id", "int"),
                    ("snapshot_version", "int"),
                    ("age_ms", "int"),
                    ("policy_version", "text"),
                    ("findings", "text"),
                )
                await tx.run(LOG_VERDICTS.format(x=x), rows=tx.pack(rows), now=now)
            return recorded.leased

        leased = await self._db.write(in_tx)
        for code, n in Counter(j.result.code for j in judged if j.verdict is not None).items():
            self._metrics.verdicts.labels(code).inc(n)
        return leased


def _side(verdict: Verdict, reason: str) -> object:
    """The side (`sent`, `on_file`) of the finding that holds: it decides who has to act."""
    holding = (f for f in verdict.findings if f.code == reason and f.effect is Effect.HOLDS)
    return next((f.detail.get("side") for f in holding), None)


def _findings(findings: Sequence[Finding]) -> str:
    """Codes, effects and fillers as JSON; they hold no personal value (model/verdict.py)."""
    return orjson.dumps(
        [[f.code, f.effect.value, f.detail] if f.detail else [f.code, f.effect.value] for f in findings]
    ).decode()
