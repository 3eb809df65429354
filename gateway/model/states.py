"""States of a delivery and the only moves between them, as data.

Source: docs/states.md is written from this table; a test tries every pair and refuses those not listed.
"""

from enum import StrEnum
from typing import NamedTuple


class State(StrEnum):
    """Where a delivery is. Retrying, leased, paused and unknown are not states (docs/states.md)."""

    ACCEPTED = "accepted"
    HELD = "held"
    VERIFIED = "verified"
    DELIVERED = "delivered"
    DEAD = "dead"
    VOIDED = "voided"


class Kind(StrEnum):
    """What a delivery carries to TEMIS."""

    COMPLETION = "completion"
    WITHDRAWAL = "withdrawal"


class Move(NamedTuple):
    """One allowed transition: who may cause it, by which cause."""

    source: State
    target: State
    cause: str
    by: str


A, H, V, D, X, O = (  # noqa: E741 - one letter each keeps the table readable as a table
    State.ACCEPTED,
    State.HELD,
    State.VERIFIED,
    State.DELIVERED,
    State.DEAD,
    State.VOIDED,
)

MOVES: tuple[Move, ...] = (
    Move(A, V, "verified", "verify"),
    Move(A, H, "hold", "verify"),
    Move(H, V, "verified", "verify"),
    Move(H, H, "hold", "verify"),
    Move(A, X, "crash_loop", "verify"),
    Move(H, X, "crash_loop", "verify"),
    Move(V, D, "acknowledged", "deliver"),
    Move(V, H, "curable_refusal", "deliver"),
    Move(V, X, "refused", "deliver"),
    Move(V, O, "superseded", "deliver"),
    Move(A, O, "superseded", "receive"),
    Move(H, O, "superseded", "receive"),
    Move(V, O, "superseded", "receive"),
    Move(X, O, "superseded", "receive"),
    Move(A, O, "superseded", "verify"),
    Move(H, O, "superseded", "verify"),
    Move(V, O, "superseded", "verify"),
    Move(D, O, "superseded", "deliver"),
    Move(A, O, "withdrawn", "withdraw"),
    Move(H, O, "withdrawn", "withdraw"),
    Move(V, O, "withdrawn", "withdraw"),
    Move(D, O, "withdrawn", "withdraw"),
    Move(X, O, "withdrawn", "withdraw"),
    Move(O, V, "next_best", "withdraw"),
    Move(D, V, "next_best", "withdraw"),
    Move(D, V, "outdated", "deliver"),
    Move(D, V, "healed", "reconcile"),
    Move(X, A, "replay", "replay"),
    Move(X, V, "replay", "replay"),
    Move(H, A, "replay", "replay"),
    Move(A, O, "discarded", "operator"),
    Move(H, O, "discarded", "operator"),
    Move(V, O, "discarded", "operator"),
    Move(X, O, "discarded", "operator"),
    Move(O, A, "restored", "operator"),
    Move(O, H, "restored", "operator"),
    Move(O, V, "restored", "operator"),
    Move(O, X, "restored", "operator"),
)

ALLOWED = frozenset((move.source, move.target) for move in MOVES)


def is_allowed(source: State, target: State) -> bool:
    """Whether any cause may move a delivery from `source` to `target`."""
    return (source, target) in ALLOWED
