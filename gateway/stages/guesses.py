"""Who keeps trying identifiers that nobody has: an alarm, a line in the log and a metric, once a day.

Counted by different identifiers of one LMS account: many learners with one typo each, on a deadline day, are no
attack; one account with many codes is. Only hashes are kept, in memory.
"""

from collections import OrderedDict

import structlog

from gateway.identity.identifier import read
from gateway.model.clock import DAY_MS, Clock
from gateway.model.completion import Claim
from gateway.observe.metrics import Metrics

log = structlog.get_logger(__name__)

GUESSES = 5  # identifiers of one account that nobody has, within a day; one more is the alarm
NOBODYS = frozenset({"registry.not_found", "format.looks_like_phone"})  # looked up, and nobody has it
_REMEMBERED = 50_000  # accounts; the oldest is forgotten first


class Guesses:
    """One instance per process, counting for itself; shared_guesses.py counts over all of them."""

    def __init__(self, clock: Clock, metrics: Metrics) -> None:
        self._clock = clock
        self._metrics = metrics
        self._tried: OrderedDict[tuple[str, str], tuple[int, set[int]]] = OrderedDict()

    def not_found(self, vendor: str, claim: Claim) -> None:
        """Nobody has the identifier that this account stated."""
        key, day = (vendor, claim.lms_user_id), self._clock.now_ms() // DAY_MS
        last, tried = self._tried.get(key, (day, set()))
        tried = tried if last == day else set()
        if len(tried) > GUESSES:
            return
        tried.add(hash(read(claim.identifier).digits))
        self._tried[key] = (day, tried)
        self._tried.move_to_end(key)
        if len(self._tried) > _REMEMBERED:
            self._tried.popitem(last=False)
        if len(tried) > GUESSES:
            self._metrics.enumeration.labels(vendor).inc()
            log.warning("identity.enumeration", vendor=vendor, identifiers=len(tried))
