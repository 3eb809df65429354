"""What `gateway doctor` looks at. Each check is told apart, so that all faults are seen at once.

settings -> local.py (this machine) -> stored.py (the database) -> outside.py (TEMIS, the sector database)
"""

from typing import Literal, NamedTuple

Status = Literal["ok", "warning", "fault", "skipped"]


class Check(NamedTuple):
    """One thing looked at. `detail` is a text key when it begins with `doctor.`, else a sentence."""

    name: str  # the text `doctor.check.<name>` is its title
    status: Status
    detail: str = ""
    fill: dict[str, object] = {}  # noqa: RUF012 - never changed; a NamedTuple has no default_factory
    duration_ms: int | None = None


def fault(name: str, error: Exception | str, duration_ms: int | None = None) -> Check:
    """A check that failed, in the words of what went wrong."""
    return Check(name, "fault", str(error) or type(error).__name__, duration_ms=duration_ms)
