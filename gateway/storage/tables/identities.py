"""What the sector database answered, who claims whom, and what was judged by it."""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, PrimaryKeyConstraint, Table, Text, text

from gateway.storage.tables.naming import Id, metadata

people = Table(
    "people",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("sector_key", LargeBinary, nullable=False, unique=True),  # blind index of the sector id
    Column("version", Integer, nullable=False),  # rises when the content changes
    Column("digest", LargeBinary, nullable=False),
    Column("snapshot_sealed", LargeBinary, nullable=False),
    Column("fetched_at_ms", BigInteger, nullable=False),
)

lookups = Table(
    "lookups",
    metadata,
    Column("key", LargeBinary, primary_key=True),  # blind index of (type, value)
    Column("person_ids", Text, nullable=False),  # JSON array: no hit, one or several
    Column("fetched_at_ms", BigInteger, nullable=False),  # when the question was asked; 0: never
    Column("changed_at_ms", BigInteger, nullable=False, server_default=text("0")),  # heard from the change feed
)
# What every process reads to hear of changes, and what is cleared of people nobody asked about.
Index(
    "ix_lookups_changed",
    lookups.c.changed_at_ms,
    sqlite_where=lookups.c.changed_at_ms > 0,
    postgresql_where=lookups.c.changed_at_ms > 0,
)

# Every version of a person's file that was judged by: the evidence behind verifications.
snapshots = Table(
    "snapshots",
    metadata,
    Column("person_id", BigInteger, nullable=False),
    Column("version", Integer, nullable=False),
    Column("sealed", LargeBinary, nullable=False),  # the same blob as people.snapshot_sealed at that time
    Column("fetched_at_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("person_id", "version"),
)

# An LMS account's link to a person, as its vendor confirmed it at save. A change adds a version.
accounts = Table(
    "accounts",
    metadata,
    Column("vendor_id", Integer, nullable=False),
    Column("account_key", LargeBinary, nullable=False),  # blind index of vendor and LMS user id
    Column("version", Integer, nullable=False),
    Column("identifier_sealed", LargeBinary, nullable=False),  # as sent
    Column("person_id", BigInteger, nullable=False),
    Column("confirmed_at_ms", BigInteger, nullable=False),
    Column("confirmed_by", Text, nullable=False),  # `vendor`, or the user who allowed a change
    Column("reason", Text),
    Column("replaced_at_ms", BigInteger),  # NULL: the link in force
    PrimaryKeyConstraint("vendor_id", "account_key", "version"),
)

# Which accounts of an LMS stated an identifier of a person, and the delivery by which that was credited.
claimants = Table(
    "claimants",
    metadata,
    Column("vendor_id", Integer, nullable=False),
    Column("person_id", BigInteger, nullable=False),
    Column("account_key", LargeBinary, nullable=False),
    Column("sealed", LargeBinary, nullable=False),  # LMS user id, name and birth date as sent
    Column("delivery_id", BigInteger),  # verified with this person; NULL: none was
    Column("at_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("vendor_id", "person_id", "account_key"),
    Index("ix_claimants_account", "vendor_id", "account_key"),
)

# Claims that a vendor asked about while the sector database was silent; they are gone after a day.
identity_checks = Table(
    "identity_checks",
    metadata,
    Column("id", Text, primary_key=True),  # random: who guesses one learns nothing, who has it may ask
    Column("vendor_id", Integer, nullable=False),
    Column("at_ms", BigInteger, nullable=False, index=True),
    Column("claims_sealed", LargeBinary, nullable=False),
)

verifications = Table(
    "verifications",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("delivery_id", BigInteger, nullable=False, index=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("verified", Integer, nullable=False),
    Column("reason", Text),
    Column("rung", Integer),
    Column("person_id", BigInteger),
    Column("snapshot_version", Integer),
    Column("link_version", Integer),  # judged with this confirmed link of the account; NULL: as sent
    Column("age_ms", BigInteger, nullable=False),  # 0: asked live for this verdict
    Column("policy_version", Text, nullable=False),
    Column("findings", Text, nullable=False),  # codes and fillers only, never a personal value
)
