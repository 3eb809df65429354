"""The rows of one completion, from arrival to delivery, in the fewest and plainest statements."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from gateway.storage.sqlite import AUTOCHECKPOINT_PAGES

Cells = Sequence[tuple[Any, ...]]
TABLES = (
    "deliveries", "payloads", "people", "snapshots", "lookups", "claimants", "records", "verifications",
    "attempts",
)  # fmt: skip

_INTAKE = "INSERT INTO intake (vendor_id, day, kind, n, at_ms) VALUES (?, ?, 'received', ?, ?)"
_DELIVERIES = """
INSERT INTO deliveries (id, vendor_id, event_id, revision, kind, digest, received_at_ms, day, lane, state,
                        due_at_ms, changed_at_ms)
VALUES (?, ?, ?, ?, 'completion', ?, ?, ?, ?, 'accepted', ?, ?)"""
_PAYLOADS = "INSERT INTO payloads (delivery_id, body) VALUES (?, ?)"
_CLAIM = """
UPDATE deliveries SET due_at_ms = :until, fence = fence + 1, claims = claims + 1 WHERE id IN (
    SELECT id FROM deliveries WHERE state = 'accepted' AND lane = :lane AND due_at_ms <= :now
    ORDER BY due_at_ms, id LIMIT :limit)
RETURNING id, event_id, revision"""
_LOAD = "SELECT body FROM payloads WHERE delivery_id BETWEEN ? AND ? ORDER BY delivery_id"
_PEOPLE = """
INSERT INTO people (id, sector_key, version, digest, snapshot_sealed, fetched_at_ms)
VALUES (?, ?, 1, ?, ?, ?)"""
_SNAPSHOTS = "INSERT INTO snapshots (person_id, version, sealed, fetched_at_ms) VALUES (?, 1, ?, ?)"
_LOOKUPS = "INSERT INTO lookups (key, person_ids, fetched_at_ms) VALUES (?, ?, ?)"
_CLAIMANTS = """
INSERT INTO claimants (vendor_id, person_id, account_key, sealed, delivery_id, at_ms)
VALUES (?, ?, ?, ?, ?, ?)"""
_RECORDS = """
INSERT INTO records (id, person_id, module_code, school_year, record_revision, winner_id, sent_revision)
VALUES (?, ?, ?, ?, 1, ?, 0)"""
_VERIFICATIONS = """
INSERT INTO verifications (delivery_id, at_ms, verified, rung, person_id, snapshot_version, age_ms,
                           policy_version, findings)
VALUES (?, ?, 1, ?, ?, 1, ?, ?, ?)"""
_ATTEMPTS = """
INSERT INTO attempts (delivery_id, at_ms, stage, trigger, outcome, to_state, http_status, duration_ms,
                      request_hash)
VALUES (?, ?, ?, 'automatic', ?, ?, ?, ?, ?)"""
_VERIFIED = """
UPDATE deliveries SET state = 'verified', due_at_ms = ?, fence = fence + 1, tries = 0, claims = 1,
       unknown_since_ms = ?, person_id = ?, record_id = ?, rank = ?, changed_at_ms = ?
WHERE id = ? AND state = 'accepted'"""
_DELIVERED = """
UPDATE deliveries SET state = 'delivered', due_at_ms = NULL, fence = fence + 1, claims = 0,
       unknown_since_ms = NULL, changed_at_ms = ?
WHERE id = ? AND state = 'verified'"""
_ACKNOWLEDGED = "UPDATE records SET sent_id = ?, sent_revision = 1, temis_record_id = ? WHERE id = ?"


class Arrived(NamedTuple):
    """Rows of one accepted batch."""

    intake: Cells
    deliveries: Cells
    payloads: Cells


class Verified(NamedTuple):
    """Rows of one judged batch."""

    people: Cells
    snapshots: Cells
    lookups: Cells
    claimants: Cells
    records: Cells
    verifications: Cells
    attempts: Cells
    deliveries: Cells


class Delivered(NamedTuple):
    """Rows of one acknowledged batch."""

    deliveries: Cells
    attempts: Cells
    records: Cells


class Rows:
    """One SQLite file with the gateway's schema and the gateway's pragmas: WAL, an fsync at each commit."""

    def __init__(self, file: Path) -> None:
        self._connection = sqlite3.connect(file, isolation_level=None)
        for pragma in (
            "journal_mode=WAL", "synchronous=FULL", "temp_store=MEMORY", "cache_size=-65536",
            f"wal_autocheckpoint={AUTOCHECKPOINT_PAGES}",
        ):  # fmt: skip
            self._connection.execute(f"PRAGMA {pragma}")

    @property
    def syncs_each_commit(self) -> bool:
        return bool(self._connection.execute("PRAGMA synchronous").fetchone()[0] == 2)

    @contextmanager
    def _commit(self) -> Iterator[sqlite3.Connection]:
        self._connection.execute("BEGIN IMMEDIATE")
        yield self._connection
        self._connection.execute("COMMIT")

    def accept(self, cells: Arrived) -> None:
        with self._commit() as db:
            db.executemany(_DELIVERIES, cells.deliveries)
            db.executemany(_PAYLOADS, cells.payloads)
            db.executemany(_INTAKE, cells.intake)

    def claim(self, lane: int, now: int, limit: int) -> list[tuple[int, str, int, bytes]]:
        """Leases the oldest. Returns: (id, event id, revision, sealed body), by id."""
        with self._commit() as db:
            leased = sorted(
                db.execute(_CLAIM, {"until": now + 60_000, "lane": lane, "now": now, "limit": limit})
            )
        bodies = self._connection.execute(_LOAD, (leased[0][0], leased[-1][0])).fetchall()
        return [(*row, body) for row, (body,) in zip(leased, bodies, strict=True)]

    def verify(self, cells: Verified) -> None:
        """Verdicts and what they rest on; the same commit leases the rows for delivery, as the gateway does."""
        with self._commit() as db:
            db.executemany(_PEOPLE, cells.people)
            db.executemany(_SNAPSHOTS, cells.snapshots)
            db.executemany(_LOOKUPS, cells.lookups)
            db.executemany(_RECORDS, cells.records)
            db.executemany(_VERIFIED, cells.deliveries)
            db.executemany(_ATTEMPTS, cells.attempts)
            db.executemany(_VERIFICATIONS, cells.verifications)
            db.executemany(_CLAIMANTS, cells.claimants)

    def deliver(self, cells: Delivered) -> None:
        with self._commit() as db:
            db.executemany(_DELIVERED, cells.deliveries)
            db.executemany(_ATTEMPTS, cells.attempts)
            db.executemany(_ACKNOWLEDGED, cells.records)

    def counts(self) -> dict[str, int]:
        """Rows by table."""
        return counts(self._connection)

    def count(self, state: str) -> int:
        sql = "SELECT COUNT(*) FROM deliveries WHERE state = ?"
        return int(self._connection.execute(sql, (state,)).fetchone()[0])

    def close(self) -> None:
        self._connection.close()


def counts(connection: sqlite3.Connection) -> dict[str, int]:
    """Rows by table of those that one completion fills."""
    return {name: connection.execute(f"SELECT COUNT(*) FROM {name}").fetchone()[0] for name in TABLES}
