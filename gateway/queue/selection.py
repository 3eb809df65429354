"""Which deliveries a replay is about: ids, cause, state, reason, vendor, unit, course, time, text of the error.

A selection is walked part by part (a reason of a state, or a cause) in order of id, so each page is one walk
along an index and no list of ids is ever held.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from gateway.storage.engine import Database, Tx
from gateway.storage.rows import Cell

REPLAYABLE = ("dead", "held")
MOST_IDS = 10_000  # named one by one; more are chosen by what they have in common

_FILTERS = {
    "vendor_id": "d.vendor_id = :vendor_id",
    "course": "d.course = :course",
    "since_ms": "d.changed_at_ms >= :since_ms",
    "until_ms": "d.changed_at_ms < :until_ms",
    "until_id": "d.id <= :until_id",
    "unit_code": "EXISTS (SELECT 1 FROM cases u WHERE u.delivery_id = d.id AND (u.school_code = :unit_code "
    "OR u.commune_code = :unit_code OR u.department_code = :unit_code))",
}
BY_TEXT = """
SELECT id FROM causes
WHERE LOWER(answer) LIKE :text ESCAPE '!' OR LOWER(code) LIKE :text ESCAPE '!' ORDER BY id"""


@dataclass(frozen=True, slots=True)
class Selection:
    """Everything given must hold. Without a state: dead and held ones."""

    ids: tuple[int, ...] = ()
    cause_id: int | None = None
    state: str | None = None
    reason: str | None = None
    vendor_id: int | None = None
    unit_code: str | None = None
    course: int | None = None  # model/course_number.py
    since_ms: int | None = None  # failed or held since then
    until_ms: int | None = None
    text: str | None = None  # in the folded answer of the destination, or the code
    until_id: int | None = None  # nothing that arrived after the plan

    def as_dict(self) -> dict[str, Any]:
        """What is given, for a job's parameters."""
        return {name: value for name, value in asdict(self).items() if value not in (None, ())}

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> "Selection":
        return cls(**{**found, "ids": tuple(found.get("ids", ()))})

    @property
    def states(self) -> tuple[str, ...]:
        return (self.state,) if self.state else REPLAYABLE


class Part(NamedTuple):
    """A stretch of a selection that one index walks: a reason of a state, a cause, or the ids named."""

    state: str | None
    reason: str | None
    cause_id: int | None
    n: int


async def parts(db: Database, wanted: Selection) -> list[Part]:
    """What a selection consists of, counted. The largest is not first: the order is the walk's."""
    async with db.read() as tx:
        if wanted.ids:
            x = tx.json_rows(("id", "int"))
            where, fill = _where(wanted)
            sql = f"SELECT COUNT(*) AS n FROM {x} JOIN deliveries d ON d.id = x.id WHERE {where}"
            [row] = await tx.rows(sql, rows=tx.pack([(id_,) for id_ in wanted.ids]), **fill)
            return [Part(None, None, None, row.n)] if row.n else []
        if wanted.cause_id is not None or wanted.text is not None:
            return [
                part for cause in await _causes(tx, wanted) if (part := await _of_cause(tx, wanted, cause)).n
            ]
        found: list[Part] = []
        for state in wanted.states:
            sql, fill = count_of(wanted, state)
            rows = await tx.rows(sql, **fill)
            found += [Part(state, row.reason, None, row.n) for row in rows]
    return found


def count_of(wanted: Selection, state: str) -> tuple[str, dict[str, Cell]]:
    """The statement that counts the deliveries of one state by reason, along its partial index."""
    where, fill = _where(wanted, (state,))
    return f"SELECT d.reason, COUNT(*) AS n FROM deliveries d WHERE {where} GROUP BY d.reason ORDER BY 1", fill


