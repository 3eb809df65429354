"""Deliveries and their records -> the items that TEMIS would be sent for them now. Sends and stores nothing."""

from collections.abc import Sequence
from typing import NamedTuple

from gateway.bdtx.courses import Courses
from gateway.bdtx.modules import find
from gateway.identity.snapshots import Snapshots
from gateway.model.completion import Completion
from gateway.model.errors import KeyMissing, PayloadInvalid, SealBroken
from gateway.queue import payloads
from gateway.security.vault import Vault
from gateway.storage.engine import Database
from gateway.temis.contract import RecordItem
from gateway.temis.mapping import to_item


class Place(NamedTuple):
    """One delivery, whose payload says the result, and the record it stands for."""

    body_id: int
    vendor_id: int
    event_id: str
    event_revision: int
    person_id: int
    module_code: str
    school_year: str
    record_revision: int


class Expected:
    """Makes items. One instance per process."""

    def __init__(self, db: Database, vault: Vault, snapshots: Snapshots, courses: Courses) -> None:
        self._db = db
        self._vault = vault
        self._snapshots = snapshots
        self._courses = courses

    async def items(self, places: Sequence[Place]) -> list[RecordItem | PayloadInvalid | None]:
        """One for each place, in order: the item, why it can be none, or None where the payload is gone."""
        if not places:
            return []
        bodies = await payloads.load(self._db, self._vault, {place.body_id for place in places})
        opened = [self._open(place, bodies.get(place.body_id)) for place in places]
        people = await self._snapshots.sector_ids({place.person_id for place in places})
        courses = await self._courses.resolve(
            (place.vendor_id, one.course) for place, one in zip(places, opened, strict=True) if one
        )
        items: list[RecordItem | PayloadInvalid | None] = []
        for place, completion in zip(places, opened, strict=True):
            if completion is None or place.person_id not in people:
                items.append(None)
                continue
            module = find(place.module_code)
            course = courses[place.vendor_id, completion.course.course_id]
            try:
                items.append(
                    to_item(
                        completion,
                        sector_id=people[place.person_id],
                        module_code=place.module_code,
                        school_year=place.school_year,
                        revision=place.record_revision,
                        programme=module.programme if module else None,
                        periods=course.periods or (module.periods if module else None),
                    )
                )
            except PayloadInvalid as fault:
                items.append(fault)
        return items

    def _open(self, place: Place, body: bytes | None) -> Completion | None:
        if body is None:
            return None
        try:
            return payloads.open_body(self._vault, place.vendor_id, place.event_id, place.event_revision, body)[
                0
            ]
        except (KeyMissing, SealBroken):
            return None
