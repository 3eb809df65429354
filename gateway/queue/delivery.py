"""What goes into the queue and what comes out of it."""

from enum import StrEnum

import msgspec

from gateway.model.outcomes import Outcome
from gateway.model.states import Kind, State


class ReceiptStatus(StrEnum):
    """What the gateway says about each item it was sent (contracts/gateway/README.md)."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    CORRECTED = "corrected"
    STALE = "stale"
    CONFLICT = "conflict"
    INVALID = "invalid"
    UNSUPPORTED = "unsupported"


class Arrival(msgspec.Struct, frozen=True):
    """One valid completion on its way in. `body` is sealed already; `digest` is the content's HMAC."""

    vendor_id: int
    event_id: str
    revision: int
    digest: bytes
    lane: int
    body: bytes
    course: int = 0  # model/course_number.py


class SetAside(msgspec.Struct, frozen=True):
    """One thing that is authenticated but not taken: kept sealed, with the paths and codes of its faults."""

    vendor_id: int
    kind: str  # invalid | unsupported | quarantined; the queue adds conflict and stale itself
    event_id: str | None
    faults: str  # JSON [[path, code], …]
    body: bytes


class Receipt(msgspec.Struct, frozen=True):
    """What became of one arrival."""

    status: ReceiptStatus
    delivery_id: int | None


class Delivery(msgspec.Struct, frozen=True):
    """A claimed row: everything a stage needs beside the payload. `fence` must match to write."""

    id: int
    vendor_id: int
    event_id: str
    revision: int
    kind: Kind
    state: State
    lane: int
    fence: int
    tries: int
    claims: int  # claims since the last recorded outcome, this one included
    was_unknown: bool  # an earlier send has no known outcome: read back before sending again
    person_id: int | None
    record_id: int | None
    received_at_ms: int


class Target(msgspec.Struct, frozen=True):
    """Where a verified completion belongs: its person and natural key, and how it ranks there."""

    person_id: int
    module_code: str
    school_year: str
    rank: int


class Result(msgspec.Struct, frozen=True):
    """One delivery, what its stage decided, and what is worth keeping of the attempt."""

    delivery: Delivery
    outcome: Outcome
    code: str  # outcome code of the attempt log: "verified", "created", "upstream.unanswered", …
    target: Target | None = None
    not_sent: bool = False  # nothing reached the destination: the mark "unknown" is cleared
    http_status: int | None = None
    duration_ms: int | None = None
    request_hash: str | None = None
    excerpt: bytes | None = None  # sealed
    answer: str | None = None  # what the destination said to a failed call: model/folding.py
    trigger: str = "automatic"
