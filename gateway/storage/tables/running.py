"""What the processes share: data keys, cursors, leases, destinations."""

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, PrimaryKeyConstraint, Table, Text, text

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
    # A pause by a person; only a person ends it.
    Column("paused_at_ms", BigInteger),
    Column("paused_by", Text),
    Column("paused_reason", Text),
    Column("rate_milli", BigInteger),  # calls in 1000 s, as chosen at resume; NULL: as configured
    # What the breakers of all processes know together.
    Column("state", Text, nullable=False, server_default=text("'closed'")),
    Column("since_ms", BigInteger),  # when it left `closed`
    Column("until_ms", BigInteger),  # nobody calls before this moment
    Column("error", Text),
    Column("http_status", Integer),
    Column("holder", Text),  # the process that wrote this: it probes first
    Column("version", Integer, nullable=False, server_default=text("0")),
)

# What all processes count together (gateway/storage/tallies.py). Keys of people and accounts are blind indexes.
tallies = Table(
    "tallies",
    metadata,
    Column("kind", Text, nullable=False),
    Column("period", BigInteger, nullable=False),  # the number of the hour or day since 1970
    Column("key", Text, nullable=False),
    Column("item", Text, nullable=False),  # what is counted once; empty: a plain count
    Column("n", Integer, nullable=False),
    PrimaryKeyConstraint("kind", "period", "key", "item"),
)
