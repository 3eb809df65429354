"""Rows of `cases`: written again whole whenever a delivery has changed, so that doing it twice does no harm."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.bdtx.places import Place
from gateway.stages.cases.keys import NO_KEYS, Keys
from gateway.storage.engine import Tx
from gateway.storage.rows import Cell, Kind

COLUMNS: tuple[tuple[str, Kind], ...] = (
    ("delivery_id", "int"),
    ("vendor_id", "int"),
    ("received_at_ms", "int"),
    ("state", "text"),
    ("reason", "text"),
    ("person_id", "int"),
    ("claimed_unit", "text"),
    ("registry_unit", "text"),
    ("school_code", "text"),
    ("commune_code", "text"),
    ("department_code", "text"),
    ("account_key", "blob"),
    ("name_key", "blob"),
    ("identifier_key", "blob"),
    ("certificate_key", "blob"),
    ("course_key", "text"),
    ("module_code", "text"),
)
_NAMES = ", ".join(name for name, _ in COLUMNS)
_CHANGES = ("state", "reason", "person_id", "registry_unit", "school_code", "commune_code", "department_code")
_CHANGED = ", ".join(f"{name} = excluded.{name}" for name in _CHANGES)
# A ruling was on the reason of then: another one opens the case again.
_SETTLED = "settled = CASE WHEN cases.reason IS NOT DISTINCT FROM excluded.reason THEN cases.settled ELSE 0 END"
UPSERT = f"""
INSERT INTO cases ({_NAMES}, settled) SELECT {_NAMES}, 0 FROM {{x}} WHERE true
ON CONFLICT (delivery_id) DO UPDATE SET {_SETTLED}, {_CHANGED}"""
PLACE = """
UPDATE cases SET school_code = x.school_code, commune_code = x.commune_code,
       department_code = x.department_code
FROM {x} WHERE cases.delivery_id = x.delivery_id AND cases.registry_unit IS NOT DISTINCT FROM x.registry_unit"""
_PLACED: tuple[tuple[str, Kind], ...] = (
    ("delivery_id", "int"),
    ("registry_unit", "text"),
    ("school_code", "text"),
    ("commune_code", "text"),
    ("department_code", "text"),
)


@dataclass(frozen=True, slots=True)
class CaseRow:
    """One row as it is written."""

    delivery_id: int
    vendor_id: int
    received_at_ms: int
    state: str
    reason: str | None
    person_id: int | None
    claimed_unit: str | None
    registry_unit: str | None
    place: Place
    account_key: bytes | None = None
    keys: Keys = NO_KEYS
    course_key: str | None = None
    module_code: str | None = None

    def cells(self) -> tuple[Cell, ...]:
        return (
            self.delivery_id,
            self.vendor_id,
            self.received_at_ms,
            self.state,
            self.reason,
            self.person_id,
            self.claimed_unit,
            self.registry_unit,
            *self.place,
            self.account_key,
            *self.keys,
            self.course_key,
            self.module_code,
        )


async def write_in(tx: Tx, rows: Sequence[CaseRow]) -> None:
    """Writes the rows by id; none is no statement."""
    if rows:
        cells = sorted((row.cells() for row in rows), key=lambda cell: int(cell[0] or 0))
        await tx.run(UPSERT.format(x=tx.json_rows(*COLUMNS)), rows=tx.pack(cells))


async def place_in(tx: Tx, places: Sequence[tuple[int, str | None, Place]]) -> None:
    """Gives (id, registry unit as read, place) another place, unless somebody was verified meanwhile."""
    if places:
        cells = [(id_, unit, *place) for id_, unit, place in sorted(places, key=lambda one: one[0])]
        await tx.run(PLACE.format(x=tx.json_rows(*_PLACED)), rows=tx.pack(cells))
