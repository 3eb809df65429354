"""What a reply without a usable body means: status -> UpstreamError.

Source: docs/outcomes.md (consequences), RFC 9110 section 10.2.3 (Retry-After).
"""

from datetime import UTC
from email.utils import parsedate_to_datetime

from gateway.model.errors import CredentialsRefused, Failing, RefusedWhole, Throttled, UpstreamError
from gateway.outbound.exchange import Reply

RETRY_AFTER_MAX_S = 3600.0
WHOLE = frozenset((400, 413, 422))
CREDENTIALS = frozenset((401, 403))
THROTTLED = frozenset((429, 503))


def refusal(reply: Reply, what: str, *, now_ms: int) -> UpstreamError | None:
    """The error that a reply's status stands for; None for 2xx. `what` names the call without values."""
    status = reply.status
    if 200 <= status < 300:
        return None
    said = f"{what} answered {status}"
    if status in THROTTLED:
        wait_s = retry_after_s(reply.headers.get("retry-after"), reply.headers.get("date"), now_ms=now_ms)
        return Throttled(said, status=status, excerpt=reply.body, retry_after_s=wait_s)
    if status in CREDENTIALS:
        return CredentialsRefused(said, status=status, excerpt=reply.body)
    if status in WHOLE:
        return RefusedWhole(said, status=status, excerpt=reply.body)
    return Failing(said, status=status, excerpt=reply.body)


def retry_after_s(value: str | None, date: str | None, *, now_ms: int) -> float | None:
    """Seconds to wait, 0..3600. A date counts from the answer's own Date header, so that clocks may differ.

    Returns: None when the header is absent or says nothing readable.
    """
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(float(value), RETRY_AFTER_MAX_S)
    until_s, from_s = _seconds(value), _seconds(date)
    if until_s is None:
        return None
    return min(max(until_s - (now_ms / 1000 if from_s is None else from_s), 0.0), RETRY_AFTER_MAX_S)


def _seconds(value: str | None) -> float | None:
    """HTTP-date -> seconds since the epoch. HTTP dates are UTC even where they do not say so."""
    try:
        parsed = parsedate_to_datetime(value or "")
    except ValueError:
        return None
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
