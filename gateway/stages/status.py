"""How the outside systems stand, for everybody: `GET /v1/status`, and the banner of admins and vendors.

destinations, announced maintenance, what waits -> one component each, with a sentence in both languages
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import orjson

from gateway.model.clock import DAY_MS, HOUR_MS, ICT, MINUTE_MS, Clock
from gateway.model.texts import Lang, Texts
from gateway.outbound.breaker import BreakerState
from gateway.outbound.destinations import TOLD, Standing, contact, standings_in
from gateway.outbound.maintenance import Window, windows_in
from gateway.stages.backlog import ROW
from gateway.storage.cursors import read_cursor
from gateway.storage.engine import Database

TEXTS = Texts.load(Path(__file__).parent / "status_texts")
FRESH_MS = 2_000
AHEAD_MS = DAY_MS  # a window is announced a day before
_WAITS_FOR = {"temis": "verified", "registry": "accepted"}
_STATES = {
    BreakerState.CLOSED: "up",
    BreakerState.DELAYED: "degraded",
    BreakerState.OPEN: "down",
    BreakerState.PAUSED: "refused",
}
QUIET = ("up", "degraded")  # what nobody needs a banner for


@dataclass(frozen=True, slots=True)
class Component:
    """One destination. `state`: up, degraded, down, refused, paused or maintenance."""

    name: str
    state: str
    since_ms: int | None
    window: Window | None  # under way, or within a day
    waiting: int
    oldest_ms: int | None  # when the oldest of those was received
    contacts: Mapping[Lang, str]

    def title(self, lang: Lang) -> str:
        return TOLD[self.name][lang]

    def message(self, lang: Lang) -> str:
        """A sentence for people, without anything that only operators may know."""
        fill = {"name": self.title(lang), "since": _when(self.since_ms, lang)}
        if self.window is not None:
            fill |= {"from": _when(self.window.from_ms, lang), "to": _when(self.window.to_ms, lang)}
        said = [TEXTS.get(self.state, lang, **fill)]
        if self.state in QUIET and self.window is not None:
            said.append(TEXTS.get("announced", lang, **fill))
        if self.state not in QUIET and self.contacts[lang]:
            said.append(TEXTS.get("contact", lang, contact=self.contacts[lang]))
        return " ".join(said)


class StatusBoard:
    """Reads at most every two seconds, however many ask. One instance per process."""

    def __init__(self, db: Database, clock: Clock, contacts: Mapping[str, str] | None = None) -> None:
        self._db = db
        self._clock = clock
        self._contacts = contacts or {}  # as configured, by destination
        self._known: list[Component] = []
        self._read_at_ms = -FRESH_MS

    async def components(self) -> list[Component]:
        """All destinations, in a fixed order."""
        now = self._clock.now_ms()
        if not 0 <= now - self._read_at_ms < FRESH_MS:
            self._known = await self._read(now)
            self._read_at_ms = now
        return self._known

    async def banner(self, lang: Lang) -> str | None:
        """What admins and vendors are told on each page; None while there is nothing to tell."""
        told = [c.message(lang) for c in await self.components() if c.state not in QUIET or c.window]
        return " ".join(told) or None

    async def _read(self, now: int) -> list[Component]:
        async with self._db.read() as tx:
            standings = await standings_in(tx)
            windows = await windows_in(tx, now)
            counted = await read_cursor(tx, ROW)
        backlog = orjson.loads(counted.value) if counted else {}
        found = []
        for name, standing in standings.items():
            near = [w for w in windows if w.destination == name and w.from_ms <= now + AHEAD_MS]
            state, since_ms = _state(standing, near[0] if near else None, now)
            n, oldest_ms = backlog.get(_WAITS_FOR[name], (0, None))
            configured = self._contacts.get(name, "")
            contacts: dict[Lang, str] = {
                "vi": contact(name, "vi", configured),
                "en": contact(name, "en", configured),
            }
            found.append(Component(name, state, since_ms, near[0] if near else None, n, oldest_ms, contacts))
        return found


def _state(standing: Standing, window: Window | None, now: int) -> tuple[str, int | None]:
    """A person's pause is told before all else; an outage in an announced window is that maintenance."""
    if standing.paused_at_ms is not None:
        return "paused", standing.paused_at_ms
    state = _STATES[standing.state_at(now)]
    if state == "down" and window is not None and window.covers(now):
        return "maintenance", max(window.from_ms, standing.since_ms or 0)
    return state, None if state == "up" else standing.since_ms


def _when(at_ms: int | None, lang: Lang) -> str:
    if at_ms is None:
        return "–"
    at = datetime.fromtimestamp(at_ms / 1000, ICT)
    return f"{at:%H:%M} ngày {at:%d/%m/%Y}" if lang == "vi" else f"{at:%Y-%m-%d %H:%M}"


def age(passed_ms: int, lang: Lang) -> str:
    """An age as people say it: 12 minutes, 5 hours, 3 days."""
    for unit, unit_ms in (("days", DAY_MS), ("hours", HOUR_MS)):
        if passed_ms >= 2 * unit_ms:
            return TEXTS.get(f"age.{unit}", lang, n=passed_ms // unit_ms)
    return TEXTS.get("age.minutes", lang, n=passed_ms // MINUTE_MS)
