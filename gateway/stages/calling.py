"""The leader's duty of telling callbacks: change feed -> what each wants to know -> signed posts.

Nothing of this is on the way of completions. Each callback is served by itself: a slow one keeps none waiting.
Told is at least once: after a crash the same message goes out again under the same `webhook-id`.
Source: contracts/callbacks/README.md.
"""

import asyncio
import random
import secrets
from collections.abc import Sequence

import orjson
import structlog

from gateway.model.clock import SECOND_MS, Clock, http_date
from gateway.model.errors import LeaseLost, Refused, UpstreamError
from gateway.model.reasons import OWNERS
from gateway.model.texts import LANGS
from gateway.outbound.guarded import Poster
from gateway.outbound.refusals import retry_after_s
from gateway.queue import callbacks
from gateway.queue.alerts import Alert, Severity, raise_in
from gateway.queue.callbacks import Callback, Telling, Tried
from gateway.queue.moves import Move, read_moves
from gateway.queue.retry import jittered
from gateway.security.signatures import sign
from gateway.security.vault import Vault
from gateway.stages.following import events_of, gone_of, learner_texts, reason_of_move, words
from gateway.storage.engine import Database, Tx
from gateway.storage.leases import Lease, hold_in

log = structlog.get_logger(__name__)

# Svix's default: eight tries over 27 h 35 min.
SCHEDULE_S = (5, 300, 1_800, 7_200, 18_000, 36_000, 36_000)
AHEAD = 1_000  # so much waits for one callback at most; the rest stays in the feed
AT_ONCE = 8
PAGE = 500
QUIET_STEP = 10_000  # a position is written down without anything to tell only after so many attempts
GONE = 410
PATIENCE_S = 1.0  # a turn of the duty goes on after this, whatever a slow receiver does


