"""What is done about a cause of failures (queue/causes.py)."""

from enum import StrEnum


class CauseState(StrEnum):
    """`open` asks for somebody; `acknowledged` has somebody; an `ignored` one raises no alert."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    IGNORED = "ignored"


UNENDED = (CauseState.OPEN, CauseState.ACKNOWLEDGED)
