"""One job as a value: what was asked for, by whom, and how far it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

COLUMNS = (
    "id, kind, state, owner, unit_code, params, done, total, summary, note, due_at_ms, fence, claims, "
    "created_at_ms, started_at_ms, finished_at_ms, cleared_at_ms"
)


class JobState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Job:
    """`done` of `total` steps, as its kind counts them. `params` and `summary` hold nothing personal."""

    id: int
    kind: str
    state: JobState
    owner: str
    unit_code: str | None
    params: Mapping[str, Any]
    done: int
    total: int | None  # None: not counted yet
    summary: Mapping[str, Any]  # counts by code
    note: str | None  # the code of what went wrong last
    due_at_ms: int | None
    fence: int
    claims: int  # since the last step, this one included
    created_at_ms: int
    started_at_ms: int | None
    finished_at_ms: int | None
    cleared_at_ms: int | None  # when its files were deleted

    @property
    def is_over(self) -> bool:
        return self.finished_at_ms is not None


def job_of(row: Any) -> Job:
    """A row of COLUMNS -> a Job."""
    opened = {
        "state": JobState(row.state),
        "params": orjson.loads(row.params),
        "summary": orjson.loads(row.summary),
    }
    return Job(**row._asdict() | opened)
