"""When a destination may be called: a pure state machine over what its calls brought.

closed ──5 failures in a row, or ≥ 70 % of ≥ 10 in 5 min──▶ open ──30 s──▶ probe ──success──▶ closed
   └──credentials or certificate refused──▶ paused ──60 s──▶ probe ──success──▶ closed
A Throttled answer delays everything and counts as no failure where the destination named the delay.
What another process found out is adopted (`adopt`); what this one found out shows in `changes`.
A pause by a person is none of this: it is a row of the destination and ends only by a person.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from gateway.model.errors import CredentialsRefused, Throttled, Untrusted, UpstreamError


class BreakerState(StrEnum):
    """What a person sees of a destination."""

    CLOSED = "closed"
    DELAYED = "delayed"  # closed, and the destination asked us to wait
    OPEN = "open"
    PAUSED = "paused"  # what only people can mend: our credentials or a certificate were refused


@dataclass(frozen=True, slots=True)
class BreakerLimits:
    """Starting values from an open-source webhook gateway; see docs/outcomes.md."""

    window_s: float = 300
    least_calls: int = 10
    failed_share: float = 0.7
    in_a_row: int = 5
    probe_s: float = 30
    credentials_probe_s: float = 60
    throttle_s: float = 10  # for a 429 that names no delay
    spread_s: float = 60  # after an outage the whole rate is reached in this time


class Breaker:
    """One destination. `now` is monotonic seconds. Not for several threads."""

    def __init__(self, now: Callable[[], float], limits: BreakerLimits | None = None) -> None:
        self._now = now
        self._limits = limits or BreakerLimits()
        self._tripped: BreakerState | None = None  # OPEN or PAUSED
        self._calls: deque[tuple[float, bool]] = deque()  # (when, failed), the last window
        self._failed = self._in_a_row = self._throttled_in_a_row = 0
        self._not_before = float("-inf")  # asked for by the destination
        self._probe_at = 0.0
        self._probing = False
        self.changes = 0  # rises with each change that other processes should know of

    @property
    def state(self) -> BreakerState:
        if self._tripped is not None:
            return self._tripped
        return BreakerState.DELAYED if self._now() < self._not_before else BreakerState.CLOSED

    @property
    def is_probe(self) -> bool:
        """Whether the call that was allowed last is a probe: better a small one."""
        return self._probing

    def allows(self) -> bool:
        """Whether a call may start now. A yes while tripped is the one probe of its interval."""
        now = self._now()
        if now < self._not_before:
            return False
        if self._tripped is None:
            return True
        if now < self._probe_at:
            return False
        self._probing = True
        self._probe_at = now + self._interval()  # also the way out when a prober dies without a word
        return True

    def forgo(self) -> None:
        """The call that was just allowed is not made, as there was nothing to send: the probe is open again."""
        if self._probing:
            self._probing = False
            self._probe_at = self._now()

    def wait_s(self) -> float:
        """Seconds until a call may be allowed; 0 when one is allowed now."""
        until = self._not_before if self._tripped is None else max(self._not_before, self._probe_at)
        return max(0.0, until - self._now())

    def record_success(self) -> bool:
        """The destination answered. Returns: whether this closed the breaker, so that waiting rows are due."""
        closed = self._tripped is not None
        if closed:
            self._close()
            self.changes += 1
        self._in_a_row = self._throttled_in_a_row = 0
        self._count(failed=False)
        return closed

    def record_failure(self, error: UpstreamError) -> bool:
        """A call as a whole failed. Returns: whether this tripped the breaker or changed why it is tripped."""
        now = self._now()
        if isinstance(error, Throttled) and (error.retry_after_s is not None or error.status == 429):
            asked_s = error.retry_after_s if error.retry_after_s is not None else self._limits.throttle_s
            # Who says "in two seconds" for hours is asked ever more rarely, up to the interval of a probe.
            patience_s = min(2.0**self._throttled_in_a_row, self._limits.probe_s)
            self._throttled_in_a_row += 1
            self._not_before = max(self._not_before, now + max(asked_s, patience_s))
            self._probing = False
            self.changes += 1
            return False
        if isinstance(error, CredentialsRefused | Untrusted):
            return self._trip(BreakerState.PAUSED)
        self._in_a_row += 1
        self._count(failed=True)
        if self._tripped is not None or self._is_bad():
            return self._trip(BreakerState.OPEN)
        return False

    def adopt(self, state: BreakerState, wait_s: float) -> bool:
        """Takes over what another process knows; a probe of our own that is under way decides by itself.

        Returns: whether this closed the breaker.
        """
        if self._probing:
            return False
        was_tripped = self._tripped is not None
        if state in (BreakerState.OPEN, BreakerState.PAUSED):
            self._tripped = state
            self._probe_at = self._now() + wait_s
            return False
        if state is BreakerState.DELAYED:
            self._not_before = max(self._not_before, self._now() + wait_s)
        if was_tripped:
            self._close()
            self._in_a_row = self._throttled_in_a_row = 0
        return was_tripped

    def _close(self) -> None:
        self._tripped = None
        self._probing = False
        self._calls.clear()
        self._failed = 0

    def _trip(self, state: BreakerState) -> bool:
        if self._tripped is not None and not self._probing:
            return False  # a call that began before it tripped: the probe keeps its time
        changed = state is not self._tripped
        self._tripped = state
        self._probing = False
        self._probe_at = self._now() + self._interval()
        self.changes += 1
        return changed

    def _interval(self) -> float:
        paused = self._tripped is BreakerState.PAUSED
        return self._limits.credentials_probe_s if paused else self._limits.probe_s

    def _is_bad(self) -> bool:
        if self._in_a_row >= self._limits.in_a_row:
            return True
        calls = len(self._calls)
        return calls >= self._limits.least_calls and self._failed >= self._limits.failed_share * calls

    def _count(self, *, failed: bool) -> None:
        now = self._now()
        self._calls.append((now, failed))
        self._failed += failed
        while self._calls[0][0] <= now - self._limits.window_s:
            self._failed -= self._calls.popleft()[1]
