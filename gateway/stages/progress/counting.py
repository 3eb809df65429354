"""Cases -> people: one row for each unit below, each person counted once there.

A person is whom the sector database found; who is not verified yet is one person for each LMS account. Voided
deliveries count nobody. What is held for the course, the result or TEMIS belongs to a verified person.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.bdtx.places import Within
from gateway.bdtx.units import Level
from gateway.stages.cases.failures import where_of
from gateway.storage.engine import Tx

NO_CODE = "format.missing"
_VERIFIED, _WAITING, _SETTLED = "verified", "waiting", "settled"
_GROUPS = {
    Level.MINISTRY: "department_code",
    Level.DEPARTMENT: "COALESCE(commune_code, school_code)",
    Level.COMMUNE: "school_code",
    Level.SCHOOL: "school_code",
}
PEOPLE = """
SELECT unit, what, COUNT(DISTINCT person_id) AS people,
       SUM(CASE WHEN person_id IS NULL THEN 1 ELSE 0 END) AS accounts,
       COUNT(DISTINCT CASE WHEN is_credited = 1 THEN person_id END) AS credited
FROM (
    SELECT unit, person_id, is_credited,
           CASE WHEN is_verified = 1 THEN 'verified' WHEN reason IS NOT NULL THEN reason
                WHEN is_settled = 1 THEN 'settled' ELSE 'waiting' END AS what
    FROM (
        SELECT unit, MAX(person_id) AS person_id, MAX(is_credited) AS is_credited,
               MAX(is_verified) AS is_verified, MAX(is_settled) AS is_settled, MAX(reason) AS reason
        FROM (
            SELECT {group} AS unit, account_key, person_id, settled AS is_settled,
                   CASE WHEN settled = 0 THEN reason END AS reason,
                   CASE WHEN state = 'delivered' THEN 1 ELSE 0 END AS is_credited,
                   CASE WHEN person_id IS NOT NULL OR reason LIKE 'course.%' OR reason LIKE 'result.%'
                             OR reason LIKE 'temis.%' THEN 1 ELSE 0 END AS is_verified,
                   CASE WHEN account_key IS NULL THEN COALESCE(person_id, -delivery_id) END AS alone
            FROM cases WHERE {where} state <> 'voided') AS one
        GROUP BY unit, account_key, alone) AS accounts
    ) AS told
GROUP BY unit, what"""


@dataclass(frozen=True, slots=True)
class Count:
    """How many people, and how far they are. `held`: not verified, by the reason why."""

    people: int = 0
    verified: int = 0
    credited: int = 0  # at least one result stands in TEMIS
    waiting: int = 0  # just arrived, or the sector database is awaited
    settled: int = 0  # an approver ruled that nothing is to be done
    held: Mapping[str, int] = field(default_factory=dict)

    @property
    def to_do(self) -> int:
        """People for whom somebody has to act before they can be verified."""
        return sum(self.held.values())

    @property
    def no_code(self) -> int:
        return self.held.get(NO_CODE, 0)


async def count_in(tx: Tx, limit: Within, level: Level | None) -> dict[str | None, Count]:
    """People by the unit below `level`, None for those whose unit is not known; level None: all in one."""
    where, fill = where_of(limit)
    group = _GROUPS[level] if level is not None else "CAST('' AS text)"
    rows = await tx.rows(PEOPLE.format(group=group, where=where), **fill)
    by_unit: dict[str | None, list[Any]] = {}
    for row in rows:
        by_unit.setdefault(row.unit, []).append(row)
    return {unit: _count(several) for unit, several in by_unit.items()}


def _count(rows: Iterable[Any]) -> Count:
    people = {row.what: int(row.people) + int(row.accounts) for row in rows}
    credited = sum(int(row.credited) for row in rows)
    held = {what: n for what, n in people.items() if what not in (_VERIFIED, _WAITING, _SETTLED)}
    return Count(
        people=sum(people.values()),
        verified=people.get(_VERIFIED, 0),
        credited=credited,
        waiting=people.get(_WAITING, 0),
        settled=people.get(_SETTLED, 0),
        held=dict(sorted(held.items(), key=lambda item: (-item[1], item[0]))),
    )
