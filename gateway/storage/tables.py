"""Every table of the gateway, as SQLAlchemy Core. The one source for both engines and the migrations.

What is filtered on is a column; personal values are sealed blobs or blind indexes (docs/security.md).
`deliveries` is narrow, never partitioned and never deleted from; blobs live beside it in `payloads`.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite only lets an INTEGER be the row id; PostgreSQL needs 64 bits.
Id = BigInteger().with_variant(Integer(), "sqlite")

vendors = Table(
    "vendors",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("name", Text, nullable=False, unique=True),
    Column("connector", Text, nullable=False),
    Column("lane", Integer, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("paused_at_ms", BigInteger),
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

data_keys = Table(
    "data_keys",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("month", Integer, nullable=False, unique=True),  # yyyymm
    Column("master_id", Text, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
)

# Append-only: one row per commit, vendor, day and kind. What the balance is checked against.
intake = Table(
    "intake",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("vendor_id", Integer, nullable=False),
    Column("day", Integer, nullable=False),  # yyyymmdd in Việt Nam
    Column("kind", Text, nullable=False),
    Column("n", Integer, nullable=False),
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
    Index("ix_waits_kind_key", "kind", "key"),
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
    Column("late", Integer, nullable=False, server_default=text("0")),
)

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

destinations = Table(
    "destinations",
    metadata,
    Column("name", Text, primary_key=True),
    Column("paused_at_ms", BigInteger),
    Column("paused_by", Text),
    Column("paused_reason", Text),
)

# Schools and offices. A code keeps its rows: one for each stretch of days with the same name and parent.
units = Table(
    "units",
    metadata,
    Column("code", Text, nullable=False),
    Column("valid_from", Integer, nullable=False),  # yyyymmdd in Việt Nam; 10101: nobody stated when it began
    Column("valid_to", Integer),  # the last day; NULL: nobody stated an end
    Column("name", Text, nullable=False),
    Column("level", Text, nullable=False),
    Column("parent_code", Text),
    Column("teaches", Text, nullable=False),  # MN TH THCS THPT GDTX, of a school
    Column("contact", Text),  # of the office, not of a person
    Column("changed_at_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("code", "valid_from"),
)

# What a unit became: merge, split, renumber.
unit_edges = Table(
    "unit_edges",
    metadata,
    Column("source_code", Text, nullable=False),
    Column("target_code", Text, nullable=False),
    Column("change", Text, nullable=False),
    Column("on_day", Integer, nullable=False),  # yyyymmdd: the first day under the new one
    Column("changed_at_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("source_code", "target_code"),
)

# People who work with the gateway. None is ever deleted: the audit names them by login.
users = Table(
    "users",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("login", Text, nullable=False, unique=True),  # folded
    Column("name_sealed", LargeBinary, nullable=False),
    Column("role", Text, nullable=False),
    Column("unit_code", Text),  # NULL: a role that belongs to no unit
    Column("vendor_id", Integer),  # of the role vendor
    Column("password_hash", Text, nullable=False),
    Column("password_set_at_ms", BigInteger, nullable=False),
    Column("must_change", Integer, nullable=False),  # 1: the password is a one-time one
    Column("totp_sealed", LargeBinary),
    Column("totp_step", BigInteger, nullable=False, server_default=text("0")),  # the last code that was used
    Column("failures", Integer, nullable=False, server_default=text("0")),  # since the last success
    Column("locked_until_ms", BigInteger),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("ended_at_ms", BigInteger),  # NULL: valid
    Index("ix_users_unit", "unit_code"),
)

# Acts of people and of configuration. Append-only, and without a personal value.
audit = Table(
    "audit",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),  # a login, or `machine:` and the account on this machine
    Column("act", Text, nullable=False),
    Column("object", Text, nullable=False),
    Column("detail", Text, nullable=False),  # JSON
    Index("ix_audit_actor", "actor", "id"),
    Index("ix_audit_object", "object", "id"),
)
