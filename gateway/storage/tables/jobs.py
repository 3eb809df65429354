"""Long work that somebody asked for: checks of a file, replays. It outlives the process that began it."""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, PrimaryKeyConstraint, Table, Text, text

from gateway.storage.tables.naming import Id, metadata

jobs = Table(
    "jobs",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),  # waiting | running | done | failed | cancelled
    Column("owner", Text, nullable=False),  # a login, or `machine:` and the account on this machine
    Column("unit_code", Text),  # whose scope the work has; NULL: none, or all
    Column("params", Text, nullable=False),  # JSON: filters and options, never a personal value
    Column("done", Integer, nullable=False, server_default=text("0")),  # steps that are behind it
    Column("total", Integer),  # NULL: not counted yet
    Column("summary", Text, nullable=False),  # JSON: counts by code
    Column("note", Text),  # the code of what went wrong last
    Column("due_at_ms", BigInteger),  # NULL: still arriving, or finished
    Column("fence", Integer, nullable=False, server_default=text("0")),
    Column("claims", Integer, nullable=False, server_default=text("0")),  # since the last step
    Column("created_at_ms", BigInteger, nullable=False),
    Column("started_at_ms", BigInteger),
    Column("finished_at_ms", BigInteger),
    Column("cleared_at_ms", BigInteger),  # its parts were deleted
    Index("ix_jobs_owner", "owner", "kind", "id"),
)
Index(
    "ix_jobs_due",
    jobs.c.kind,
    jobs.c.due_at_ms,
    jobs.c.id,
    sqlite_where=jobs.c.due_at_ms.isnot(None),
    postgresql_where=jobs.c.due_at_ms.isnot(None),
)
Index(
    "ix_jobs_to_clear",
    jobs.c.created_at_ms,
    sqlite_where=jobs.c.cleared_at_ms.is_(None),
    postgresql_where=jobs.c.cleared_at_ms.is_(None),
)

# What a job was given and what it has made so far, sealed, in pieces of at most 1 MiB.
job_parts = Table(
    "job_parts",
    metadata,
    Column("job_id", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("n", Integer, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    PrimaryKeyConstraint("job_id", "name", "n"),
)
