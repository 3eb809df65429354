"""The gateway's metrics, in OpenMetrics or Prometheus text.

Names, labels and meanings are public and listed in docs/metrics.md, which a test compares with this file.
Labels take few values only: vendors, states, reason codes; never an identifier of a person or a delivery.
"""

from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import choose_encoder

# Seconds, from one fsync to a weekend: what a commit, a call and the whole way take.
COMMIT_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
CALL_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
JOURNEY_BUCKETS = (0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 1_800, 7_200, 43_200, 86_400, 259_200)
SIZE_BUCKETS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000)


class Row(NamedTuple):
    """One documented metric. `name` is as scraped (counters end in _total)."""

    name: str
    type: str
    labels: tuple[str, ...]
    meaning: str


class Metrics:
    """All metrics of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.rows: list[Row] = []
        ProcessCollector(registry=self.registry)

        self.accepted = self._counter("accepted", "Items answered, by receipt status", "vendor", "status")
        self.refused = self._counter("refused", "Requests refused as a whole, by fault code", "vendor", "fault")
        self.last_accepted = self._gauge(
            "last_accepted_timestamp_seconds", "When a vendor's item was last accepted, Unix time", "vendor"
        )
        self.verdicts = self._counter("verdicts", "Verdicts; reason `verified` or the holding code", "reason")
        self.alerts = self._counter("alerts", "Alerts raised (leader only)", "kind", "severity")
        self.lookups = self._counter("lookups", "People looked up, by live, cached or coalesced", "source")
        self.enumeration = self._counter(
            "enumeration_alarms", "Accounts that tried many identifiers nobody has, an alarm each day", "vendor"
        )
        self.attempts = self._counter("attempts", "Attempts recorded, by stage and outcome", "stage", "outcome")
        self.calls = self._histogram(
            "call_seconds", "Calls to outside systems", CALL_BUCKETS, "destination", "result"
        )
        self.end_to_end = self._histogram(
            "end_to_end_seconds", "From acceptance to TEMIS's acknowledgement", JOURNEY_BUCKETS
        )
        self.commits = self._histogram("commit_seconds", "Group commits, fsync included", COMMIT_BUCKETS)
        self.commit_items = self._histogram("commit_items", "Items that shared one commit", SIZE_BUCKETS)
        self.waiting = self._gauge("waiting_writes", "Requests that wait for their commit in this process")
        self.breaker = self._gauge("breaker_state", "0 closed, 1 half-open, 2 open", "destination")
        self.paused = self._gauge("destination_paused", "1 while a destination is paused", "destination")
        self.deliveries = self._gauge("deliveries", "Deliveries in a state (leader only)", "state")
        self.oldest_age = self._gauge(
            "oldest_age_seconds", "Age of the oldest delivery in a state (leader only)", "state"
        )
        self.unknown = self._gauge(
            "unknown_outcomes", "Deliveries sent without an answer (leader only)", "destination"
        )
        self.cases_lag = self._gauge(
            "cases_lag_seconds", "How far the lists of the console are behind the queue (leader only)"
        )
        self.feed_lag = self._gauge(
            "feed_lag_seconds", "Age of what the registry's change feed has told completely (leader only)"
        )
        self.balance_gap = self._gauge(
            "balance_gap", "Received less the sum of all states; not 0 is an alarm (leader only)", "vendor"
        )

    def clear_backlog(self) -> None:
        """Stop showing what only the leader counts: two processes must not both report one backlog."""
        for gauge in (self.deliveries, self.oldest_age, self.unknown, self.balance_gap):
            gauge.clear()

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """(body, content type) in the form the scraper's Accept header asks for."""
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        self.rows.append(Row(f"gateway_{name}_total", "counter", labels, meaning))
        return Counter(f"gateway_{name}", meaning, labels, registry=self.registry)

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        self.rows.append(Row(f"gateway_{name}", "gauge", labels, meaning))
        return Gauge(f"gateway_{name}", meaning, labels, registry=self.registry)

    def _histogram(self, name: str, meaning: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        self.rows.append(Row(f"gateway_{name}", "histogram", labels, meaning))
        return Histogram(f"gateway_{name}", meaning, labels, registry=self.registry, buckets=buckets)
