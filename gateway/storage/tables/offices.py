"""Units, the people who work with the gateway, their sessions, and the audit of what they did."""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, PrimaryKeyConstraint, Table, Text, text

from gateway.storage.tables.naming import Id, metadata

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

# How many people a unit has by its own list; only the number is kept.
headcounts = Table(
    "headcounts",
    metadata,
    Column("unit_code", Text, primary_key=True),
    Column("people", Integer, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
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

# Who is signed in at a browser. The cookie's value is not here, only its digest.
sessions = Table(
    "sessions",
    metadata,
    Column("digest", Text, primary_key=True),  # SHA-256 of the cookie's value, in hex
    Column("login", Text, nullable=False),
    Column("is_whole", Integer, nullable=False),  # 0: the password was right, the code is still wanted
    Column("created_at_ms", BigInteger, nullable=False),
    Column("seen_at_ms", BigInteger, nullable=False),  # written once a minute at most
    Column("ends_at_ms", BigInteger, nullable=False),
    Column("enrol_sealed", LargeBinary),  # a second factor's secret until a code confirms it
    Index("ix_sessions_login", "login"),
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
    Column("seal", BigInteger),  # the number of its seal; NULL: not sealed yet
    Column("leaf", LargeBinary),  # its hash when it was sealed
    Index("ix_audit_actor", "actor", "id"),
    Index("ix_audit_act", "act", "id"),
    Index("ix_audit_object", "object", "id"),
    Index("ix_audit_seal", "seal", "id"),
)

# The links of the chain that the audit is sealed into (gateway/security/seals.py).
audit_seals = Table(
    "audit_seals",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("rows_sealed", Integer, nullable=False),
    Column("first_id", BigInteger, nullable=False),
    Column("last_id", BigInteger, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("previous", LargeBinary, nullable=False),
    Column("link", LargeBinary, nullable=False),
    Column("mark", LargeBinary, nullable=False),
)
