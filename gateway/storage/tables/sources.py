"""Vendors, their secrets, their courses."""

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, Table, Text, UniqueConstraint

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
    UniqueConstraint("vendor_id", "course_key"),
)
