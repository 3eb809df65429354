"""Vendors, their secrets, their courses."""

from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)

from gateway.storage.tables.naming import metadata

vendors = Table(
    "vendors",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("name", Text, nullable=False, unique=True),
    Column("connector", Text, nullable=False),
    Column("lane", Integer, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("paused_at_ms", BigInteger),
    # The terms (queue/terms.py); NULL: not stated, no limit.
    Column("contract_no", Text),
    Column("legal_basis", Text),
    Column("data_fields", Text),
    Column("area", Text),
    Column("licence_no", Text),
    Column("valid_from", Integer),  # yyyymmdd in Việt Nam, both included
    Column("valid_to", Integer),
    Column("addresses", Text),  # networks, separated by commas
    Column("cert_sha256", Text),
    Column("per_min", Integer),
    Column("department", Text),  # the unit whose cases they are when the claim names none
    Column("paused_by", Text),
    Column("paused_reason", Text),
)

vendor_secrets = Table(
    "vendor_secrets",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("vendor_id", Integer, nullable=False, index=True),
    Column("secret_sealed", LargeBinary, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("expires_at_ms", BigInteger),
    Column("last_used_at_ms", BigInteger),  # to the minute
)

# xAPI statements that were voided; the voided one may come later.
xapi_voids = Table(
    "xapi_voids",
    metadata,
    Column("vendor_id", Integer, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("vendor_id", "event_id"),
)

# Processes that serve sources: each takes its share of their limits.
servers = Table(
    "servers",
    metadata,
    Column("holder", Text, primary_key=True),
    Column("seen_at_ms", BigInteger, nullable=False),
)

# Vendors that are asked because they only offer a list API (queue/polls.py).
polls = Table(
    "polls",
    metadata,
    Column("vendor_id", Integer, primary_key=True, autoincrement=False),
    Column("url", Text, nullable=False),
    Column("key_sealed", LargeBinary, nullable=False),
    Column("every_s", Integer, nullable=False),
    Column("overlap_s", Integer, nullable=False),
    Column("page_items", Integer, nullable=False),
    Column("per_min", Integer, nullable=False),
    Column("since_ms", BigInteger, nullable=False),
    Column("token", Text),  # the next page of a round that is under way
    Column("until_ms", BigInteger),  # up to when that round will have been complete
    Column("polled_at_ms", BigInteger, nullable=False),
    Column("fault", Text),
)

courses = Table(
    "courses",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("vendor_id", Integer, nullable=False),
    Column("course_key", Text, nullable=False),  # the vendor's course id
    Column("course_code", Text),
    Column("title", Text),
    Column("module_code", Text),  # NULL: not mapped yet
    Column("pass_mark_hundredths", Integer),  # NULL: the module's
    Column("periods", Integer),
    Column("mapped_at_ms", BigInteger),
    Column("organiser_code", Text),  # the unit that runs it and sees its learners; NULL: nobody
    UniqueConstraint("vendor_id", "course_key"),
)
