"""One case as its viewer may read it: what was sent beside what is on file, what was found, what happened.

Values on file stand here only when the *registry's* unit is the viewer's; otherwise there is one sentence and
nothing of the stranger: no value, no finding but the one that holds, no hint.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.bdtx.places import department_of
from gateway.bdtx.scope import CaseUnits, OnFile, case_unit
from gateway.identity.case import keys_of
from gateway.model.completion import Completion
from gateway.model.person import Snapshot
from gateway.model.states import State
from gateway.model.verdict import Effect, Finding
from gateway.queue.findings import unpack_findings
from gateway.queue.listing import ATTEMPTS, ATTEMPTS_OF, RECORD_OF
from gateway.stages.cases.follow import claimed_unit, is_verified
from gateway.stages.cases.laid import Row, laid
from gateway.stages.cases.opened import open_all
from gateway.stages.cases.sight import Desk, Sight
from gateway.storage.engine import Tx

VERDICTS = 20
NEAR_MISS = "registry.near_miss"
DELIVERY = """
SELECT d.id AS delivery_id, d.vendor_id, n.name AS vendor, d.event_id, d.revision, d.kind, d.state, d.reason,
       n.department, d.person_id, d.record_id, d.received_at_ms, d.changed_at_ms, d.due_at_ms, c.claimed_unit,
       c.account_key, c.identifier_key
FROM deliveries d JOIN vendors n ON n.id = d.vendor_id LEFT JOIN cases c ON c.delivery_id = d.id
WHERE d.id = :id"""
VERIFICATIONS = f"""
SELECT id, at_ms, verified, reason, rung, person_id, snapshot_version, link_version, age_ms, policy_version,
       findings
FROM verifications WHERE delivery_id = :id ORDER BY id DESC LIMIT {VERDICTS}"""
FILES = """
SELECT p.sector_key, p.snapshot_sealed AS current, s.sealed AS judged FROM people p
LEFT JOIN snapshots s ON s.person_id = p.id AND s.version = :version WHERE p.id = :person_id"""
RULING = """
SELECT id, at_ms, actor, act, person_id, note_sealed FROM rulings WHERE delivery_id = :id
ORDER BY id DESC LIMIT 1"""


@dataclass(frozen=True, slots=True)
class Judgement:
    """One stored verdict, as the history shows it. `age_ms` 0: the sector database was asked for this one."""

    id: int
    at_ms: int
    verified: bool
    reason: str | None
    age_ms: int


@dataclass(frozen=True, slots=True)
class Hit:
    """One of several files that an identifier found. `file` is None for one of another unit."""

    person_id: int
    file: Snapshot | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class NearMiss:
    """One person of the viewer's whose identifier is one slip away; masked."""

    masked: str
    slip: str


@dataclass(frozen=True, slots=True)
class Ruling:
    """What an approver ruled last."""

    at_ms: int
    actor: str
    act: str
    note_sealed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One entry of the attempt log. `to_state` None: the state did not change."""

    at_ms: int
    stage: str
    outcome: str
    to_state: str | None


@dataclass(frozen=True, slots=True)
class Record:
    """The BDTX record that the case belongs to, and whether TEMIS shows this very result in it."""

    module_code: str
    school_year: str
    stands: bool
    is_anothers: bool  # another result won


@dataclass(frozen=True, slots=True)
class Case:
    """One case, whole, for one viewer. `sent` is None for roles without values and past the retention."""

    id: int
    vendor_id: int
    vendor: str
    event_id: str
    revision: int
    state: str
    reason: str | None
    received_at_ms: int
    changed_at_ms: int
    due_at_ms: int | None
    units: CaseUnits
    unit_code: str | None  # whose case it is
    sent: Completion | None = field(repr=False)
    is_kept: bool  # what was sent is still there
    on_file: OnFile | None  # None: nobody was found
    file: Snapshot | None = field(repr=False)  # only where `on_file` is shown
    found_id: int | None  # whose file that is: the person whom the last verification found
    findings: tuple[Finding, ...]
    rung: int | None
    rows: tuple[Row, ...]
    hits: tuple[Hit, ...]
    near: NearMiss | None
    judgements: tuple[Judgement, ...]  # the newest first
    attempts: tuple[Attempt, ...]  # the oldest first
    ruling: Ruling | None
    record: Record | None
    person_id: int | None
    account_key: bytes | None = field(repr=False)
    identifier_key: bytes | None = field(repr=False)

    @property
    def is_held(self) -> bool:
        return self.state == State.HELD

    @property
    def holding(self) -> Finding | None:
        """The finding behind the reason, with what fills its text."""
        return next((f for f in self.findings if f.code == self.reason and f.effect is Effect.HOLDS), None)


async def read_case(desk: Desk, sight: Sight, id_: int) -> Case | None:
    """The case, or None when there is none or it is not this viewer's: the two must look alike."""
    async with desk.db.read() as tx:
        found = await tx.rows(DELIVERY, id=id_)
        if not found or found[0].kind != "completion":
            return None
        row = found[0]
        verdicts = await tx.rows(VERIFICATIONS, id=id_)
        rulings = await tx.rows(RULING, id=id_)
        attempts = await tx.rows(ATTEMPTS_OF, id=id_, limit=ATTEMPTS)
        records = await tx.rows(RECORD_OF, id=row.record_id) if row.record_id is not None else []
        files = await _files(tx, verdicts)
    completion = (await open_all(desk, [row])).get(id_)
    judged, current = _opened(desk, files)
    units = _units(sight, row, completion, current)
    if not sight.sees(units):
        return None
    findings = unpack_findings(verdicts[0].findings) if verdicts else ()
    on_file = sight.on_file(units) if current is not None else None
    if on_file is OnFile.SHOWN and judged is not None and not sight.covers(judged.unit_code):
        on_file = OnFile.ELSEWHERE
    told = tuple(f for f in findings if f.code != NEAR_MISS)
    is_shown = on_file is None or on_file is OnFile.SHOWN
    if not is_shown:  # nothing of a stranger but what holds, which the sender has to hear
        told = tuple(Finding(code=f.code, effect=f.effect) for f in told if f.code == row.reason)
    file = judged if on_file is OnFile.SHOWN else None
    sent = completion if sight.may("case.values_sent") else None
    hits = await _hits(desk, sight, row, completion, verdicts) if row.reason == "registry.ambiguous" else ()
    return Case(
        id=id_,
        vendor_id=row.vendor_id,
        vendor=row.vendor,
        event_id=row.event_id,
        revision=row.revision,
        state=row.state,
        reason=row.reason,
        received_at_ms=row.received_at_ms,
        changed_at_ms=row.changed_at_ms,
        due_at_ms=row.due_at_ms,
        units=units,
        unit_code=_unit_code(sight, units),
        sent=sent,
        is_kept=completion is not None,
        on_file=on_file,
        file=file,
        found_id=verdicts[0].person_id if file is not None else None,
        findings=told,
        rung=verdicts[0].rung if verdicts and is_shown else None,
        rows=laid(sight, sent, file, told),
        hits=hits,
        near=_near(sight, findings) if sent is not None else None,
        judgements=tuple(Judgement(v.id, v.at_ms, bool(v.verified), v.reason, v.age_ms) for v in verdicts),
        attempts=tuple(Attempt(a.at_ms, a.stage, a.outcome, a.to_state) for a in reversed(attempts)),
        ruling=_ruling(rulings[0]) if rulings else None,
        record=_record(records[0], id_) if records else None,
        person_id=row.person_id,
        account_key=_bytes(row.account_key),
        identifier_key=_bytes(row.identifier_key),
    )


