"""Metrics: documented, prefixed, in a registry of their own."""

import re
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from gateway.observe.metrics import Metrics

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
ROW = re.compile(
    r"^\| `(?P<name>gateway_\w+)` \| (?P<type>\w+) \| (?P<labels>[^|]*) \| (?P<meaning>[^|]+) \|$", re.M
)


def test_the_documentation_lists_exactly_the_metrics_there_are():
    """Dashboards and alerts are written from docs/metrics.md: name, type, labels and meaning must be true."""
    text = Path("docs/metrics.md").read_text("utf-8")
    documented = [
        (row["name"], row["type"], tuple(re.findall(r"`(\w+)`", row["labels"])), row["meaning"].strip())
        for row in ROW.finditer(text)
    ]
    assert documented == [tuple(row) for row in Metrics().rows]


def test_every_metric_has_our_prefix_and_a_meaning():
    """One search for gateway_ finds them all."""
    rows = Metrics().rows
    assert len({row.name for row in rows}) == len(rows)
    assert all(row.name.startswith("gateway_") and row.meaning for row in rows)


def test_the_text_is_valid_openmetrics():
    """Any scraper can read it, with the numbers that were counted."""
    metrics = Metrics()
    metrics.accepted.labels("viettel", "accepted").inc(3)
    metrics.deliveries.labels("held").set(7)
    metrics.end_to_end.observe(1.5)
    body, content_type = metrics.render(OPENMETRICS)
    assert content_type.startswith("application/openmetrics-text")
    samples = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }
    assert samples["gateway_accepted_total", "accepted", "viettel"] == 3
    assert samples["gateway_deliveries", "held"] == 7
    assert samples["gateway_end_to_end_seconds_count",] == 1
    assert samples["gateway_end_to_end_seconds_bucket", "2.0"] == 1


def test_an_old_scraper_gets_prometheus_text():
    """Without OpenMetrics in Accept the older text is sent."""
    body, content_type = Metrics().render("text/plain")
    assert content_type.startswith("text/plain")
    assert b"# TYPE gateway_accepted_total counter" in body


def test_two_registries_do_not_share_numbers():
    """Two gateways in one test or process count apart."""
    one, two = Metrics(), Metrics()
    one.verdicts.labels("verified").inc()
    assert b'reason="verified"' in one.render()[0]
    assert b'reason="verified"' not in two.render()[0]


def test_a_process_that_is_no_longer_leader_shows_no_backlog():
    """Two processes that both report one backlog would double it."""
    metrics = Metrics()
    metrics.deliveries.labels("held").set(7)
    metrics.oldest_age.labels("held").set(60)
    metrics.waiting.set(2)
    metrics.clear_backlog()
    text = metrics.render()[0].decode()
    assert 'state="held"' not in text
    assert "gateway_waiting_writes 2.0" in text


@pytest.mark.parametrize("row", Metrics().rows, ids=lambda row: row.name)
def test_no_label_can_name_a_person_or_grow_without_end(row):
    """Labels take values from short lists only."""
    assert set(row.labels) <= {
        "vendor", "status", "fault", "reason", "source", "stage", "outcome", "destination", "result", "state",
        "kind", "severity",
    }  # fmt: skip