def page_of(wanted: Selection, part: Part) -> tuple[str, dict[str, Cell]]:
    """The statement of one page of a part, with :after and :limit."""
    if part.cause_id is not None:
        where, fill = _where(wanted)
        return (
            "SELECT d.id FROM delivery_causes c JOIN deliveries d ON d.id = c.delivery_id "
            f"WHERE c.cause_id = :cause_id AND c.delivery_id > :after AND {where} "
            "ORDER BY c.delivery_id LIMIT :limit",
            fill | {"cause_id": part.cause_id},
        )
    assert part.state is not None
    where, fill = _where(wanted, (part.state,))
    if part.reason is not None and wanted.reason is None:
        where, fill = f"{where} AND d.reason = :reason", fill | {"reason": part.reason}
    return (
        f"SELECT d.id FROM deliveries d WHERE {where} AND d.id > :after ORDER BY d.id LIMIT :limit",
        fill,
    )


async def page(db: Database, wanted: Selection, part: Part, *, after: int, limit: int) -> list[int]:
    """0..limit ids of one part above `after`, ascending."""
    async with db.read() as tx:
        if wanted.ids:
            x = tx.json_rows(("id", "int"))
            ahead = [(id_,) for id_ in wanted.ids if id_ > after]
            where, fill = _where(wanted)
            found = f"SELECT d.id FROM {x} JOIN deliveries d ON d.id = x.id WHERE {where}"
            sql = f"{found} ORDER BY d.id LIMIT :limit"
            rows = await tx.rows(sql, rows=tx.pack(ahead), limit=limit, **fill)
        else:
            sql, fill = page_of(wanted, part)
            rows = await tx.rows(sql, after=after, limit=limit, **fill)
    return [row.id for row in rows]


async def sample(db: Database, wanted: Selection, part: Part, size: int) -> list[int]:
    """Up to `size` ids of a part: half the oldest, half the newest, so that neither alone speaks for it."""
    oldest = await page(db, wanted, part, after=0, limit=size // 2 if part.n > size else size)
    if part.n <= size or wanted.ids:
        return oldest
    sql, fill = page_of(wanted, part)
    column = "c.delivery_id" if part.cause_id is not None else "d.id"
    sql = sql.replace(f"ORDER BY {column} LIMIT", f"ORDER BY {column} DESC LIMIT")
    async with db.read() as tx:
        rows = await tx.rows(sql, after=oldest[-1], limit=size - len(oldest), **fill)
    return [*oldest, *sorted(row.id for row in rows)]


def text_pattern(text: str) -> str:
    """What BY_TEXT compares with: anywhere in it, % and _ meaning themselves."""
    told = text.lower().replace("!", "!!").replace("%", "!%").replace("_", "!_")
    return f"%{told}%"


async def _causes(tx: Tx, wanted: Selection) -> Sequence[int]:
    if wanted.text is None:
        assert wanted.cause_id is not None
        return [wanted.cause_id]
    found = [row.id for row in await tx.rows(BY_TEXT, text=text_pattern(wanted.text))]
    return [id_ for id_ in found if wanted.cause_id in (None, id_)]


async def _of_cause(tx: Tx, wanted: Selection, cause_id: int) -> Part:
    where, fill = _where(wanted)
    sql = (
        "SELECT COUNT(*) AS n FROM delivery_causes c JOIN deliveries d ON d.id = c.delivery_id "
        f"WHERE c.cause_id = :cause_id AND {where}"
    )
    [row] = await tx.rows(sql, cause_id=cause_id, **fill)
    return Part(None, None, cause_id, row.n)


def _where(wanted: Selection, states: tuple[str, ...] | None = None) -> tuple[str, dict[str, Cell]]:
    # Literal states: a partial index is not used for a bound one.
    told = states or wanted.states
    if unknown := set(told) - set(REPLAYABLE):
        raise ValueError(f"not replayable: {unknown}")
    terms = [f"d.state = '{told[0]}'" if len(told) == 1 else "d.state IN ('dead', 'held')"]
    fill: dict[str, Cell] = {}
    if wanted.reason is not None:
        terms.append("d.reason = :reason")
        fill["reason"] = wanted.reason
    for name, term in _FILTERS.items():
        value = getattr(wanted, name)
        if value is not None:
            terms.append(term)
            fill[name] = value
    return " AND ".join(terms), fill
