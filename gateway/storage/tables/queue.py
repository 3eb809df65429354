"""Deliveries and what belongs to them: the ledger, payloads, records, waits, attempts, quarantine."""

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from gateway.storage.tables.naming import Id, metadata

# Append-only: one row per commit, vendor, day and kind. What the balance is checked against.
intake = Table(
    "intake",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("vendor_id", Integer, nullable=False),
    Column("day", Integer, nullable=False),  # yyyymmdd in Việt Nam
    Column("kind", Text, nullable=False),
    Column("n", Integer, nullable=False),
    Column("courses", Text, nullable=False, server_default=text("'{}'")),  # JSON: course number -> of n
    Column("at_ms", BigInteger, nullable=False),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("vendor_id", Integer, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("course", BigInteger, nullable=False, server_default=text("0")),  # model/course_number.py
    Column("digest", LargeBinary, nullable=False),
    Column("received_at_ms", BigInteger, nullable=False),
    Column("day", Integer, nullable=False),
    Column("lane", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("due_at_ms", BigInteger),  # NULL: nothing to do until somebody acts
    Column("fence", Integer, nullable=False, server_default=text("0")),
    Column("tries", Integer, nullable=False, server_default=text("0")),
    Column("claims", Integer, nullable=False, server_default=text("0")),
    Column("unknown_since_ms", BigInteger),
    Column("reason", Text),
    Column("owner", Text),
    Column("person_id", BigInteger),
    Column("record_id", BigInteger),
    Column("rank", BigInteger),
    Column("superseded_by", BigInteger),
    Column("changed_at_ms", BigInteger, nullable=False),
    UniqueConstraint("vendor_id", "event_id", "revision", "kind"),
)
# Only rows that something is due for; a finished row leaves the index, so it stays as small as the backlog.
Index(
    "ix_deliveries_due",
    deliveries.c.state,
    deliveries.c.lane,
    deliveries.c.due_at_ms,
    deliveries.c.id,
    sqlite_where=deliveries.c.due_at_ms.isnot(None),
    postgresql_where=deliveries.c.due_at_ms.isnot(None),
)
Index(
    "ix_deliveries_record",
    deliveries.c.record_id,
    sqlite_where=deliveries.c.record_id.isnot(None),
    postgresql_where=deliveries.c.record_id.isnot(None),
)
for _state in ("held", "dead"):
    Index(
        f"ix_deliveries_{_state}",
        deliveries.c.reason,
        deliveries.c.id,
        sqlite_where=text(f"state = '{_state}'"),
        postgresql_where=text(f"state = '{_state}'"),
    )
    Index(
        f"ix_deliveries_{_state}_of_vendor",
        deliveries.c.vendor_id,
        deliveries.c.id,
        sqlite_where=text(f"state = '{_state}'"),
        postgresql_where=text(f"state = '{_state}'"),
    )

payloads = Table(
    "payloads",
    metadata,
    Column("delivery_id", Id, primary_key=True, autoincrement=False),
    Column("body", LargeBinary, nullable=False),  # sealed: canonical completion + item as sent
)

records = Table(
    "records",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("person_id", BigInteger, nullable=False),
    Column("module_code", Text, nullable=False),
    Column("school_year", Text, nullable=False),
    Column("record_revision", Integer, nullable=False),  # what TEMIS sees; only ever rises
    Column("winner_id", BigInteger),  # the delivery whose result should stand in TEMIS
    Column("sent_id", BigInteger),  # the delivery whose result TEMIS last acknowledged
    Column("sent_revision", Integer, nullable=False),
    Column("temis_record_id", Text),
    UniqueConstraint("person_id", "module_code", "school_year"),
)

waits = Table(
    "waits",
    metadata,
    Column("delivery_id", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("key", Text, nullable=False),  # a blind index in hex where the thing is a person or an account
    PrimaryKeyConstraint("delivery_id", "kind", "key"),
    Index("ix_waits_kind_key", "kind", "key", "delivery_id"),
)

wakes = Table(
    "wakes",
    metadata,
    Column("seq", Id, primary_key=True, autoincrement=True),
    Column("kind", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
)

attempts = Table(
    "attempts",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("delivery_id", BigInteger, nullable=False, index=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("stage", Text, nullable=False),
    Column("trigger", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("to_state", Text),  # NULL: the state did not change
    Column("http_status", Integer),
    Column("duration_ms", Integer),
    Column("request_hash", Text),
    Column("excerpt_sealed", LargeBinary),
    Column("answer", Text),  # what the destination said to a failed call, folded and redacted
    Column("late", Integer, nullable=False, server_default=text("0")),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("vendor_id", Integer, nullable=False, index=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),  # quarantined | invalid | conflict | unsupported | stale
    Column("event_id", Text),
    Column("faults", Text, nullable=False),  # JSON: paths and codes
    Column("body_sealed", LargeBinary, nullable=False),
)
