"""verified delivery -> read-back of unknown outcomes -> one push to TEMIS -> delivered | later | held | dead.

The claim has already marked every outcome unknown, so a crash at any point leads back to the read-back.
"""

import hashlib
import random
from collections.abc import Mapping, Sequence

import msgspec
import orjson
import structlog

from gateway.bdtx.courses import Courses, MappedCourse
from gateway.bdtx.modules import find
from gateway.identity.people import People
from gateway.model.clock import HOUR_MS, MINUTE_MS, SECOND_MS, Clock
from gateway.model.completion import Completion
from gateway.model.errors import (
    CredentialsRefused,
    KeyMissing,
    PayloadInvalid,
    SealBroken,
    Throttled,
    UpstreamError,
)
from gateway.model.outcomes import Advance, Bury, Hold, Outcome, RetryLater, Wait
from gateway.model.reasons import owner_of
from gateway.model.states import Kind, State
from gateway.outbound.gate import Gate
from gateway.queue import payloads
from gateway.queue.acknowledge import Acknowledged
from gateway.queue.claim import claim, renew
from gateway.queue.delivery import Delivery, Result
from gateway.queue.keep import kept
from gateway.queue.record import record
from gateway.queue.retry import MAX_UNRECORDED_CLAIMS, SCHEDULE_S
from gateway.queue.standing import Standing, standing
from gateway.queue.wake import newest_wake
from gateway.security.blind import BlindIndex
from gateway.security.vault import Vault
from gateway.stages.waiting import blinded
from gateway.storage.engine import Database
from gateway.temis.client import TemisClient
from gateway.temis.contract import RecordItem, StoredRecord
from gateway.temis.mapping import same_content, to_item
from gateway.temis.outcomes import OutcomeKind
from gateway.temis.push import PushResult, push

log = structlog.get_logger(__name__)

PROBE_ROWS = 20
_SUCCESS_IS_RECENT_MS = MINUTE_MS
_STANDS_MS = SECOND_MS  # how long what a transaction said of a record is taken for true


class _Ready(msgspec.Struct, frozen=True):
    """One delivery with the record it stands for and the item to send."""

    delivery: Delivery
    place: Standing
    item: RecordItem