async def _files(tx: Tx, verdicts: Sequence[Any]) -> Sequence[Any]:
    last = verdicts[0] if verdicts else None
    if last is None or last.person_id is None:
        return ()
    return await tx.rows(FILES, person_id=last.person_id, version=last.snapshot_version)


def _opened(desk: Desk, found: Sequence[Any]) -> tuple[Snapshot | None, Snapshot | None]:
    """The file as it was judged by last, and as it was last answered: the one that says whose it is today."""
    if not found:
        return None, None
    key, current = bytes(found[0].sector_key), bytes(found[0].current)
    judged = found[0].judged
    return desk.snapshots.open(key, bytes(judged)) if judged else None, desk.snapshots.open(key, current)


def _units(sight: Sight, row: Any, sent: Completion | None, file: Snapshot | None) -> CaseUnits:
    claimed = claimed_unit(sent) if sent else row.claimed_unit
    return CaseUnits(
        claimed=claimed,
        department=department_of(sight.units, claimed, row.department, sight.today),
        registry=file.unit_code if file else None,
        is_verified=file is not None and is_verified(row),
        vendor_id=row.vendor_id,
    )


def _unit_code(sight: Sight, units: CaseUnits) -> str | None:
    unit = sight.unit(case_unit(sight.units, units, sight.today))
    return unit.code if unit else None


async def _hits(
    desk: Desk, sight: Sight, row: Any, sent: Completion | None, verdicts: Sequence[Any]
) -> tuple[Hit, ...]:
    """The files among which an approver may choose: as last answered, nothing is asked for this."""
    if sent is None or not sight.may("case.values_on_file"):
        return ()
    claim = sent.claim
    if verdicts and verdicts[0].link_version is not None:
        account = desk.accounts.account(row.vendor_id, row.vendor, claim.lms_user_id)
        if link := await desk.accounts.link_of(account, verdicts[0].link_version):
            claim = claim.replace(identifier=link.identifier)
    known = await desk.snapshots.find(keys_of(claim))
    files: dict[int, Snapshot] = {}
    for answer in known.values():
        files |= {answer.people[hit.sector_id].id: hit for hit in answer.answer.hits}
    return tuple(
        Hit(person_id, file if sight.covers(file.unit_code) else None)
        for person_id, file in sorted(files.items())
    )


def _near(sight: Sight, findings: Sequence[Finding]) -> NearMiss | None:
    """Only for who covers that person's unit; a hint without one is nobody's."""
    for finding in findings:
        unit = finding.detail.get("unit")
        if finding.code == NEAR_MISS and unit and sight.covers(str(unit)):
            if not sight.may("case.values_on_file"):
                return None
            return NearMiss(str(finding.detail["masked"]), str(finding.detail["slip"]))
    return None


def _record(row: Any, id_: int) -> Record:
    return Record(row.module_code, row.school_year, row.sent_id == id_, row.winner_id not in (None, id_))


def _ruling(row: Any) -> Ruling:
    return Ruling(row.at_ms, row.actor, row.act, bytes(row.note_sealed))


def _bytes(value: Any) -> bytes | None:
    return None if value is None else bytes(value)
