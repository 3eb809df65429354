"""What was read back from TEMIS and compared with what we believe stands there."""

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text, text

from gateway.storage.tables.naming import Id, metadata

# One walk over the records: what it looks at, how far it is, what it has found. Continued after a crash.
reconciliations = Table(
    "reconciliations",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("started_at_ms", BigInteger, nullable=False),
    Column("ended_at_ms", BigInteger),  # NULL: under way
    Column("ended", Text),  # done | cancelled
    Column("started_by", Text, nullable=False),  # a login, `machine:` and the account, or `schedule`
    Column("vendor_id", Integer),
    Column("module_code", Text),
    Column("since_ms", BigInteger),
    Column("cursor", BigInteger, nullable=False, server_default=text("0")),  # the last record looked at
    Column("last_id", BigInteger, nullable=False),  # the last record there was at the start
    *(
        Column(name, Integer, nullable=False, server_default=text("0"))
        for name in ("same", "missing", "different", "unexpected", "moving", "healed")
    ),
)

# A record of which TEMIS shows something else than we believe. Names of fields only, never a value.
discrepancies = Table(
    "discrepancies",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("reconciliation_id", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),  # missing | different | unexpected
    Column("record_id", BigInteger, nullable=False),
    Column("delivery_id", BigInteger),  # whose result should stand there, or did last
    Column("fields", Text, nullable=False),  # JSON: names of the fields that differ
    Column("our_revision", Integer, nullable=False),
    Column("temis_revision", Integer),  # NULL: TEMIS has nothing
    Column("requeued", Integer, nullable=False),  # 1: it was sent again because of this
    Index("ix_discrepancies_run", "reconciliation_id", "id"),
)
