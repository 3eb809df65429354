"""What the processes share: data keys, cursors, leases, destinations."""

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, Table, Text

from gateway.storage.tables.naming import metadata

data_keys = Table(
    "data_keys",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("month", Integer, nullable=False, unique=True),  # yyyymm
    Column("master_id", Text, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
)

# How far a feed has been read; committed together with what followed from it.
cursors = Table(
    "cursors",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),  # the feed has been read completely up to this moment
)

# Who may do what only one process may do. `fence` rises with each new holder.
leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("fence", Integer, nullable=False),
    Column("until_ms", BigInteger, nullable=False),
)

destinations = Table(
    "destinations",
    metadata,
    Column("name", Text, primary_key=True),
    Column("paused_at_ms", BigInteger),
    Column("paused_by", Text),
    Column("paused_reason", Text),
)
