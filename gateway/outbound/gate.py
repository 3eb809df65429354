"""One destination's gate: may we call now, how hard, and what did it bring. Breaker and limiter together.

Gates of several processes know the same through the `destinations` table (stages/shared_gates.py).
"""

from contextlib import AbstractAsyncContextManager

import structlog

from gateway.model.errors import UpstreamError
from gateway.outbound.breaker import Breaker, BreakerState
from gateway.outbound.limiter import Limiter

log = structlog.get_logger(__name__)


class Gate:
    """Shared by all loops of a process that call one destination."""

    def __init__(self, name: str, breaker: Breaker, limiter: Limiter, *, spread_s: float = 60) -> None:
        self.name = name
        self.breaker = breaker
        self._limiter = limiter
        self._spread_s = spread_s
        self._configured_rate = limiter.rate_per_s
        self.paused = False  # by a person; read from the destinations table
        self.last_error: UpstreamError | None = None  # since the last success

    def wait_s(self) -> float:
        """Seconds until a call may be allowed; 0 when one is."""
        return 1.0 if self.paused else self.breaker.wait_s()

    def allows(self) -> bool:
        """Whether a batch may be claimed for it now; while it is tripped, only one probe at a time."""
        return not self.paused and self.breaker.allows()

    @property
    def is_probe(self) -> bool:
        return self.breaker.is_probe

    @property
    def is_open(self) -> bool:
        """Whether calls flow freely: not tripped, not delayed, not paused. Asking uses up no probe."""
        return not self.paused and self.breaker.state is BreakerState.CLOSED

    def forgo(self) -> None:
        """What `allows` granted was not needed: there was nothing to call for."""
        self.breaker.forgo()

    def slot(self, calls: int = 1) -> AbstractAsyncContextManager[None]:
        """Waits for the configured rate, then holds one of the slots for calls at the same time."""
        return self._limiter.slot(calls)

    def share_rate(self, chosen_per_s: float | None, processes: int) -> None:
        """The rate from now on: as chosen or as configured, and of that the share of one process."""
        whole = self._configured_rate if chosen_per_s is None else chosen_per_s
        self._limiter.rate_per_s = None if whole is None else whole / max(1, processes)

    def adopt(self, state: BreakerState, wait_s: float) -> None:
        """Takes over what another process found out about the destination."""
        if self.breaker.adopt(state, wait_s):
            self._limiter.ease_in(self._spread_s)

    def succeeded(self) -> None:
        """The destination answered a call."""
        self.last_error = None
        if self.breaker.record_success():
            self._limiter.ease_in(self._spread_s)
            log.info("destination.recovered", destination=self.name)

    def failed(self, error: UpstreamError) -> None:
        """A call as a whole brought no answer we can use."""
        self.last_error = error
        if self.breaker.record_failure(error):
            log.warning(
                "destination.tripped",
                destination=self.name,
                breaker=self.breaker.state.value,
                error=error.code,
                status=error.status,
            )