class Deliver:
    """The deliver stage. One instance per process; steps may run side by side."""

    name: str = "deliver"
    states: tuple[State, ...] = (State.VERIFIED,)

    def __init__(
        self,
        db: Database,
        clock: Clock,
        vault: Vault,
        blind: BlindIndex,
        people: People,
        courses: Courses,
        client: TemisClient,
        gate: Gate,
        *,
        batch_items: int,
        lease_ms: int,
        call_timeout_ms: int,
        jitter: random.Random,
    ) -> None:
        self._db = db
        self._clock = clock
        self._vault = vault
        self._blind = blind
        self._people = people
        self._courses = courses
        self._client = client
        self._gate = gate
        self._batch_items = batch_items
        self._lease_ms = lease_ms
        # Jitter takes a fifth off; a read-back must not come sooner than one call timeout after the send.
        self._read_back_ms = call_timeout_ms * 5 // 4 + 1
        self._jitter = jitter
        self._last_success_ms = 0

    def wait_s(self) -> float:
        return self._gate.wait_s()

    async def step(self, state: State, lane: int) -> int:
        """Claims one batch of `lane`, sends it and records the answers. Returns: deliveries claimed."""
        if not self._gate.allows():
            return 0
        is_probe = self._gate.is_probe
        seen_wake = await newest_wake(self._db)
        rows = min(PROBE_ROWS, self._batch_items) if is_probe else self._batch_items
        claimed = await claim(self._db, self._clock, state, lane, limit=rows, lease_ms=self._lease_ms)
        if not claimed:
            self._gate.forgo()
            return 0
        async with kept(self._db, self._clock, claimed, self._lease_ms):
            await self._deliver(claimed, {}, seen_wake)
        if is_probe:
            self._gate.forgo()  # nothing was left to send, so nobody was called: the probe is not used up
        return len(claimed)

    def takes_over(self) -> bool:
        """Whether verified deliveries may be handed over directly: only while calls flow freely."""
        return self._gate.is_open

    async def deliver_leased(
        self, opened: Sequence[tuple[Delivery, Completion, Standing]], seen_wake: int
    ) -> None:
        """Delivers what the verify stage has just leased to us, its payloads already open.

        `seen_wake` is the newest wake it knew before it claimed them.
        """
        leased_at_ms = self._clock.now_ms()
        async with kept(self._db, self._clock, [d for d, _, _ in opened], self._lease_ms) as ours:
            for start in range(0, len(opened), self._batch_items):
                part = [one for one in opened[start : start + self._batch_items] if one[0].id not in ours.lost]
                completions = {d.id: completion for d, completion, _ in part}
                # What has waited is looked at again: a better result may have come meanwhile.
                is_new = self._clock.now_ms() - leased_at_ms <= _STANDS_MS
                places = {d.id: place for d, _, place in part} if is_new else None
                await self._deliver([d for d, _, _ in part], completions, seen_wake, places)

    async def _deliver(
        self,
        claimed: Sequence[Delivery],
        opened: Mapping[int, Completion],
        seen_wake: int,
        places: Mapping[int, Standing] | None = None,
    ) -> None:
        places = await standing(self._db, [d.id for d in claimed]) if places is None else places
        results, ready = await self._prepare(claimed, opened, places)
        read, ready = await self._read_back([r for r in ready if r.delivery.was_unknown], ready)
        sent = await self._send(ready)
        answers = [*read, *sent]
        await record(
            self._db,
            self._clock,
            self.name,
            [*results, *(result for result, _ in answers)],
            acknowledged=[stands for _, stands in answers if stands is not None],
            seen_wake=seen_wake,
            jitter=self._jitter,
        )

    async def _prepare(
        self, claimed: Sequence[Delivery], opened: Mapping[int, Completion], places: Mapping[int, Standing]
    ) -> tuple[list[Result], list[_Ready]]:
        """Leaves out what no longer stands for its record; opens and maps the rest."""
        results: list[Result] = []
        current: list[Delivery] = []
        for d in claimed:
            place = places[d.id]
            is_replaced = place.newest_revision > d.revision and d.kind is Kind.COMPLETION
            if is_replaced and not (d.was_unknown and place.winner_id == d.id):  # that one is read back first
                gone = Advance(State.VOIDED, "replaced")
                results.append(Result(d, gone, "replaced", not_sent=not d.was_unknown))
            elif place.winner_id != d.id:
                # Whatever TEMIS may have got of it, the winner's revision is higher and settles the record.
                gone = Advance(State.VOIDED, "superseded")
                results.append(Result(d, gone, "superseded", not_sent=not d.was_unknown))
            else:
                current.append(d)
        closed = [places[d.id].body_id for d in current if d.id not in opened]
        bodies = await payloads.load(self._db, self._vault, closed) if closed else {}
        people = await self._people.sector_ids({places[d.id].person_id for d in current})
        completions: list[tuple[Delivery, Completion]] = []
        for d in current:
            try:
                completions.append((d, opened.get(d.id) or self._open(d, bodies[places[d.id].body_id])))
            except (KeyError, KeyMissing, SealBroken) as error:
                code = getattr(error, "code", "payload.missing")
                log.error("payload.unreadable", delivery=d.id, code=code)
                later = RetryLater(code, delay_ms=MINUTE_MS)
                results.append(Result(d, later, code, not_sent=not d.was_unknown))
        courses = await self._courses.resolve((d.vendor_id, one.course) for d, one in completions)
        ready: list[_Ready] = []
        for d, completion in completions:
            place, course = places[d.id], courses[d.vendor_id, completion.course.course_id]
            try:
                ready.append(_Ready(d, place, _item(d, place, completion, course, people)))
            except PayloadInvalid as error:
                log.error("record.unmappable", delivery=d.id, faults=[e.path for e in error.errors])
                results.append(_unmappable(d))
        return results, ready

    def _open(self, d: Delivery, body: bytes) -> Completion:
        completion, _ = payloads.open_body(self._vault, d.vendor_id, d.event_id, d.revision, body)
        return completion

    async def _read_back(
        self, unknown: Sequence[_Ready], ready: list[_Ready]
    ) -> tuple[list[tuple[Result, Acknowledged | None]], list[_Ready]]:
        """Asks TEMIS what became of earlier sends. What stands there is delivered; the rest is sent again.

        No sooner than one call timeout after that send: the lease and the retry delay are both longer.
        """
        if not unknown:
            return [], ready
        done: list[tuple[Result, Acknowledged | None]] = []
        try:
            stored = await self._client.query([r.item.key for r in unknown])
        except UpstreamError as error:
            self._gate.failed(error)
            for r in unknown:
                later = RetryLater("upstream.waiting", outcome_unknown=True)
                said = Result(r.delivery, later, error.code, http_status=error.status, answer=error.answer)
                done.append((said, None))
            asked = {r.delivery.id for r in unknown}
            return done, [r for r in ready if r.delivery.id not in asked]
        self._gate.succeeded()
        again = [r for r in ready if not r.delivery.was_unknown]
        for r in unknown:
            found = stored.get(r.item.key)
            if found is not None and found.revision == r.item.revision and same_content(r.item, found):
                result = Result(r.delivery, Advance(State.DELIVERED, "acknowledged"), "read_back")
                done.append((result, _acknowledged(r, found)))
            elif r.place.newest_revision > r.delivery.revision and r.delivery.kind is Kind.COMPLETION:
                gone = Advance(State.VOIDED, "replaced")
                done.append((Result(r.delivery, gone, "replaced", not_sent=True), None))
            elif r.delivery.tries > len(SCHEDULE_S):
                bury = Bury("temis.schedule_exhausted")
                done.append((Result(r.delivery, bury, "temis.schedule_exhausted", not_sent=True), None))
            elif r.delivery.claims > MAX_UNRECORDED_CLAIMS + 1:  # the last of them took it alone
                bury = Bury("internal.crash_loop")
                done.append((Result(r.delivery, bury, "internal.crash_loop", not_sent=True), None))
            else:
                again.append(r)
        return done, again

    async def _send(self, ready: Sequence[_Ready]) -> list[tuple[Result, Acknowledged | None]]:
        if not ready:
            return []
        calls = 0

        async def before_call() -> None:
            nonlocal calls
            calls += 1
            if calls > 1:  # a bisection may take longer than the lease
                await renew(self._db, self._clock, [r.delivery for r in ready], self._lease_ms)

        started_ms = self._clock.now_ms()
        items = [r.item for r in ready]
        answers = await push(
            self._client,
            items,
            recently_succeeded=self._recently_succeeded,
            before_call=before_call,
            is_answering=any(r.delivery.was_unknown for r in ready),  # these have just been read back
        )
        took_ms = self._clock.now_ms() - started_ms
        self._judge_destination(answers)
        return [self._result(r, answer, took_ms) for r, answer in zip(ready, answers, strict=True)]

    def _recently_succeeded(self) -> bool:
        return self._clock.now_ms() - self._last_success_ms <= _SUCCESS_IS_RECENT_MS

    def _judge_destination(self, answers: Sequence[PushResult]) -> None:
        errors = [a.error for a in answers if a.error is not None and not a.poison]
        if len(errors) < len(answers):
            self._last_success_ms = self._clock.now_ms()
            self._gate.succeeded()
            # What the destination says of itself counts also after some answers of the same attempt.
            errors = [e for e in errors if isinstance(e, Throttled | CredentialsRefused)]
        if errors:
            self._gate.failed(errors[-1])

    def _result(self, ready: _Ready, pushed: PushResult, took_ms: int) -> tuple[Result, Acknowledged | None]:
        row = pushed.row
        result = Result(
            ready.delivery,
            self._outcome(ready, pushed),
            row.reason,
            not_sent=row.clears_unknown and not pushed.unknown,
            http_status=200 if pushed.answer is not None else pushed.error.status if pushed.error else None,
            duration_ms=took_ms,
            request_hash=_request_hash(ready.item),
            answer=pushed.error.answer if pushed.error else None,
        )
        if row.kind is OutcomeKind.SUCCESS:
            record_id = pushed.answer.record_id if pushed.answer else None
            return result, Acknowledged(
                ready.place.record_id, ready.delivery.id, ready.item.revision, record_id
            )
        return result, None

    def _outcome(self, ready: _Ready, pushed: PushResult) -> Outcome:
        row = pushed.row
        match row.kind:
            case OutcomeKind.SUCCESS:
                return Advance(State.DELIVERED, "acknowledged")
            case OutcomeKind.STALE:
                # TEMIS has a higher revision than we ever sent (a restored backup): ours goes above it.
                stored = pushed.answer.revision if pushed.answer else None
                return RetryLater(row.reason, outrank=stored)
            case OutcomeKind.CURABLE:
                waits = blinded(self._blind, [Wait("temis", ready.item.sector_id)])
                return Hold(row.reason, owner_of(row.reason), waits)
            case OutcomeKind.REFUSE:
                return Bury(row.reason)
            case OutcomeKind.UNKNOWN:
                return RetryLater(row.reason, delay_ms=self._read_back_ms, outcome_unknown=True)
            case _:
                unknown = not row.clears_unknown or pushed.unknown
                delay = self._read_back_ms if unknown else None
                return RetryLater(row.reason, delay, own_fault=row.burns_try, outcome_unknown=unknown)


