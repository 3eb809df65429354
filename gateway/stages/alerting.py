"""The duty of telling alerts: raised -> a log line and a count -> posted to the operators, where they said so.

Told is at least once. An alert that nobody takes is given up after a day; it stays in the table all the same.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import orjson
import structlog

from gateway.model.clock import SECOND_MS, Clock, iso
from gateway.model.errors import UpstreamError
from gateway.model.texts import LANGS, Lang, Texts
from gateway.observe.metrics import Metrics
from gateway.outbound.destinations import TOLD
from gateway.queue.alerts import SEVERITIES, Alert, Severity, Told, due, settle
from gateway.storage.engine import Database
from gateway.storage.leases import Lease

log = structlog.get_logger(__name__)

TEXTS = Texts.load(Path(__file__).parent / "alert_texts")
SCHEDULE_S = (5, 300, 1_800, 7_200, 18_000, 36_000)


class Sender(Protocol):
    """Where alerts go."""

    async def post(self, message_id: str, at_s: int, body: bytes) -> None: ...


class Alerting:
    """Tells what is due every five seconds. One instance per process."""

    name = "alerts"
    every_s = 5.0

    def __init__(
        self, db: Database, clock: Clock, metrics: Metrics, sender: Sender | None, least: Severity
    ) -> None:
        self._db = db
        self._clock = clock
        self._metrics = metrics
        self._sender = sender
        self._least = SEVERITIES.index(least)

    async def run(self, lease: Lease) -> None:
        """Tells each once; what could not be sent is due again later."""
        while alerts := await due(self._db, self._clock.now_ms()):
            await settle(self._db, [await self._tell(alert) for alert in alerts])

    async def _tell(self, alert: Alert) -> Told:
        now = self._clock.now_ms()
        if alert.tries == 0:
            log.warning(
                "alert", kind=alert.kind, severity=alert.severity.value, object=alert.object, **alert.detail
            )
            self._metrics.alerts.labels(alert.kind, alert.severity.value).inc()
        if self._sender is None or SEVERITIES.index(alert.severity) < self._least:
            return Told(alert.id, None, None)
        try:
            await self._sender.post(f"alert_{alert.id}", now // SECOND_MS, orjson.dumps(message(alert)))
        except UpstreamError as error:
            log.warning("alert.not_sent", alert=alert.id, error=error.code, status=error.status)
            later = SCHEDULE_S[alert.tries] * SECOND_MS if alert.tries < len(SCHEDULE_S) else None
            return Told(alert.id, None if later is None else now + later, None)
        return Told(alert.id, None, now)


def message(alert: Alert) -> dict[str, Any]:
    """The body that is posted: contracts/alerts/README.md."""
    return {
        "type": alert.kind,
        "timestamp": iso(alert.at_ms),
        "data": {
            "severity": alert.severity.value,
            "object": alert.object,
            **alert.detail,
            "text": {lang: text(alert.kind, alert.object, alert.detail, lang) for lang in LANGS},
        },
    }


def text(kind: str, about: str, detail: Mapping[str, Any], lang: Lang) -> str:
    """An alert as a sentence."""
    name = about.partition(":")[2]
    shown = TOLD[name][lang] if name in TOLD else name
    return TEXTS.get(kind, lang, **({"name": shown, "object": shown} | dict(detail)))
