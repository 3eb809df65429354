"""What a replay would do: how many, by what, what would become of a sample, how long it would take.

Nothing is asked outside and nothing is written: mapping and verification run again on stored answers only.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.model.clock import MINUTE_MS, Clock
from gateway.model.completion import Completion
from gateway.model.errors import KeyMissing, NotSent, PayloadInvalid, SealBroken
from gateway.model.outcomes import Advance, Hold
from gateway.model.person import LookupKey, Snapshot
from gateway.model.states import Kind, State
from gateway.queue import payloads
from gateway.queue.delivery import Delivery
from gateway.queue.selection import Part, Selection, parts, sample
from gateway.queue.standing import standing
from gateway.security.vault import Vault
from gateway.stages.expected import Expected, Place
from gateway.stages.judging import Judging
from gateway.storage.engine import Database

SAMPLE = 200  # of each part
_RECENT_MS = 10 * MINUTE_MS
_RECENT_ROWS = 5_000
UNKNOWN = "unknown"  # what is needed to say it is not stored here
SENDS = "sends"  # it would go to TEMIS

ROWS = """
SELECT d.id, d.vendor_id, d.event_id, d.revision, d.kind, d.state, d.lane, d.fence, d.tries, d.person_id,
       d.record_id, d.received_at_ms FROM {x} JOIN deliveries d ON d.id = x.id ORDER BY d.id"""
RECENT = "SELECT at_ms, to_state FROM attempts ORDER BY id DESC LIMIT :limit"


@dataclass(frozen=True, slots=True)
class Group:
    """One part of a plan. `forecast`: outcome -> how many of `sampled`: sends, unknown, or a reason code."""

    part: Part
    sampled: int
    forecast: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a replay would be. `delivered_per_s`: what TEMIS takes now; None: nothing was delivered lately."""

    groups: Sequence[Group]
    drain_s: float
    delivered_per_s: float | None

    @property
    def total(self) -> int:
        return sum(group.part.n for group in self.groups)


class NobodyAsked:
    """In the place of the sector database: whatever is not stored stays unknown."""

    async def lookup(self, keys: Sequence[LookupKey]) -> Mapping[LookupKey, tuple[Snapshot, ...]]:
        raise NotSent("a forecast asks nobody")


class Planner:
    """Makes plans. One instance per process."""

    def __init__(self, db: Database, clock: Clock, vault: Vault, expected: Expected, judging: Judging) -> None:
        """`judging` must ask nobody: its people know only what is stored."""
        self._db = db
        self._clock = clock
        self._vault = vault
        self._expected = expected
        self._judging = judging

    async def plan(
        self, wanted: Selection, *, verify_again: bool, rate_per_s: float, sample_size: int = SAMPLE
    ) -> Plan:
        """Counts all and tries up to `sample_size` of each part."""
        groups = []
        for part in await parts(self._db, wanted):
            ids = await sample(self._db, wanted, part, min(sample_size, SAMPLE)) if sample_size else []
            forecast = await self._forecast(ids, verify_again)
            groups.append(Group(part, len(ids), dict(forecast.most_common())))
        total = sum(group.part.n for group in groups)
        present = await self._delivered_per_s()
        return Plan(groups, total / min(rate_per_s, present or rate_per_s), present)

    async def _delivered_per_s(self) -> float | None:
        """By the attempt log of the last ten minutes."""
        now = self._clock.now_ms()
        async with self._db.read() as tx:
            rows = [row for row in await tx.rows(RECENT, limit=_RECENT_ROWS) if row.at_ms >= now - _RECENT_MS]
        delivered = [row.at_ms for row in rows if row.to_state == "delivered"]
        if len(delivered) < 2 or now == min(delivered):
            return None
        return float(len(delivered) * 1000 / (now - min(delivered)))

    async def _forecast(self, ids: Sequence[int], verify_again: bool) -> Counter[str]:
        if not ids:
            return Counter()
        async with self._db.read() as tx:
            x = tx.json_rows(("id", "int"))
            rows = await tx.rows(ROWS.format(x=x), rows=tx.pack([(id_,) for id_ in ids]))
        direct = [r for r in rows if r.state == "dead" and r.record_id is not None and not verify_again]
        straight = {row.id for row in direct}
        return await self._sent(direct) + await self._judged([r for r in rows if r.id not in straight])

    async def _sent(self, rows: Sequence[Any]) -> Counter[str]:
        """Those that go to TEMIS at once: whether they can be mapped."""
        places = await standing(self._db, [row.id for row in rows]) if rows else {}
        items = await self._expected.items(
            [
                Place(
                    p.body_id,
                    row.vendor_id,
                    row.event_id,
                    row.revision,
                    p.person_id,
                    p.module_code,
                    p.school_year,
                    p.record_revision + 1,
                )
                for row in rows
                if (p := places.get(row.id))
            ]
        )
        told = Counter(
            UNKNOWN if item is None else "temis.malformed" if isinstance(item, PayloadInvalid) else SENDS
            for item in items
        )
        told[UNKNOWN] += len(rows) - len(items)
        return +told

    async def _judged(self, rows: Sequence[Any]) -> Counter[str]:
        """Those that are verified first: the verdict on what is stored of the person."""
        told: Counter[str] = Counter()
        opened: list[tuple[Delivery, Completion]] = []
        bodies = await payloads.load(self._db, self._vault, [row.id for row in rows]) if rows else {}
        for row in rows:
            try:
                completion, _ = payloads.open_body(
                    self._vault, row.vendor_id, row.event_id, row.revision, bodies[row.id]
                )
            except (KeyError, KeyMissing, SealBroken):
                told[UNKNOWN] += 1
                continue
            opened.append((_claimed(row), completion))
        if not opened:
            return told
        for judged in await self._judging.judge(opened, 0, not_before_ms=0):
            match judged.result.outcome:
                case Advance():
                    told[SENDS] += 1
                case Hold(reason=reason):
                    told[reason] += 1
                case _:
                    told[UNKNOWN] += 1
        return told


def _claimed(row: Any) -> Delivery:
    return Delivery(
        id=row.id,
        vendor_id=row.vendor_id,
        event_id=row.event_id,
        revision=row.revision,
        kind=Kind(row.kind),
        state=State.ACCEPTED,
        lane=row.lane,
        fence=row.fence,
        tries=0,
        claims=0,
        was_unknown=False,
        person_id=row.person_id,
        record_id=row.record_id,
        received_at_ms=row.received_at_ms,
    )
