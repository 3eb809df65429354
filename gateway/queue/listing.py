"""Deliveries as people look at them: lists by filter, page by page, and all there is about one.

No payload is opened and no personal value is read: codes, ids of the vendor and times only.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.model.errors import NotFound
from gateway.model.states import State
from gateway.model.verdict import Finding
from gateway.queue.findings import unpack_findings
from gateway.queue.vendors import names_in
from gateway.storage.engine import Database, Tx

PAGE = 50
ATTEMPTS = 50  # of the latest; a long outage leaves hundreds

_COLUMNS = """d.id, d.vendor_id, d.event_id, d.revision, d.kind, d.state, d.reason, d.owner, d.tries,
       d.received_at_ms, d.changed_at_ms, d.due_at_ms, d.superseded_by, d.unknown_since_ms, d.record_id"""
ATTEMPTS_OF = """
SELECT at_ms, stage, trigger, outcome, to_state, http_status, duration_ms, late, request_hash
FROM attempts WHERE delivery_id = :id ORDER BY id DESC LIMIT :limit"""
VERDICT_OF = """
SELECT at_ms, verified, reason, rung, age_ms, policy_version, findings
FROM verifications WHERE delivery_id = :id ORDER BY id DESC LIMIT 1"""
RECORD_OF = """
SELECT module_code, school_year, record_revision, temis_record_id, winner_id, sent_id
FROM records WHERE id = :id"""


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list shows; everything given must hold. `event_id` and `reason` are compared as they are.

    A cause, or else a module, leads to the rows along its own index.
    """

    state: State | None = None
    vendor_id: int | None = None
    reason: str | None = None
    event_id: str | None = None
    cause_id: int | None = None
    module_code: str | None = None  # of the cases, which follow the queue a moment later


