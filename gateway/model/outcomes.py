"""What a stage says became of one delivery; the queue turns it into rows.

A stage returns data and writes nothing itself: Advance | RetryLater | Hold | Bury.
"""

import msgspec

from gateway.model.states import State


class Wait(msgspec.Struct, frozen=True):
    """One thing whose change wakes a hold: kind `person`, `account`, `course`, `unit`, `policy` or `temis`."""

    kind: str
    key: str


class Advance(msgspec.Struct, frozen=True):
    """The stage is done; the delivery goes on to `state`."""

    state: State
    cause: str = "verified"


class RetryLater(msgspec.Struct, frozen=True):
    """Not now. `own_fault` says whether the record itself is to blame: only then a try is burnt."""

    code: str
    delay_ms: int | None = None  # None: the retry schedule decides; for an own fault it is the least
    own_fault: bool = False
    outcome_unknown: bool = False  # sent, and no answer says what became of it
    outrank: int | None = None  # the destination holds this revision: ours must rise above it


class Hold(msgspec.Struct, frozen=True):
    """Waits for a change outside. Woken by any of `waits`, and looked at again on the recheck schedule."""

    reason: str
    owner: str
    waits: tuple[Wait, ...] = ()


class Bury(msgspec.Struct, frozen=True):
    """Never again by itself: the reason stays, an operator may replay."""

    reason: str


Outcome = Advance | RetryLater | Hold | Bury
