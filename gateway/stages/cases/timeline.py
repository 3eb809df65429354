"""Other completions of one learner, across vendors: by person once verified, by account and identifier before.

Only what the viewer may list anyway: a stranger with the same identifier stays unseen.
"""

from dataclasses import dataclass
from typing import Any

from gateway.model.completion import Completion
from gateway.queue.vendors import names_in
from gateway.stages.cases.failures import among
from gateway.stages.cases.opened import open_all
from gateway.stages.cases.reading import Case
from gateway.stages.cases.sight import Desk, Sight

LONGEST = 50
_FROM = """SELECT c.delivery_id, c.vendor_id, c.received_at_ms, c.state, c.reason, c.module_code, c.course_key,
       d.event_id, d.revision
FROM cases c JOIN deliveries d ON d.id = c.delivery_id"""
BY = {
    "person_id": f"{_FROM} WHERE {{where}} c.person_id = :key "
    "AND c.registry_unit IS NOT NULL ORDER BY c.delivery_id DESC LIMIT :limit",
    "account_key": f"{_FROM} WHERE {{where}} c.account_key = :key ORDER BY c.delivery_id DESC LIMIT :limit",
    "identifier_key": f"{_FROM} WHERE {{where}} c.identifier_key = :key "
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
    if case.units.is_verified:
        keys.append(("person_id", case.person_id))
    async with desk.db.read() as tx:
        found: dict[int, Any] = {}
        for column, key in keys:
            if key is not None:
                sql = BY[column].format(where=where)
                found |= {r.delivery_id: r for r in await tx.rows(sql, **fill, key=key, limit=LONGEST)}
        vendors = await names_in(tx)
        found.pop(case.id, None)
        newest = sorted(found.values(), key=lambda row: -row.delivery_id)[:LONGEST]
    sent = await open_all(desk, newest) if sight.may("case.values_sent") else {}
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


def _title(row: Any, sent: Completion | None) -> str | None:
    key: str | None = row.course_key
    return (sent.course.title or sent.course.course_code or key) if sent else key
