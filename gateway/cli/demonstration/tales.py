"""A few deliveries told as stories: one delivered, one held, one that survived the outage, one superseded."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import orjson

from gateway.cli.demonstration.findings import Key
from gateway.cli.explained import explained
from gateway.cli.output import Invocation
from gateway.connectors import discover
from gateway.model.states import State
from gateway.queue.listing import Detail, Line, find_delivery
from gateway.sandbox.item import Item
from gateway.sandbox.roster import StaffRow
from gateway.sandbox.story import PLAIN
from gateway.storage.engine import Database

# What a reader should see first, in this order; any other of the kind does as well.
HELD = ("wrong_birth_date", "swapped_birth_date", "unknown_identifier", "retired")
SUPERSEDED = ("both_vendors", "retake", "correction")
# Delivered, though TEMIS answered nothing when it was sent; best of all found by reading back.
SURVIVORS = """
SELECT a.delivery_id AS id, MAX(CASE WHEN a.outcome = 'read_back' THEN 1 ELSE 0 END) AS was_read_back
FROM attempts a JOIN deliveries d ON d.id = a.delivery_id
WHERE a.stage = 'deliver' AND d.state = 'delivered' AND (a.outcome = 'read_back' OR a.outcome LIKE 'upstream.%')
GROUP BY a.delivery_id ORDER BY was_read_back DESC, a.delivery_id LIMIT 1"""


class Tale(NamedTuple):
    """One story: `kind` delivered, held, outage or superseded. Its people are made up."""

    kind: str
    delivery_id: int
    vendor: str
    event_id: str
    text: str
    sector_id: str  # of the made-up person, for what to try next
    corrects: dict[str, str]  # columns of the person's file that would free a held one

    def as_dict(self) -> dict[str, object]:
        return {
            "kind": self.kind,
            "delivery": self.delivery_id,
            "vendor": self.vendor,
            "event_id": self.event_id,
            "text": self.text,
        }


class Teller:
    """Finds the deliveries worth telling and puts them into words."""

    def __init__(
        self,
        run: Invocation,
        db: Database,
        people: Sequence[StaffRow],
        items: Iterable[Item],
        lines: Mapping[Key, Line],
    ) -> None:
        self._run = run
        self._db = db
        self._people = {person.sector_id: person for person in people}
        self._lines = lines
        self._items: dict[int, Item] = {}
        for item in items:
            line = lines.get((item.vendor, item.expected.event_id, item.expected.revision))
            if line is not None:
                self._items.setdefault(line.id, item)

    async def tell(self) -> list[Tale]:
        """0..4 stories; a kind that did not happen is left out."""
        survivor = await self._survivor()
        chosen = {
            "delivered": self._first(State.DELIVERED, (PLAIN,), but=survivor),
            "held": self._first(State.HELD, HELD),
            "outage": survivor,
            "superseded": self._first(State.VOIDED, SUPERSEDED),
        }
        return [await self._tale(kind, id_) for kind, id_ in chosen.items() if id_ is not None]

    def _first(self, state: State, stories: Sequence[str], *, but: int | None = None) -> int | None:
        fit = [line for line in self._lines.values() if line.state is state and line.id in self._items]
        places = {story: place for place, story in enumerate(stories)}
        fit.sort(key=lambda line: (places.get(self._items[line.id].expected.story, len(places)), line.id))
        return next((line.id for line in fit if line.id != but), None)

    async def _survivor(self) -> int | None:
        async with self._db.read() as tx:
            found = await tx.rows(SURVIVORS)
        return int(found[0].id) if found else None

    async def _tale(self, kind: str, id_: int) -> Tale:
        detail = await find_delivery(self._db, id_)
        item = self._items[id_]
        person = self._people[item.expected.sector_id]
        words = explained(self._run, detail)
        told = "read_back" if kind == "outage" and _was_read_back(detail) else kind
        completion = discover()[item.vendor].normalize(orjson.loads(item.body))
        text = self._run.text(
            f"demo.tale.{told}",
            id=id_,
            name=person.full_name,
            unit=person.unit_name,
            vendor=item.vendor,
            course=completion.course.title,
            module=item.expected.module or "–",
            seconds=self._run.number((detail.line.changed_at_ms - detail.line.received_at_ms) / 1000, 1),
            record=detail.record.temis_record_id if detail.record else "–",
            state=words.state,
            reason=words.reason,
            remedy=words.remedy,
            owner=words.owner,
            by=detail.superseded_by,
        )
        born = completion.claim.birth_date
        is_about_it = (detail.line.reason or "").startswith("attribute.birth_date_")
        corrects = {"birth_date": born.isoformat()} if born and is_about_it else {}
        return Tale(kind, id_, item.vendor, item.expected.event_id, text, item.expected.sector_id, corrects)


def _was_read_back(detail: Detail) -> bool:
    return any(attempt.outcome == "read_back" for attempt in detail.attempts)
