"""Streams of vendors: how far each is committed, and a receipt for every line that was not plainly accepted."""

from sqlalchemy import BigInteger, Column, Integer, PrimaryKeyConstraint, Table, Text, UniqueConstraint

from gateway.storage.tables.naming import Id, metadata

streams = Table(
    "streams",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("vendor_id", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("epoch", Integer, nullable=False),  # rises each time it is opened; older ones commit nothing more
    Column("line", BigInteger, nullable=False),  # committed up to and including this line, counted from 1
    Column("opened_at_ms", BigInteger, nullable=False),
    Column("changed_at_ms", BigInteger, nullable=False),
    UniqueConstraint("vendor_id", "name"),
)

stream_receipts = Table(
    "stream_receipts",
    metadata,
    Column("stream_id", BigInteger, nullable=False),
    Column("line", BigInteger, nullable=False),
    Column("status", Text, nullable=False),
    Column("event_id", Text),
    Column("delivery_id", BigInteger),
    Column("faults", Text, nullable=False),  # JSON: paths and codes
    PrimaryKeyConstraint("stream_id", "line"),
)
