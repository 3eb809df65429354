"""Other completions of one learner, across vendors: by person once verified, by account and identifier before.

Only what the viewer may list anyway: a stranger with the same identifier stays unseen.
"""

from dataclasses import dataclass
from typing import Any

from gateway.model.completion import Completion
from gateway.stages.cases.failures import among, vendor_names
from gateway.stages.cases.opened import open_all
from gateway.stages.cases.reading import Case
from gateway.stages.cases.sight import Desk, Sight

LONGEST = 50
_COLUMNS = "c.delivery_id, c.vendor_id, c.received_at_ms, c.state, c.reason, c.module_code, c.course_key"
BY = {
    "person_id": f"SELECT {_COLUMNS} FROM cases c WHERE {{where}} c.person_id = :key "
    "AND c.registry_unit IS NOT NULL ORDER BY c.delivery_id DESC LIMIT :limit",
    "account_key": f"SELECT {_COLUMNS} FROM cases c WHERE {{where}} c.account_key = :key "
    "ORDER BY c.delivery_id DESC LIMIT :limit",
    "identifier_key": f"SELECT {_COLUMNS} FROM cases c WHERE {{where}} c.identifier_key = :key "
    "ORDER BY c.delivery_id DESC LIMIT :limit",
}


@dataclass(frozen=True, slots=True)
class Other:
    """Another completion."""

    id: int
    vendor: str
    received_at_ms: int
    state: str
    reason: str | None
    course: str | None
    module_code: str | None


async def timeline(desk: Desk, sight: Sight, case: Case) -> tuple[Other, ...]:
    """0..LONGEST others, the newest first."""
    limit = sight.limit
    if limit is None:
        return ()
    where, fill = among(limit)
    keys: list[tuple[str, Any]] = [("account_key", case.account_key), ("identifier_key", case.identifier_key)]
    async with desk.db.read() as tx:
        if case.units.is_verified:
            person = await tx.rows("SELECT person_id FROM deliveries WHERE id = :id", id=case.id)
            keys.append(("person_id", person[0].person_id))
        found: dict[int, Any] = {}
        for column, key in keys:
            if key is not None:
                sql = BY[column].format(where=where)
                found |= {r.delivery_id: r for r in await tx.rows(sql, **fill, key=key, limit=LONGEST)}
        vendors = await vendor_names(tx)
        found.pop(case.id, None)
        newest = sorted(found.values(), key=lambda row: -row.delivery_id)[:LONGEST]
        events = await _events(tx, [row.delivery_id for row in newest])
    sent = await open_all(desk, events) if sight.may("case.values_sent") else {}
    return tuple(
        Other(
            row.delivery_id,
            vendors[row.vendor_id],
            row.received_at_ms,
            row.state,
            row.reason,
            _title(row, sent.get(row.delivery_id)),
            row.module_code,
        )
        for row in newest
    )


async def _events(tx: Any, ids: list[int]) -> Any:
    x = tx.json_rows(("id", "int"))
    return await tx.rows(
        f"SELECT d.id AS delivery_id, d.vendor_id, d.event_id, d.revision FROM {x} "
        "JOIN deliveries d ON d.id = x.id",
        rows=tx.pack([(id_,) for id_ in ids]),
    )


def _title(row: Any, sent: Completion | None) -> str | None:
    key: str | None = row.course_key
    return (sent.course.title or sent.course.course_code or key) if sent else key
