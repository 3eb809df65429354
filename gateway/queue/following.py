"""What a vendor's completions are now: one event with its history, lists page by page, the balance of a day.

Each call touches a bounded number of rows, whatever other vendors have sent: a page looks at no more than SPAN
ids beyond its cursor unless an index knows better, and says where it stopped. No payload is opened.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gateway.model.clock import DAY_MS, HOUR_MS
from gateway.model.states import State
from gateway.model.verdict import Verdict
from gateway.queue.balance import Sheet
from gateway.queue.findings import unpack_findings
from gateway.queue.span import ids_between
from gateway.storage.engine import Database, Tx

SPAN = 20_000
HISTORY = 100  # the latest changes of one delivery
REVISIONS = 20  # the latest of one event
_BY_INDEX = (State.HELD, State.DEAD)  # an index knows those of a vendor

_COLUMNS = """d.id, d.event_id, d.revision, d.state, d.reason, d.owner, d.received_at_ms, d.changed_at_ms,
       d.superseded_by"""
EVENT = f"""
SELECT {_COLUMNS} FROM deliveries d
WHERE d.vendor_id = :vendor_id AND d.event_id = :event_id AND d.kind = 'completion'
ORDER BY d.revision DESC LIMIT {REVISIONS}"""
CHANGES = """
SELECT a.delivery_id, a.at_ms, a.outcome, a.to_state FROM {x} JOIN attempts a ON a.delivery_id = x.id
WHERE a.to_state IS NOT NULL ORDER BY a.id DESC LIMIT :limit"""
VERDICT = """
SELECT verified, reason, rung, policy_version, findings FROM verifications
WHERE delivery_id = :id ORDER BY id DESC LIMIT 1"""
PAGE = """
SELECT {columns} FROM deliveries d
WHERE d.vendor_id = :vendor_id AND d.id >= :first{more} AND d.kind = 'completion'
ORDER BY d.id LIMIT :limit"""
ROWS_OF_DAY = """
SELECT d.state, d.kind, COUNT(*) AS n FROM deliveries d
WHERE d.id >= :first AND d.id < :end AND d.vendor_id = :vendor_id AND d.day = :day GROUP BY d.state, d.kind"""
LEDGER_OF_DAY = """
SELECT i.kind, SUM(i.n) AS n FROM intake i
WHERE i.id >= :first AND i.id < :end AND i.vendor_id = :vendor_id AND i.day = :day GROUP BY i.kind"""


@dataclass(frozen=True, slots=True)
class Followed:
    """One delivery as its vendor follows it. `reason` is ours, not yet folded for vendors."""

    id: int
    event_id: str
    revision: int
    state: State
    reason: str | None
    owner: str | None
    received_at_ms: int
    changed_at_ms: int
    superseded_by: int | None


@dataclass(frozen=True, slots=True)
class Change:
    """One change of state. `outcome` is what brought it about, in our own codes."""

    delivery_id: int
    at_ms: int
    state: State
    outcome: str


@dataclass(frozen=True, slots=True)
class Event:
    """All that is followed of one event: its revisions, newest first, and the newest one's latest verdict."""

    revisions: tuple[Followed, ...]
    changes: tuple[Change, ...]  # oldest first, of all revisions
    verdict: Verdict | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list shows; all that is given must hold. `reasons`: any of these codes."""

    state: State | None = None
    reasons: tuple[str, ...] = ()
    since_ms: int | None = None  # received from then on
    until_ms: int | None = None  # received before


@dataclass(frozen=True, slots=True)
class Page:
    """0..limit deliveries by id; `next` is the cursor of the following page, `more` whether to ask at once."""

    rows: tuple[Followed, ...]
    next: int
    more: bool


async def find_event(db: Database, vendor_id: int, event_id: str) -> Event | None:
    """None when this vendor has sent no such event."""
    async with db.read() as tx:
        rows = await tx.rows(EVENT, vendor_id=vendor_id, event_id=event_id)
        if not rows:
            return None
        x = tx.json_rows(("id", "int"))
        ids = tx.pack([(row.id,) for row in rows])
        changes = await tx.rows(CHANGES.format(x=x), rows=ids, limit=HISTORY)
        verdicts = await tx.rows(VERDICT, id=rows[0].id)
    return Event(
        tuple(_followed(row) for row in rows),
        tuple(Change(c.delivery_id, c.at_ms, State(c.to_state), c.outcome) for c in reversed(changes)),
        _verdict(verdicts[0]) if verdicts else None,
    )


async def page(db: Database, vendor_id: int, wanted: Wanted, *, after: int, limit: int) -> Page:
    """The deliveries of one vendor that were made after the cursor, oldest first."""
    async with db.read() as tx:
        [row] = await tx.rows("SELECT COALESCE(MAX(id), 0) + 1 AS beyond FROM deliveries")
        first, end = after + 1, int(row.beyond)
        if wanted.since_ms is not None or wanted.until_ms is not None:
            low, high = await ids_between(tx, "deliveries", wanted.since_ms or 0, wanted.until_ms or 2**62)
            first, end = max(first, low), min(end, high)
        is_bounded = wanted.state not in _BY_INDEX
        stop = min(end, first + SPAN) if is_bounded else end
        rows = await _rows(tx, vendor_id, wanted, first, stop, limit + 1) if first < stop else []
    found = tuple(_followed(row) for row in rows[:limit])
    if len(rows) > limit:
        return Page(found, found[-1].id, more=True)
    return Page(found, max(after, stop - 1), more=stop < end)


async def _rows(tx: Tx, vendor_id: int, wanted: Wanted, first: int, end: int, limit: int) -> Sequence[Any]:
    sql, fill = statement(wanted)
    if wanted.reasons:
        fill["reasons"] = tx.pack([(code,) for code in wanted.reasons])
        sql = sql.replace("{reasons}", tx.json_rows(("code", "text"), parameter="reasons"))
    if ":end" in sql:
        fill["end"] = end
    return await tx.rows(sql, vendor_id=vendor_id, first=first, limit=limit, **fill)


def statement(wanted: Wanted) -> tuple[str, dict[str, int | str]]:
    """The statement of one page and what the filter fills in; `{reasons}` stands for the table of codes."""
    # With an end the planner walks the primary key also where the index of the vendor is better.
    parts = [] if wanted.state in _BY_INDEX else ["d.id < :end"]
    fill: dict[str, int | str] = {}
    if wanted.state is not None:
        # Literal: a partial index is not used for a bound state.
        parts.append(f"d.state = '{State(wanted.state).value}'")
    if wanted.reasons:
        parts.append("d.reason IN (SELECT x.code FROM {reasons})")
    if wanted.since_ms is not None:
        parts.append("d.received_at_ms >= :since_ms")
        fill["since_ms"] = wanted.since_ms
    if wanted.until_ms is not None:
        parts.append("d.received_at_ms < :until_ms")
        fill["until_ms"] = wanted.until_ms
    more = "".join(f" AND {part}" for part in parts)
    return PAGE.replace("{columns}", _COLUMNS).replace("{more}", more), fill


async def balance_of_day(db: Database, vendor_id: int, day: int, begins_ms: int) -> Sheet:
    """The sheet of one vendor and day (yyyymmdd in Việt Nam, which begins at `begins_ms`), in one snapshot."""
    sheet = Sheet()
    async with db.read() as tx:
        for sql, table in ((LEDGER_OF_DAY, "intake"), (ROWS_OF_DAY, "deliveries")):
            first, end = await ids_between(tx, table, begins_ms - HOUR_MS, begins_ms + DAY_MS + HOUR_MS)
            for row in await tx.rows(sql, first=first, end=end, vendor_id=vendor_id, day=day):
                if table == "intake":
                    sheet.arrived[row.kind] += int(row.n)
                elif row.kind == "completion":
                    sheet.states[row.state] += int(row.n)
                else:
                    sheet.withdrawals += int(row.n)
    return sheet


def _followed(row: Any) -> Followed:
    return Followed(
        row.id,
        row.event_id,
        row.revision,
        State(row.state),
        row.reason,
        row.owner,
        row.received_at_ms,
        row.changed_at_ms,
        row.superseded_by,
    )


def _verdict(row: Any) -> Verdict:
    return Verdict(
        verified=bool(row.verified),
        reason=row.reason,
        rung=row.rung,
        policy_version=row.policy_version,
        findings=unpack_findings(row.findings),
    )
