"""What operators do to deliveries: replays with their lineage, discards that can be taken back, edits."""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, PrimaryKeyConstraint, Table, Text

from gateway.storage.tables.naming import Id, metadata

# A replay's pause; the replay itself is a row of `jobs`.
replay_pauses = Table(
    "replay_pauses",
    metadata,
    Column("job_id", Id, primary_key=True, autoincrement=False),
    Column("paused_at_ms", BigInteger, nullable=False),
    Column("paused_by", Text, nullable=False),
)

# Which deliveries a replay set going, in what order, and what they had failed with until then.
replayed = Table(
    "replayed",
    metadata,
    Column("job_id", BigInteger, nullable=False),
    Column("n", Integer, nullable=False),
    Column("delivery_id", BigInteger, nullable=False),
    Column("was_state", Text, nullable=False),
    Column("was_reason", Text),
    Column("at_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("job_id", "n"),
    Index("ix_replayed_delivery", "delivery_id"),
)

# Where a discarded delivery came from, so that it can go back there.
discards = Table(
    "discards",
    metadata,
    Column("delivery_id", Id, primary_key=True, autoincrement=False),
    Column("was_state", Text, nullable=False),
    Column("was_reason", Text),
    Column("was_owner", Text),
    Column("why", Text, nullable=False),
    Column("discarded_by", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
)

# A proposed or decided edit of identifier, course or school year. The body as it was stays with it.
edits = Table(
    "edits",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("delivery_id", BigInteger, nullable=False),
    Column("version", Integer, nullable=False),
    Column("fields", Text, nullable=False),  # JSON: names of what changes
    Column("change_sealed", LargeBinary, nullable=False),
    Column("before_sealed", LargeBinary),  # the payload until then; NULL: not approved
    Column("why", Text, nullable=False),
    Column("proposed_by", Text, nullable=False),
    Column("proposed_at_ms", BigInteger, nullable=False),
    Column("decided_by", Text),
    Column("decided_at_ms", BigInteger),
    Column("decision", Text),  # approved | rejected
    Index("ix_edits_delivery", "delivery_id", "version", unique=True),
)
