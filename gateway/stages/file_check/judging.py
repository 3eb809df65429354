"""Rows of a file -> the live answers of the sector database -> one outcome each, within the viewer's scope.

The same judge as for completions. Of a person of another unit nothing is said but that: neither whether the
name fits nor the birth date, or a file of guesses would find them out. An outage is never an outcome.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any

from gateway.bdtx.scope import Viewer, may_see
from gateway.bdtx.units import Units
from gateway.identity.case import Case, UnitFacts, keys_of
from gateway.identity.identifier import read
from gateway.identity.judge import judge
from gateway.identity.near_miss import is_sought, near_miss
from gateway.identity.people import People
from gateway.identity.policy import Policy
from gateway.identity.snapshots import Known
from gateway.model.clock import HOUR_MS, Clock, local_date
from gateway.model.completion import Claim
from gateway.model.errors import UpstreamError
from gateway.model.person import LookupKey, Snapshot
from gateway.model.reasons import REASONS
from gateway.model.roles import ROLES, Reach
from gateway.model.verdict import Effect, Finding
from gateway.security.blind import BlindIndex
from gateway.stages.near_misses import AT_ONCE, Budget, Search
from gateway.stages.owners import Naming
from gateway.stages.unit_facts import FactsOfUnits
from gateway.stages.waiting import wake_keys
from gateway.storage.engine import Database

SEARCHES = 600  # for hints, of one owner in an hour: enough for a school, no use for a list of names
_ACCOUNT = "temis.account_missing"
NO_ACCOUNT = """
SELECT DISTINCT w.key FROM {x} JOIN waits w ON w.kind = 'temis' AND w.key = x.key
JOIN deliveries d ON d.id = w.delivery_id WHERE d.state = 'held' AND d.reason = :reason"""


class Outcome(StrEnum):
    VERIFIED = "verified"
    HELD = "held"
    ELSEWHERE = "elsewhere"  # somebody of another unit
    DUPLICATE = "duplicate"  # the identifier stands in an earlier line


@dataclass(frozen=True, slots=True)
class RowResult:
    """What became of one row. `findings` are [code, detail] of what holds, or warns where nothing holds.

    `account` is what TEMIS's import form asks of a verified person who has no account there.
    """

    line: int
    outcome: Outcome
    findings: Sequence[tuple[str, Mapping[str, Any]]] = ()
    owner: Mapping[str, str] = field(default_factory=dict)  # by language
    first_line: int | None = None
    account: Mapping[str, str] | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "RowResult":
        findings = tuple((code, detail) for code, detail in values["findings"])
        return cls(**{**values, "outcome": Outcome(values["outcome"]), "findings": findings})


@dataclass(frozen=True, slots=True)
class Asked:
    """One row's question. `first_line`: of the row that stated the same identifier before."""

    line: int
    claim: Claim
    first_line: int | None = None


