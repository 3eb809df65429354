"""What operators watch: causes, alerts, incidents, maintenance windows, deadlines, the processes at work."""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, Text, text

from gateway.storage.tables.naming import Id, metadata

# Failures and holds with the same stage, code and answer are one cause.
causes = Table(
    "causes",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("fingerprint", LargeBinary, nullable=False, unique=True),
    Column("stage", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("subject", Text, nullable=False),  # what one act would cure: `course:…`, `unit:…`; empty: none
    Column("answer", Text, nullable=False),  # what the destination said, folded and redacted; may be empty
    Column("http_status", Integer),
    Column("owner", Text),
    Column("state", Text, nullable=False),  # open | acknowledged | resolved | ignored
    Column("opened_at_ms", BigInteger, nullable=False),  # the present or latest time it was open
    Column("first_seen_ms", BigInteger, nullable=False),
    Column("last_seen_ms", BigInteger, nullable=False),
    Column("ended_at_ms", BigInteger),
    Column("seen", BigInteger, nullable=False),  # attempts that failed so, ever
    Column("waiting", Integer, nullable=False),  # deliveries that wait because of it now
    Column("people", Integer),  # among them, as counted at counted_at_ms
    Column("units", Integer),
    Column("counted_at_ms", BigInteger),
    Column("sample_id", BigInteger, nullable=False),  # the delivery that failed so last
    Column("acted_by", Text),  # who acknowledged, resolved or ignored it; NULL: nobody, or it ended by itself
    Column("acted_at_ms", BigInteger),
    Column("note", Text),
    Index("ix_causes_state", "state", "id"),
)

# The cause for which a delivery waits now; the row goes when the delivery goes on.
delivery_causes = Table(
    "delivery_causes",
    metadata,
    Column("delivery_id", Id, primary_key=True, autoincrement=False),
    Column("cause_id", Integer, nullable=False),
    Column("since_ms", BigInteger, nullable=False),
    Index("ix_delivery_causes_cause", "cause_id", "delivery_id"),
)

# What people must be told, once for each thing; also the queue of what is sent by webhook.
alerts = Table(
    "alerts",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),  # cause.opened, destination.down, … (docs/operations.md)
    Column("severity", Text, nullable=False),  # info | warning | critical
    Column("object", Text, nullable=False),  # `cause:7`, `destination:temis`, `deadline:3`
    Column("detail", Text, nullable=False),  # JSON without personal values
    Column("due_at_ms", BigInteger),  # NULL: sent, given up, or nobody wants it sent
    Column("tries", Integer, nullable=False, server_default=text("0")),
    Column("sent_at_ms", BigInteger),
)
Index(
    "ix_alerts_due",
    alerts.c.due_at_ms,
    sqlite_where=alerts.c.due_at_ms.isnot(None),
    postgresql_where=alerts.c.due_at_ms.isnot(None),
)

# One outage of one destination, from its first failure to the last delivery that had waited for it.
incidents = Table(
    "incidents",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("destination", Text, nullable=False),
    Column("kind", Text, nullable=False),  # down | refused | paused
    Column("error", Text),  # upstream.* code of what began it
    Column("http_status", Integer),
    Column("started_at_ms", BigInteger, nullable=False),
    Column("ended_at_ms", BigInteger),  # the destination answers again
    Column("settled_at_ms", BigInteger),  # what had waited is delivered, held or dead
    Column("waiting_at_start", Integer, nullable=False),
    Column("waiting_most", Integer, nullable=False),
    Column("waiting_at_end", Integer),
    Column("last_id", BigInteger),  # the newest delivery when it ended: who came later did not wait
    Column("from_attempt_id", BigInteger),  # attempts from here on are the recovery's
    Column("delivered", Integer, nullable=False, server_default=text("0")),  # from the end until settled
    Column("difference", Integer),  # of the balance when settled; 0: it closes
    Index("ix_incidents_destination", "destination", "id"),
)

# Times at which a destination will not answer, as its owner announced them.
maintenance = Table(
    "maintenance",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("destination", Text, nullable=False),
    Column("from_ms", BigInteger, nullable=False),
    Column("to_ms", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("made_at_ms", BigInteger, nullable=False),
    Column("removed_at_ms", BigInteger),
    Index("ix_maintenance_to", "to_ms"),
)

deadlines = Table(
    "deadlines",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("kind", Text, nullable=False),  # bdtx/deadlines.py
    Column("unit_code", Text),  # NULL: everybody
    Column("school_year", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),  # the first moment that is too late
    Column("stated", Text, nullable=False),  # as it was given: day or moment at UTC+7
    Column("wording", Text, nullable=False),  # before | by
    Column("made_by", Text, nullable=False),
    Column("made_at_ms", BigInteger, nullable=False),
    Column("removed_at_ms", BigInteger),
    Column("told_at_ms", BigInteger),  # when the alert that some will miss it was last raised
    Index("ix_deadlines_at", "at_ms"),
)

# Processes that call destinations: they share the configured rates.
processes = Table(
    "processes",
    metadata,
    Column("holder", Text, primary_key=True),
    Column("started_at_ms", BigInteger, nullable=False),
    Column("seen_at_ms", BigInteger, nullable=False),
)
