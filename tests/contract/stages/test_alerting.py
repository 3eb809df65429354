"""gateway/stages/alerting.py: alerts are told once, and sent where the operators said. Both engines."""

import re

import httpx
import orjson
import pytest
from standardwebhooks import Webhook

from gateway.observe.metrics import Metrics
from gateway.outbound.hook import Hook
from gateway.queue.alerts import SEVERITIES, Alert, Severity, due, raise_in, recent
from gateway.security.signatures import new_secret
from gateway.stages.alerting import SCHEDULE_S, TEXTS, Alerting, text
from tests.generated import ROOT

CONTRACT = (ROOT / "contracts" / "alerts" / "README.md").read_text("utf-8")
DETAIL = {"error": "upstream.credentials", "status": 401, "announced": False}


class Posted:
    """An address that answers as told and remembers what came."""

    def __init__(self, *statuses: int) -> None:
        self.statuses, self.requests = list(statuses), []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return httpx.Response(self.statuses.pop(0) if self.statuses else 204)


def alerting(db, clock, posted=None, *, least=Severity.INFO, secret=""):
    hook = Hook("https://ops.example/alerts", secret, transport=httpx.MockTransport(posted)) if posted else None
    return Alerting(db, clock, Metrics(), hook, least)


async def raised(db, clock, severity=Severity.CRITICAL, kind="destination.refused") -> None:
    alert = Alert(kind, severity, "destination:temis", DETAIL)
    await db.write(lambda tx: raise_in(tx, clock.now_ms(), [alert]))


async def test_an_alert_is_posted_once_signed_and_readable(db, clock, monkeypatch):
    """The receiver checks it with any Standard Webhooks library, and people read it in both languages."""
    await raised(db, clock)
    secret, posted = new_secret(), Posted()
    duty = alerting(db, clock, posted, secret=secret)
    await duty.run(None)
    await duty.run(None)
    [request] = posted.requests
    monkeypatch.setattr("standardwebhooks.webhooks.Webhook._Webhook__verify_timestamp", _any_time)
    told = Webhook(secret).verify(request.content, dict(request.headers))
    assert told["type"] == "destination.refused"
    assert told["data"]["severity"] == "critical"
    assert "TEMIS" in told["data"]["text"]["vi"]
    assert request.headers["webhook-id"] == "alert_1"


def _any_time(self, header):
    from datetime import UTC, datetime

    return datetime.fromtimestamp(float(header), tz=UTC)


async def test_what_nobody_took_is_posted_again_and_given_up_in_the_end(db, clock):
    """An address that is down for a while misses nothing; one that never answers is no endless loop."""
    await raised(db, clock)
    posted = Posted(*[503] * 100)
    duty = alerting(db, clock, posted)
    for wait_s in (0, *SCHEDULE_S):
        clock.advance(s=wait_s)
        await duty.run(None)
    assert len(posted.requests) == len(SCHEDULE_S) + 1
    assert len({request.headers.get("webhook-id") for request in posted.requests}) == 1
    assert await due(db, clock.now_ms() + 10**9) == []
    assert len(await recent(db)) == 1


async def test_alerts_below_the_wanted_severity_are_not_posted(db, clock):
    """Who asked for what is critical is not woken by what is not."""
    for severity in SEVERITIES:
        await raised(db, clock, severity)
    posted = Posted()
    await alerting(db, clock, posted, least=Severity.WARNING).run(None)
    severities = [orjson.loads(request.content)["data"]["severity"] for request in posted.requests]
    assert severities == ["warning", "critical"]


async def test_without_an_address_alerts_are_counted_and_kept(db, clock):
    """The log, the metric and the table have it in any case."""
    await raised(db, clock)
    duty = alerting(db, clock)
    await duty.run(None)
    labels = {"kind": "destination.refused", "severity": "critical"}
    assert duty._metrics.registry.get_sample_value("gateway_alerts_total", labels) == 1
    assert await due(db, clock.now_ms()) == []


@pytest.mark.parametrize("kind", sorted(TEXTS.keys("en")))
def test_every_alert_has_its_contract_and_is_a_whole_sentence(kind):
    """What an alert's text is filled with are members that contracts/alerts names for it."""
    [row] = [line for line in CONTRACT.splitlines() if line.startswith("|") and f"`{kind}`" in line]
    members = re.findall(r"`(\w+)`", row.rpartition("| `")[2].join(("`", "")))
    detail = dict.fromkeys(members, 3)
    for lang in ("vi", "en"):
        assert TEXTS.placeholders(kind, lang) <= {"name", "object", *members}
        assert "{" not in text(kind, "destination:temis", detail, lang)
