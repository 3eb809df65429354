"""Alert rules and dashboard in deploy/ speak of metrics that there are, with labels that they have."""

import json
import re
import shutil
import subprocess

import pytest
import yaml

from gateway.observe.metrics import Metrics
from tests.generated import ROOT

RULES = ROOT / "deploy" / "prometheus" / "alerts.yml"
DASHBOARD = ROOT / "deploy" / "grafana" / "dashboard.json"
ROWS = {row.name: row for row in Metrics().rows}
SUFFIXES = ("_bucket", "_sum", "_count")


def rules() -> list[dict]:
    return [rule for group in yaml.safe_load(RULES.read_text("utf-8"))["groups"] for rule in group["rules"]]


def panels() -> list[dict]:
    return json.loads(DASHBOARD.read_text("utf-8"))["panels"]


EXPRESSIONS = [
    *((rule["alert"], rule["expr"]) for rule in rules()),
    *((panel["title"], target["expr"]) for panel in panels() for target in panel["targets"]),
]


def metric(name: str):
    """The documented metric that a name in an expression stands for."""
    bare = next((name.removesuffix(s) for s in SUFFIXES if name.endswith(s) and name not in ROWS), name)
    row = ROWS.get(bare)
    return row if row is not None and (bare == name or row.type == "histogram") else None


@pytest.mark.parametrize(("where", "expression"), EXPRESSIONS, ids=[where for where, _ in EXPRESSIONS])
def test_every_metric_in_an_expression_exists_with_its_labels(where, expression):
    """A rule on a name that nobody exports never fires, and nobody notices."""
    names = re.findall(r"\bgateway_\w+", expression)
    assert names
    rows = [metric(name) for name in names]
    assert None not in rows, names
    labels = {"le", *(label for row in rows for label in row.labels)}
    for grouped in re.findall(r"\bby \(([^)]*)\)", expression):
        assert {label.strip() for label in grouped.split(",")} <= labels
    for chosen in re.findall(r"(gateway_\w+)\{(\w+)=", expression):
        assert chosen[1] in metric(chosen[0]).labels


def test_every_rule_says_how_bad_it_is_and_what_to_do():
    """Who is woken by it reads what to do first."""
    for rule in rules():
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert {"summary", "action"} <= rule["annotations"].keys()
    assert len({rule["alert"] for rule in rules()}) == len(rules())


def test_the_numbers_that_matter_are_watched():
    """Destinations, both backlogs, the balance and silent vendors each have a rule and a panel."""
    needed = {
        "gateway_breaker_state",
        "gateway_oldest_age_seconds",
        "gateway_balance_gap",
        "gateway_unknown_outcomes",
        "gateway_last_accepted_timestamp_seconds",
    }
    for expressions in (
        (rule["expr"] for rule in rules()),
        (t["expr"] for p in panels() for t in p["targets"]),
    ):
        assert needed <= set(re.findall(r"\bgateway_\w+", " ".join(expressions)))


def test_the_panels_do_not_overlap():
    """A dashboard that hides half of itself is no dashboard."""
    taken = [
        (x, y)
        for panel in panels()
        for place in [panel["gridPos"]]
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(taken) == len(set(taken))
    assert max(x for x, _ in taken) < 24
    assert len({panel["id"] for panel in panels()}) == len(panels())


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_prometheus_takes_the_rules():
    """The expressions are valid PromQL, by Prometheus's own word."""
    run = subprocess.run(["promtool", "check", "rules", RULES], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
