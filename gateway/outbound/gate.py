"""One destination's gate: may we call now, how hard, and what did it bring. Breaker and limiter together."""

from contextlib import AbstractAsyncContextManager

import structlog

from gateway.model.errors import UpstreamError
from gateway.outbound.breaker import Breaker, BreakerState
from gateway.outbound.limiter import Limiter

log = structlog.get_logger(__name__)


class Gate:
    """Shared by all loops of a process that call one destination."""

    def __init__(self, name: str, breaker: Breaker, limiter: Limiter) -> None:
        self.name = name
        self.breaker = breaker
        self._limiter = limiter
        self.paused = False  # by a person; read from the destinations table

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

    def succeeded(self) -> None:
        """The destination answered a call."""
        if self.breaker.record_success():
            log.info("destination.recovered", destination=self.name)

    def failed(self, error: UpstreamError) -> None:
        """A call as a whole brought no answer we can use."""
        if self.breaker.record_failure(error):
            log.warning(
                "destination.tripped",
                destination=self.name,
                breaker=self.breaker.state.value,
                error=error.code,
                status=error.status,
            )
