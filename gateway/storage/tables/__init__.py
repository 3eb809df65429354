"""Every table of the gateway, as SQLAlchemy Core. The one source for both engines and the migrations.

What is filtered on is a column; personal values are sealed blobs or blind indexes (docs/security.md).
`deliveries` is narrow, never partitioned and never deleted from; blobs live beside it in `payloads`.
"""

from gateway.storage.tables.callbacks import callback_deliveries, callbacks
from gateway.storage.tables.cases import cases, rulings
from gateway.storage.tables.identities import (
    accounts,
    claimants,
    identity_checks,
    lookups,
    people,
    snapshots,
    verifications,
)
from gateway.storage.tables.jobs import job_parts, jobs
from gateway.storage.tables.naming import Id, metadata
from gateway.storage.tables.offices import audit, audit_seals, sessions, unit_edges, units, users
from gateway.storage.tables.queue import (
    attempts,
    deliveries,
    intake,
    payloads,
    quarantine,
    records,
    waits,
    wakes,
)
from gateway.storage.tables.reconciling import discrepancies, reconciliations
from gateway.storage.tables.replaying import discards, edits, replay_pauses, replayed
from gateway.storage.tables.running import cursors, data_keys, destinations, leases, tallies
from gateway.storage.tables.sources import courses, polls, servers, vendor_secrets, vendors, xapi_voids
from gateway.storage.tables.streams import stream_receipts, streams
from gateway.storage.tables.watching import (
    alerts,
    causes,
    deadlines,
    delivery_causes,
    incidents,
    maintenance,
    processes,
)

__all__ = [
    "Id",
    "accounts",
    "alerts",
    "attempts",
    "audit",
    "audit_seals",
    "callback_deliveries",
    "callbacks",
    "cases",
    "causes",
    "claimants",
    "courses",
    "cursors",
    "data_keys",
    "deadlines",
    "deliveries",
    "delivery_causes",
    "destinations",
    "discards",
    "discrepancies",
    "edits",
    "identity_checks",
    "incidents",
    "intake",
    "job_parts",
    "jobs",
    "leases",
    "lookups",
    "maintenance",
    "metadata",
    "payloads",
    "people",
    "polls",
    "processes",
    "quarantine",
    "reconciliations",
    "records",
    "replay_pauses",
    "replayed",
    "rulings",
    "servers",
    "sessions",
    "snapshots",
    "stream_receipts",
    "streams",
    "tallies",
    "unit_edges",
    "units",
    "users",
    "vendor_secrets",
    "vendors",
    "verifications",
    "waits",
    "wakes",
    "xapi_voids",
]