class Calling:
    """Tells callbacks while this process leads. One instance per process."""

    name = "calling"

    def __init__(
        self,
        db: Database,
        clock: Clock,
        vault: Vault,
        poster: Poster,
        *,
        jitter: random.Random,
        ttl_ms: int,
        every_s: float = 1.0,
    ) -> None:
        self._db = db
        self._clock = clock
        self._vault = vault
        self._poster = poster
        self._jitter = jitter
        self._ttl_ms = ttl_ms
        self.every_s = every_s
        self._busy: dict[int, asyncio.Task[None]] = {}

    async def run(self, lease: Lease) -> None:
        """Serves every active callback once; those still busy from the last turn are left to it."""
        for callback in await callbacks.read_callbacks(self._db, self._vault, state=callbacks.ACTIVE):
            if callback.id not in self._busy:
                self._busy[callback.id] = asyncio.create_task(self._serve(callback, lease))
        if not self._busy:
            return
        try:
            await asyncio.wait(self._busy.values(), timeout=PATIENCE_S)
        except asyncio.CancelledError:
            for task in self._busy.values():
                task.cancel()
            await asyncio.gather(*self._busy.values(), return_exceptions=True)
            raise
        done = {id_: task for id_, task in self._busy.items() if task.done()}
        for id_, task in done.items():
            del self._busy[id_]
            error = task.exception()
            if isinstance(error, LeaseLost):
                raise error
            if error is not None:
                log.error("callback.failed", callback=id_, exc_info=error)

    async def _serve(self, callback: Callback, lease: Lease) -> None:
        await self._feed(callback, lease)
        now = self._clock.now_ms()
        while tellings := await callbacks.due(self._db, callback.id, now, AT_ONCE):
            tried = await asyncio.gather(*(self._tell(callback, telling) for telling in tellings))
            state = await self._record(callback, lease, tellings, tried)
            if state != callbacks.ACTIVE or not any(one.told_at_ms for one in tried):
                return

    async def _feed(self, callback: Callback, lease: Lease) -> None:
        """Puts down what this callback wants of the feed, as long as not too much waits already."""
        position = kept = callback.position  # `kept`: as it is written down
        room = AHEAD - await callbacks.waiting(self._db, callback.id)
        while room > 0:
            page = await read_moves(self._db, after=position, limit=PAGE, vendor_id=callback.vendor_id)
            wanted = [
                (move.seq, event, move.delivery_id, move.at_ms, move.state.value, move.outcome)
                for move in page.moves
                for event in events_of(move)
                if event in callback.events
            ]
            position = page.next
            if wanted or position - kept >= QUIET_STEP:
                await self._take(callback.id, lease, wanted, position)
                kept = position
            room -= len(wanted)
            if not page.more:
                return

    async def _take(
        self, id_: int, lease: Lease, wanted: Sequence[tuple[int, str, int, int, str, str]], position: int
    ) -> None:
        async def in_tx(tx: Tx) -> None:
            now = self._clock.now_ms()
            await hold_in(tx, lease, now, self._ttl_ms)
            await callbacks.take_in(tx, id_, wanted, position, now)

        await self._db.write(in_tx)

    async def _tell(self, callback: Callback, telling: Telling) -> Tried:
        now = self._clock.now_ms()
        body = orjson.dumps(message(callback, telling))
        headers = sign(callback.secret, message_id(callback, telling), now // 1000, body)
        tries = telling.tries + 1
        wait_s: float | None = SCHEDULE_S[tries - 1] if tries <= len(SCHEDULE_S) else None
        try:
            reply = await self._poster.post(callback.url, headers, body)
        except (UpstreamError, Refused) as error:
            return Tried(telling.id, self._again(now, wait_s), tries, error=error.code)
        if 200 <= reply.status < 300:
            return Tried(telling.id, None, tries, told_at_ms=self._clock.now_ms(), http_status=reply.status)
        if wait_s is not None:
            asked_s = retry_after_s(reply.headers.get("retry-after"), reply.headers.get("date"), now_ms=now)
            wait_s = min(max(wait_s, asked_s or 0), 2 * wait_s)
        return Tried(
            telling.id, self._again(now, wait_s), tries, http_status=reply.status, error="callback.status"
        )

    def _again(self, now: int, wait_s: float | None) -> int | None:
        return None if wait_s is None else now + jittered(int(wait_s * SECOND_MS), self._jitter)

    async def _record(
        self, callback: Callback, lease: Lease, tellings: Sequence[Telling], tried: Sequence[Tried]
    ) -> str:
        """Where nothing succeeds any more the callback is paused, and keeps all. Returns: its state then."""

        async def in_tx(tx: Tx) -> str:
            now = self._clock.now_ms()
            await hold_in(tx, lease, now, self._ttl_ms)
            await callbacks.record_in(tx, callback.id, tried, now)
            state, kept = self._stop(tellings, tried, await callbacks.failing_since(tx, callback.id), now)
            if state == callbacks.ACTIVE:
                return state
            again = [Tried(one.id, now, 0, http_status=one.http_status, error=one.error) for one in kept]
            await callbacks.record_in(tx, callback.id, again, now)
            reason = "gone" if state == callbacks.DISABLED else "failing"
            await callbacks.set_state_in(tx, callback.id, state, reason, now)
            detail = {"callback": callback.id, "reason": reason}
            await raise_in(
                tx, now, [Alert("callback.stopped", Severity.INFO, f"vendor:{callback.vendor}", detail)]
            )
            return state

        state = await self._db.write(in_tx)
        if state != callbacks.ACTIVE:
            log.warning("callback.stopped", callback=callback.id, vendor=callback.vendor, state=state)
        return state

    def _stop(
        self, tellings: Sequence[Telling], tried: Sequence[Tried], failing_since: int | None, now: int
    ) -> tuple[str, list[Tried]]:
        """The state that follows, and what is to be told again once the callback goes on.

        A single message that fails to its end while others succeed is given up alone and stays visible.
        """
        failed = [one for one in tried if one.told_at_ms is None]
        if any(one.http_status == GONE for one in failed):
            return callbacks.DISABLED, failed
        began = {one.id: one.first_tried_at_ms or now for one in tellings}
        ended = [one for one in failed if one.due_at_ms is None]
        if failing_since is not None and any(failing_since <= began[one.id] for one in ended):
            return callbacks.PAUSED, ended
        return callbacks.ACTIVE, []


async def prove(poster: Poster, clock: Clock, callback: Callback) -> bool:
    """Whether who answers at the URL holds the secret's other half: it gives the challenge back.

    Raises: Refused `callback.url_refused`, `callback.unreachable`.
    """
    challenge = secrets.token_urlsafe(24)
    now = clock.now_ms()
    body = orjson.dumps(
        {"type": "callback.challenge", "timestamp": http_date(now), "data": {"challenge": challenge}}
    )
    headers = sign(callback.secret, f"challenge_{secrets.token_hex(8)}", now // 1000, body)
    try:
        reply = await poster.post(callback.url, headers, body)
    except UpstreamError as error:
        raise Refused(f"the URL did not answer: {error.code}", "callback.unreachable") from None
    if not 200 <= reply.status < 300:
        return False
    try:
        answer = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        return False
    given = answer.get("challenge") if isinstance(answer, dict) else None
    return isinstance(given, str) and secrets.compare_digest(given.encode(), challenge.encode())


def message_id(callback: Callback, telling: Telling) -> str:
    """The same for every try of the same thing: receivers drop what they have seen."""
    return f"cb_{callback.id}_{telling.seq}_{telling.event.replace('.', '-')}"


def message(callback: Callback, telling: Telling) -> dict[str, object]:
    """What is posted. It names no person; texts are for the vendor and, as `learner_text`, for the learner."""
    move = Move(
        telling.seq, telling.at_ms, telling.vendor_id, telling.delivery_id, telling.event_id, telling.revision,
        "", telling.outcome, telling.state,
    )  # fmt: skip
    reason, gone = reason_of_move(move), gone_of(telling.outcome)
    data: dict[str, object] = {
        "seq": str(telling.seq),
        "event_id": telling.event_id,
        "revision": telling.revision,
        "delivery_id": str(telling.delivery_id),
        "state": telling.state.value,
    }
    if reason is not None:
        told = {lang: words(reason, callback.connector, lang) for lang in LANGS}
        data["reason"] = {
            "code": reason.code,
            "owner": reason.owner.value,
            "owner_text": OWNERS[reason.owner],
            "message": {lang: pair[0] for lang, pair in told.items()},
            "remedy": {lang: pair[1] for lang, pair in told.items()},
        }
    if gone is not None:
        data["gone"] = gone
    data["learner_text"] = learner_texts(telling.state, reason, gone, callback.connector)
    return {"type": telling.event, "timestamp": http_date(telling.at_ms), "data": data}
