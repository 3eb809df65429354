"""What operators' duties and lists ask again and again uses an index, on both engines."""

import re

import pytest

from gateway.queue import accept, alerts, pausing
from gateway.stages import backlog, cause_watch, deadline_watch, incidents
from gateway.storage.engine import Database
from tests.builders import NOON, an_arrival

ROWS = 20_000


@pytest.fixture
async def full(db: Database) -> Database:
    """20 000 deliveries, nine in ten delivered, each with two attempts and a case."""
    for start in range(0, ROWS, 1_000):
        part = [an_arrival(f"e{i:06}") for i in range(start, start + 1_000)]
        await db.write(lambda tx, part=part: accept.store(tx, part, [], NOON))
    for sql in (
        "UPDATE deliveries SET state = 'delivered', due_at_ms = NULL WHERE id % 10 <> 0",
        "UPDATE deliveries SET state = 'verified' WHERE id % 20 = 0",
        'INSERT INTO attempts (delivery_id, at_ms, stage, "trigger", outcome, to_state) '
        "SELECT id, 0, 'verify', 'automatic', 'verified', 'verified' FROM deliveries",
        'INSERT INTO attempts (delivery_id, at_ms, stage, "trigger", outcome, to_state) '
        "SELECT id, 0, 'deliver', 'automatic', 'temis.created', 'delivered' FROM deliveries",
        "INSERT INTO cases (delivery_id, vendor_id, received_at_ms, state, account_key, course_key, "
        "school_code, department_code) "
        "SELECT id, 1, 0, state, digest, 'c', 's' || (id % 300), 'd' || (id % 30) FROM deliveries",
        "INSERT INTO alerts (at_ms, kind, severity, object, detail) "
        "SELECT 0, 'k', 'info', 'o', '{}' FROM deliveries",
    ):
        await db.write(lambda tx, sql=sql: tx.run(sql))
    async with db.engine.connect() as connection:
        await connection.exec_driver_sql("ANALYZE")
        await connection.commit()
    return db


async def plan(db: Database, sql: str, **parameters) -> str:
    word = "EXPLAIN QUERY PLAN " if db.dialect == "sqlite" else "EXPLAIN "
    async with db.read() as tx:
        return "\n".join(str(row[-1]) for row in await tx.rows(word + sql, **parameters))


def scans(text: str) -> bool:
    """Whether a plan reads a large table from its first row to its last."""
    whole = r"^SCAN [acd]\b(?!.*INDEX)|Seq Scan on (attempts|deliveries|cases|alerts)\b"
    return re.search(whole, text, re.M) is not None


async def test_what_is_asked_again_and_again_uses_an_index(full):
    """Following the log costs what has happened, counting what waits; nothing reads all that ever came."""
    async with full.read() as tx:
        x = tx.json_rows(("vendor_id", "int"), ("state", "text"), ("source", "int"), ("target", "int"))
        packed = tx.pack([(1, "accepted", 3, -13)])
    span = {"after": 2 * ROWS - 400, "upto": 2 * ROWS - 200}
    department = {"code": "d3"}
    asked = [
        (cause_watch.COUNTS, span, ""),
        (cause_watch.FAILED, span, ""),
        (cause_watch.WENT_ON.format(whose=cause_watch._LINKED), span, ""),
        (cause_watch.LATENCIES, span, ""),
        (deadline_watch.COUNT.format(column="department_code"), department, "ix_cases_"),
        (deadline_watch.AT_RISK.format(column="department_code"), department | {"after": 0}, "ix_cases_"),
        (deadline_watch.AT_RISK_ALL, {"after": 0}, "ix_deliveries_due"),
        (backlog.COUNT.format(state="verified"), {}, "ix_deliveries_due"),
        (incidents.WAITING.format(state="verified"), {}, "ix_deliveries_due"),
        (alerts.DUE, {"now": NOON, "limit": 50}, "ix_alerts_due"),
        (pausing.MOVABLE.format(x=x), {"rows": packed}, "ix_deliveries_due"),
    ]
    for sql, fill, index in asked:
        found = await plan(full, sql, **fill)
        assert index in found, f"{sql}\n{found}"
        assert not scans(found), f"{sql}\n{found}"
