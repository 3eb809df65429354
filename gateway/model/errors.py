"""Every error the gateway raises on purpose, and what follows from it.

GatewayError
├── ConfigError             start-up stops; the message says what was expected and what was found
├── PayloadInvalid          the item is refused (422 or a receipt `invalid`), kept in quarantine
├── SignatureRefused        the request is refused (401); nothing is stored
├── NotFound                404
├── Refused                 409: the state does not allow the act; nothing has changed
├── Overloaded              503 with Retry-After; the sender tries again
├── StorageBusy             the transaction is run again
├── LeaseLost               the worker's result is kept as a late attempt, the state is left alone
├── KeyMissing              a row names a key that the keys file lacks; the work waits, an operator is told
├── SealBroken              a sealed value was changed or moved: the work waits, an operator is told
└── UpstreamError           a call to an outside system did not bring an answer we can use
    ├── NotSent             nothing left this machine (DNS, connect): safe to send again
    │   └── Untrusted       TLS failed or its certificate was refused: the destination is paused
    ├── Unanswered          sent, no answer (timeout, reset): outcome unknown, read back first
    ├── Throttled           429 or 503 with Retry-After: the destination is delayed, no try is burnt
    ├── CredentialsRefused  401 after a fresh token, or 403: the destination is paused
    ├── RefusedWhole        400, 413 or 422 for the call as a whole: bisected
    ├── Failing             any other status (5xx, 3xx, 4xx): the destination's fault
    └── Garbled             an answer that does not parse as the contract: outcome unknown
"""

from functools import cached_property
from typing import NamedTuple

from gateway.model.folding import fold


class GatewayError(Exception):
    """Root. `code` is stable and public; `retryable` is the one question a worker asks."""

    code = "internal.error"
    retryable = False


class ConfigError(GatewayError):
    code = "config.invalid"


class FieldError(NamedTuple):
    """One fault of one field. `path` is a JSON path, `message` names the remedy and never quotes a value."""

    path: str
    code: str
    message: str


class PayloadInvalid(GatewayError):
    """An item that cannot be taken. Carries all faults at once, and what could be read of the item's id."""

    code = "payload.invalid"

    def __init__(self, errors: list[FieldError], event_id: str | None = None) -> None:
        super().__init__("; ".join(f"{e.path}: {e.code}" for e in errors))
        self.errors = errors
        self.event_id = event_id


class SignatureRefused(GatewayError):
    """`fault` is one of the codes of contracts/gateway/README.md (signature.*).

    `variant` and `fill` let the refusal be told in another language: what exactly was wrong, and its figures.
    """

    code = "signature.refused"

    def __init__(self, fault: str, message: str, variant: str | None = None, **fill: object) -> None:
        super().__init__(message)
        self.fault = fault
        self.variant = variant
        self.fill = fill


class NotFound(GatewayError):
    code = "not_found"


class Refused(GatewayError):
    code = "refused"

    def __init__(self, message: str, code: str = "refused") -> None:
        super().__init__(message)
        self.code = code


class Overloaded(GatewayError):
    code = "overloaded"
    retryable = True

    def __init__(self, message: str, retry_after_s: int = 5) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class StorageBusy(GatewayError):
    code = "storage.busy"
    retryable = True


class LeaseLost(GatewayError):
    code = "lease.lost"


class KeyMissing(GatewayError):
    code = "keys.missing"


class SealBroken(GatewayError):
    code = "seal.broken"


class UpstreamError(GatewayError):
    """`status` is the HTTP status or None, `excerpt` the first bytes of the answer (never logged in clear)."""

    code = "upstream.error"
    retryable = True

    def __init__(self, message: str, *, status: int | None = None, excerpt: bytes = b"") -> None:
        super().__init__(message)
        self.status = status
        self.excerpt = excerpt

    @cached_property
    def answer(self) -> str | None:
        """What the excerpt says, folded: no figure, quotation or name of anybody; None when it says nothing."""
        return fold(self.excerpt) or None


class NotSent(UpstreamError):
    code = "upstream.not_sent"


class Untrusted(NotSent):
    """Expired, for another name, by an unknown authority, or no TLS that both sides speak."""

    code = "upstream.untrusted"


class Unanswered(UpstreamError):
    code = "upstream.unanswered"


class Throttled(UpstreamError):
    code = "upstream.throttled"

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        excerpt: bytes = b"",
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, status=status, excerpt=excerpt)
        self.retry_after_s = retry_after_s


class CredentialsRefused(UpstreamError):
    code = "upstream.credentials"


class RefusedWhole(UpstreamError):
    code = "upstream.refused_whole"
    retryable = False


class Failing(UpstreamError):
    code = "upstream.failing"


class Garbled(UpstreamError):
    code = "upstream.garbled"
