"""Callbacks that vendors registered, and what each of them is told."""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, Text, UniqueConstraint, text

from gateway.storage.tables.naming import Id, metadata

callbacks = Table(
    "callbacks",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("vendor_id", Integer, nullable=False, index=True),
    Column("url", Text, nullable=False),
    Column("secret_sealed", LargeBinary, nullable=False),
    Column("events", Text, nullable=False),  # names, separated by spaces
    Column("state", Text, nullable=False),  # unproved | active | paused | disabled | removed
    Column("reason", Text),  # of a pause: vendor | failing; of a disabled one: gone
    Column("position", BigInteger, nullable=False),  # how far it has been told the change feed
    Column("failing_since_ms", BigInteger),  # the first failure after the last success
    Column("created_at_ms", BigInteger, nullable=False),
    Column("changed_at_ms", BigInteger, nullable=False),
)

callback_deliveries = Table(
    "callback_deliveries",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("callback_id", Integer, nullable=False),
    Column("seq", BigInteger, nullable=False),  # the change's place in the feed
    Column("event", Text, nullable=False),
    Column("delivery_id", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),  # when it changed
    Column("state", Text, nullable=False),  # of the completion, at that time
    Column("outcome", Text, nullable=False),
    Column("due_at_ms", BigInteger),  # NULL: told, or given up
    Column("tries", Integer, nullable=False, server_default=text("0")),
    Column("first_tried_at_ms", BigInteger),
    Column("told_at_ms", BigInteger),
    Column("http_status", Integer),  # of the last try
    Column("error", Text),
    UniqueConstraint("callback_id", "seq", "event"),
)
Index(
    "ix_callback_deliveries_due",
    callback_deliveries.c.callback_id,
    callback_deliveries.c.due_at_ms,
    callback_deliveries.c.id,
    sqlite_where=callback_deliveries.c.due_at_ms.isnot(None),
    postgresql_where=callback_deliveries.c.due_at_ms.isnot(None),
)
