"""Cases -> people: one row for each unit below, each person counted once there.

A person is whom the sector database found; who is not verified yet is one person for each LMS account. Voided
deliveries count nobody. What is held for the course, the result or TEMIS belongs to a verified person.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

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
# Whom the sector database found: a person is one, whatever was sent. Read from an index alone.
FOUND = """
SELECT {group} AS unit, COUNT(DISTINCT person_id) AS people,
       COUNT(DISTINCT CASE WHEN state = 'delivered' THEN person_id END) AS credited
FROM cases WHERE {where} person_id IS NOT NULL AND state <> 'voided' GROUP BY 1"""
# Everybody else: one for each LMS account that no other case has found.
OPEN = """
SELECT unit, what, COUNT(*) AS people FROM (
    SELECT unit, CASE WHEN MAX(is_verified) = 1 THEN 'verified' WHEN MAX(reason) IS NOT NULL THEN MAX(reason)
                      WHEN MAX(is_settled) = 1 THEN 'settled' ELSE 'waiting' END AS what
    FROM (
        SELECT {group} AS unit, c.account_key, c.settled AS is_settled,
               CASE WHEN c.account_key IS NULL THEN c.delivery_id END AS alone,
               CASE WHEN c.settled = 0 THEN c.reason END AS reason,
               CASE WHEN c.reason LIKE 'course.%' OR c.reason LIKE 'result.%' OR c.reason LIKE 'temis.%'
                    THEN 1 ELSE 0 END AS is_verified
        FROM cases c WHERE {where} c.person_id IS NULL AND c.state <> 'voided' AND NOT EXISTS (
            SELECT 1 FROM cases f
            WHERE f.account_key = c.account_key AND f.person_id IS NOT NULL AND f.state <> 'voided')
    ) AS one GROUP BY unit, account_key, alone
) AS account GROUP BY unit, what"""


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
    """People by the unit below `level`, None for those whose unit is not known; level None: all under ""."""
    where, fill = where_of(limit)
    group = _GROUPS[level] if level is not None else "CAST('' AS text)"
    found = await tx.rows(FOUND.format(group=group, where=where), **fill)
    where, fill = where_of(limit, "c.")
    rows = await tx.rows(OPEN.format(group=group, where=where), **fill)
    by_unit: dict[str | None, dict[str, int]] = {}
    credited: dict[str | None, int] = {}
    for row in found:
        by_unit[row.unit] = {_VERIFIED: int(row.people)}
        credited[row.unit] = int(row.credited)
    for row in rows:
        people = by_unit.setdefault(row.unit, {})
        people[row.what] = people.get(row.what, 0) + int(row.people)
    return {unit: _count(people, credited.get(unit, 0)) for unit, people in by_unit.items()}


def _count(people: Mapping[str, int], credited: int) -> Count:
    held = {what: n for what, n in people.items() if what not in (_VERIFIED, _WAITING, _SETTLED)}
    return Count(
        people=sum(people.values()),
        verified=people.get(_VERIFIED, 0),
        credited=credited,
        waiting=people.get(_WAITING, 0),
        settled=people.get(_SETTLED, 0),
        held=dict(sorted(held.items(), key=lambda item: (-item[1], item[0]))),
    )