def _item(
    d: Delivery, place: Standing, completion: Completion, course: MappedCourse, people: Mapping[int, str]
) -> RecordItem:
    module = find(place.module_code)
    return to_item(
        completion,
        sector_id=people[place.person_id],
        module_code=place.module_code,
        school_year=place.school_year,
        revision=place.record_revision,
        programme=module.programme if module else None,
        periods=course.periods or (module.periods if module else None),
        delivery=str(d.id),
        withdrawn=d.kind is Kind.WITHDRAWAL,
    )


def _unmappable(d: Delivery) -> Result:
    """What cannot be mapped is dead; but what TEMIS may have had of it is never buried with it."""
    if not d.was_unknown:
        return Result(d, Bury("temis.malformed"), "temis.malformed", not_sent=True)
    return Result(d, RetryLater("temis.malformed", HOUR_MS, outcome_unknown=True), "temis.malformed")


def _acknowledged(ready: _Ready, stored: StoredRecord) -> Acknowledged:
    return Acknowledged(ready.place.record_id, ready.delivery.id, stored.revision, stored.record_id)


def _request_hash(item: RecordItem) -> str:
    """Tells whether two attempts sent the same thing, without keeping what was sent."""
    return hashlib.blake2b(orjson.dumps(item.__dict__), digest_size=8).hexdigest()