class FileJudge:
    """Judges rows of files. One instance per process."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        blind: BlindIndex,
        people: People,
        policy: Policy,
        units: FactsOfUnits,
        registry: Search,
    ) -> None:
        self._db = db
        self._clock = clock
        self._blind = blind
        self._people = people
        self._policy = policy
        self._units = units
        self._registry = registry
        self._searches = Budget(clock, SEARCHES, HOUR_MS)

    async def judge(
        self, asked: Sequence[Asked], viewer: Viewer | None, naming: Naming, *, not_before_ms: int
    ) -> list[RowResult]:
        """One result each, in order. `viewer` None: whoever runs commands on the machine, without a scope.

        Raises: UpstreamError when the sector database does not answer; then none of them is judged.
        """
        today = local_date(self._clock.now_ms())
        singles = [one for one in asked if one.first_line is None]
        keys = {key for one in singles for key in keys_of(one.claim)}
        known, outage = await self._people.know(keys, not_before_ms=not_before_ms)
        if outage is not None:
            raise outage
        facts = await self._units.of([(one.claim.unit_code, today) for one in singles])
        found: dict[int, RowResult] = {}
        on_file: dict[int, Snapshot] = {}
        for one, unit in zip(singles, facts, strict=True):
            result, snapshot = self._judge_one(one, unit, known, viewer, naming, today)
            found[one.line] = result
            if snapshot is not None:
                on_file[one.line] = snapshot
        await self._hint(singles, found, viewer, naming, today)
        await self._tell_accounts(found, on_file)
        return [found.get(o.line) or RowResult(o.line, Outcome.DUPLICATE, (), {}, o.first_line) for o in asked]

    def _judge_one(
        self,
        one: Asked,
        unit: UnitFacts,
        known: Mapping[LookupKey, Known],
        viewer: Viewer | None,
        naming: Naming,
        today: date,
    ) -> tuple[RowResult, Snapshot | None]:
        """The result, and the file of a verified person whom the viewer may see."""
        answers = {key: known[key].answer for key in keys_of(one.claim)}
        hits = {hit.sector_id: hit for answer in answers.values() for hit in answer.hits}
        if hits and not any(_in_scope(naming.units, viewer, hit, today) for hit in hits.values()):
            return RowResult(one.line, Outcome.ELSEWHERE), None
        verdict = judge(Case(one.claim, today, answers, unit=unit), self._policy)
        snapshot = hits.get(verdict.sector_id or "")
        if snapshot is not None and not _in_scope(naming.units, viewer, snapshot, today):
            return RowResult(one.line, Outcome.ELSEWHERE), None  # of two whom 9 digits mean, the stranger
        findings = [f for f in verdict.findings if _is_told(f, is_verified=verdict.verified)]
        school = snapshot.unit_code if verdict.verified and snapshot else one.claim.unit_code
        result = RowResult(
            one.line,
            Outcome.VERIFIED if verdict.verified else Outcome.HELD,
            tuple((f.code, f.detail) for f in findings),
            _owner(findings, school or _own_school(viewer), naming),
        )
        return result, snapshot if verdict.verified and viewer is not None else None

    async def _hint(
        self,
        asked: Sequence[Asked],
        found: dict[int, RowResult],
        viewer: Viewer | None,
        naming: Naming,
        today: date,
    ) -> None:
        """Beside "not found": the person of this name and birth date in one's own scope, one slip away."""
        turns = asyncio.Semaphore(AT_ONCE)
        who = viewer.login if viewer else "machine"

        async def search(one: Asked) -> None:
            name, born = one.claim.full_name, one.claim.birth_date
            if not name or born is None or not self._searches.take(who):
                return
            async with turns:
                try:
                    hits = await self._registry.search(name[:200], born)
                except UpstreamError:  # a hint less; the result stands without it
                    return
            seen = [hit for hit in hits if _in_scope(naming.units, viewer, hit, today)]
            hint = near_miss(one.claim, hits)
            if hint is not None and hint == near_miss(one.claim, seen):
                result = found[one.line]
                findings = (*result.findings, (hint.code, hint.detail))
                found[one.line] = RowResult(one.line, result.outcome, findings, result.owner)

        missing = [one for one in asked if _is_sought(found[one.line], one.claim)]
        await asyncio.gather(*(search(one) for one in missing))

    async def _tell_accounts(self, found: dict[int, RowResult], on_file: Mapping[int, Snapshot]) -> None:
        """TEMIS has said of some of them that they have no account: their results wait for it."""
        by_key = {
            wait.key: line
            for line, snapshot in on_file.items()
            for wait in wake_keys(self._blind, "temis", snapshot.sector_id)
        }
        if not by_key:
            return
        async with self._db.read() as tx:
            x = tx.json_rows(("key", "text"))
            rows = tx.pack([(key,) for key in sorted(by_key)])
            missing = await tx.rows(NO_ACCOUNT.format(x=x), rows=rows, reason=_ACCOUNT)
        for row in missing:
            line = by_key[row.key]
            result, file = found[line], on_file[line]
            found[line] = RowResult(
                line,
                result.outcome,
                (*result.findings, (_ACCOUNT, {})),
                result.owner,
                account={
                    "full_name": file.full_name,
                    "birth_date": file.birth_date.isoformat() if file.birth_date else "",
                    "gender": file.gender or "",
                    "status": file.status,
                    "unit_code": file.unit_code or "",
                    "unit_name": file.unit_name or "",
                },
            )


def with_duplicates(claims: Sequence[tuple[int, Claim]]) -> list[Asked]:
    """(line, claim)s -> questions: of several rows with one identifier only the first is asked about."""
    seen: dict[LookupKey, int] = {}
    asked = []
    for line, claim in claims:
        keys = read(claim.identifier).keys
        first = seen.setdefault(keys[0], line) if keys else line
        asked.append(Asked(line, claim, first if first != line else None))
    return asked


def _in_scope(units: Units, viewer: Viewer | None, file: Snapshot, today: date) -> bool:
    if viewer is None:
        return True
    return ROLES[viewer.role].scope is Reach.UNIT and may_see(units, viewer, file.unit_code, today)


def _is_told(finding: Finding, *, is_verified: bool) -> bool:
    """What holds; of a verified person what is worth correcting: a zero lost in this very file is as well."""
    if not is_verified or finding.code not in REASONS:
        return finding.effect is Effect.HOLDS and finding.code in REASONS
    return finding.effect is Effect.WARNS or finding.code == "identifier.lost_zero"


def _own_school(viewer: Viewer | None) -> str | None:
    return viewer.unit_code if viewer else None


def _owner(findings: Sequence[Finding], school: str | None, naming: Naming) -> dict[str, str]:
    if not findings:
        return {}
    owner = naming.of(findings[0], school)
    return {"vi": owner.label("vi"), "en": owner.label("en")}


def _is_sought(result: RowResult, claim: Claim) -> bool:
    return len(result.findings) == 1 and is_sought(result.findings[0][0], claim)