@dataclass(frozen=True, slots=True)
class Line:
    """One delivery in a list."""

    id: int
    vendor: str
    event_id: str
    revision: int
    kind: str
    state: State
    reason: str | None
    owner: str | None
    tries: int
    received_at_ms: int
    changed_at_ms: int
    due_at_ms: int | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One entry of the attempt log. `to_state` None: the state did not change."""

    at_ms: int
    stage: str
    trigger: str
    outcome: str
    to_state: str | None
    http_status: int | None
    duration_ms: int | None
    late: bool
    request_hash: str | None = None  # equal for two attempts that sent the same


@dataclass(frozen=True, slots=True)
class LastVerdict:
    """The latest judgement. `age_ms` 0: the sector database was asked for this very one."""

    at_ms: int
    verified: bool
    reason: str | None
    rung: int | None
    age_ms: int
    policy_version: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """The BDTX record that a delivery belongs to."""

    module_code: str
    school_year: str
    revision: int
    temis_record_id: str | None
    stands: bool  # whether TEMIS shows this delivery's result


@dataclass(frozen=True, slots=True)
class Detail:
    """Everything about one delivery. `waits` counts by kind; `courses` are the course ids waited for."""

    line: Line
    is_outcome_unknown: bool
    superseded_by: int | None
    record: Record | None
    verdict: LastVerdict | None
    attempts: tuple[Attempt, ...]  # oldest first, the latest ATTEMPTS of them
    waits: Mapping[str, int]
    courses: tuple[str, ...]


async def list_deliveries(db: Database, wanted: Filter, *, after: int = 0, limit: int = PAGE) -> list[Line]:
    """0..limit deliveries with an id above `after`, ordered by id."""
    async with db.read() as tx:
        names = await names_in(tx)
        rows = await _page(tx, wanted, after, limit)
    return [_line(row, names) for row in rows]


async def latest_deliveries(
    db: Database, wanted: Filter, *, before: int | None = None, limit: int = PAGE
) -> list[Line]:
    """0..limit deliveries with an id below `before`, newest first."""
    sql, fill = page_of(wanted, newest_first=True)
    async with db.read() as tx:
        names = await names_in(tx)
        rows = await tx.rows(sql, **fill, after=before or 2**62, limit=limit)
    return [_line(row, names) for row in rows]


async def read_deliveries(db: Database, ids: Sequence[int]) -> list[Line]:
    """Those among `ids` that exist, newest first."""
    async with db.read() as tx:
        names = await names_in(tx)
        x = tx.json_rows(("id", "int"))
        sql = f"SELECT {_COLUMNS} FROM {x} JOIN deliveries d ON d.id = x.id ORDER BY d.id DESC"
        rows = await tx.rows(sql, rows=tx.pack([(id_,) for id_ in sorted(set(ids))]))
    return [_line(row, names) for row in rows]


async def ids_of(db: Database, wanted: Filter, *, after: int, limit: int) -> list[int]:
    """The ids alone, for work page by page."""
    async with db.read() as tx:
        return [row.id for row in await _page(tx, wanted, after, limit)]


async def count(db: Database, wanted: Filter) -> int:
    """How many deliveries the filter finds now."""
    where, fill = _where(wanted)
    async with db.read() as tx:
        [row] = await tx.rows(f"SELECT COUNT(*) AS n FROM {_source(wanted)[0]} WHERE {where}", **fill)
    return int(row.n)


async def states_of(db: Database, ids: Sequence[int]) -> dict[int, State]:
    """The states of those among `ids` that exist."""
    async with db.read() as tx:
        x = tx.json_rows(("id", "int"))
        rows = await tx.rows(
            f"SELECT d.id, d.state FROM {x} JOIN deliveries d ON d.id = x.id",
            rows=tx.pack([(id_,) for id_ in ids]),
        )
    return {row.id: State(row.state) for row in rows}


async def find_delivery(db: Database, id_: int) -> Detail:
    """All there is about one. Raises: NotFound."""
    async with db.read() as tx:
        found = await tx.rows(f"SELECT {_COLUMNS} FROM deliveries d WHERE d.id = :id", id=id_)
        if not found:
            raise NotFound(f"there is no delivery {id_}")
        row = found[0]
        records = await tx.rows(RECORD_OF, id=row.record_id) if row.record_id is not None else []
        verdicts = await tx.rows(VERDICT_OF, id=id_)
        attempts = await tx.rows(ATTEMPTS_OF, id=id_, limit=ATTEMPTS)
        waits = await tx.rows("SELECT kind, key FROM waits WHERE delivery_id = :id ORDER BY kind, key", id=id_)
        superseded_by = row.superseded_by or await _successor(tx, row)
        names = await names_in(tx)
    is_held = row.state == State.HELD  # waits of an earlier hold mean nothing any more
    return Detail(
        line=_line(row, names),
        is_outcome_unknown=row.unknown_since_ms is not None,
        superseded_by=superseded_by,
        record=_record(records[0], id_) if records else None,
        verdict=_verdict(verdicts[0]) if verdicts else None,
        attempts=tuple(_attempt(attempt) for attempt in reversed(attempts)),
        waits=Counter(wait.kind for wait in waits) if is_held else {},
        courses=tuple(w.key.partition(":")[2] for w in waits if w.kind == "course") if is_held else (),
    )


async def _successor(tx: Tx, row: Any) -> int | None:
    """What stands in the place of a voided row that does not say so itself: it was found so before sending."""
    if row.state != State.VOIDED:
        return None
    if row.reason == "replaced":
        sql = (
            "SELECT MAX(id) AS id FROM deliveries WHERE vendor_id = :vendor_id AND event_id = :event_id "
            "AND kind = 'completion' AND revision > :revision"
        )
        fill = {"vendor_id": row.vendor_id, "event_id": row.event_id, "revision": row.revision}
    elif row.reason == "superseded" and row.record_id is not None:
        sql, fill = "SELECT winner_id AS id FROM records WHERE id = :id", {"id": row.record_id}
    else:
        return None
    [found] = await tx.rows(sql, **fill)
    return None if found.id == row.id else found.id


async def _page(tx: Tx, wanted: Filter, after: int, limit: int) -> Sequence[Any]:
    sql, fill = page_of(wanted)
    return await tx.rows(sql, **fill, after=after, limit=limit)


def page_of(wanted: Filter, *, newest_first: bool = False) -> tuple[str, dict[str, int | str]]:
    """The statement of one page, with :after and :limit, and what the filter fills in."""
    where, fill = _where(wanted)
    source, key = _source(wanted)
    ahead = f"{key} < :after ORDER BY {key} DESC" if newest_first else f"{key} > :after ORDER BY {key}"
    return f"SELECT {_COLUMNS} FROM {source} WHERE {where} AND {ahead} LIMIT :limit", fill


def _source(wanted: Filter) -> tuple[str, str]:
    """What is walked, and by which column."""
    if wanted.cause_id is not None:
        return "delivery_causes c JOIN deliveries d ON d.id = c.delivery_id", "c.delivery_id"
    if wanted.module_code is not None:
        return "cases k JOIN deliveries d ON d.id = k.delivery_id", "k.delivery_id"
    return "deliveries d", "d.id"


def _where(wanted: Filter) -> tuple[str, dict[str, int | str]]:
    parts: list[str] = []
    fill: dict[str, int | str] = {}
    if wanted.state is not None:
        # Literal: a partial index is not used for a bound state.
        parts.append(f"d.state = '{State(wanted.state).value}'")
    if wanted.event_id is not None:
        # Vendor and event id are an index; without a vendor each one's is asked.
        parts.append("d.event_id = :event_id AND d.vendor_id IN (SELECT id FROM vendors)")
        fill["event_id"] = wanted.event_id
    if wanted.vendor_id is not None:
        parts.append("d.vendor_id = :vendor_id")
        fill["vendor_id"] = wanted.vendor_id
    if wanted.reason is not None:
        parts.append("d.reason = :reason")
        fill["reason"] = wanted.reason
    if wanted.cause_id is not None:
        parts.append("c.cause_id = :cause_id")
        fill["cause_id"] = wanted.cause_id
        if wanted.module_code is not None:
            parts.append(
                "EXISTS (SELECT 1 FROM cases k WHERE k.delivery_id = d.id AND k.module_code = :module_code)"
            )
    elif wanted.module_code is not None:
        parts.append("k.module_code = :module_code")
    if wanted.module_code is not None:
        fill["module_code"] = wanted.module_code
    return " AND ".join(parts) or "1 = 1", fill


def _line(row: Any, names: Mapping[int, str]) -> Line:
    return Line(
        id=row.id,
        vendor=names[row.vendor_id],
        event_id=row.event_id,
        revision=row.revision,
        kind=row.kind,
        state=State(row.state),
        reason=row.reason,
        owner=row.owner,
        tries=row.tries,
        received_at_ms=row.received_at_ms,
        changed_at_ms=row.changed_at_ms,
        due_at_ms=row.due_at_ms,
    )


def _record(row: Any, delivery_id: int) -> Record:
    return Record(
        row.module_code,
        row.school_year,
        row.record_revision,
        row.temis_record_id,
        row.sent_id == delivery_id,
    )


def _verdict(row: Any) -> LastVerdict:
    return LastVerdict(
        row.at_ms,
        bool(row.verified),
        row.reason,
        row.rung,
        row.age_ms,
        row.policy_version,
        unpack_findings(row.findings),
    )


def _attempt(row: Any) -> Attempt:
    return Attempt(
        row.at_ms,
        row.stage,
        row.trigger,
        row.outcome,
        row.to_state,
        row.http_status,
        row.duration_ms,
        bool(row.late),
        row.request_hash,
    )
