"""Verdicts as rows of `verifications`: codes, versions and ages; never a value of a person."""

from collections.abc import Sequence

from gateway.model.outcomes import Advance, Hold
from gateway.queue.findings import pack_findings
from gateway.stages.judging import Judged
from gateway.storage.engine import Tx
from gateway.storage.rows import Cell, Kind

COLUMNS: tuple[tuple[str, Kind], ...] = (
    ("delivery_id", "int"),
    ("verified", "int"),
    ("reason", "text"),
    ("rung", "int"),
    ("person_id", "int"),
    ("snapshot_version", "int"),
    ("link_version", "int"),
    ("age_ms", "int"),
    ("policy_version", "text"),
    ("findings", "text"),
)
_NAMES = ", ".join(name for name, _ in COLUMNS)
LOG_VERDICTS = f"INSERT INTO verifications (at_ms, {_NAMES}) SELECT :now, {_NAMES} FROM {{x}}"


def rows_of(judged: Sequence[Judged]) -> list[tuple[Cell, ...]]:
    """One row for each verdict; what waits for the registry has none."""
    return [
        (
            j.result.delivery.id,
            int(isinstance(j.result.outcome, Advance)),
            j.result.outcome.reason if isinstance(j.result.outcome, Hold) else None,
            j.verdict.rung,
            j.person.id if j.person else None,
            j.person.version if j.person else None,
            j.link_version,
            j.age_ms,
            j.verdict.policy_version,
            pack_findings(j.verdict.findings),
        )
        for j in judged
        if j.verdict is not None
    ]


async def log_in(tx: Tx, rows: Sequence[Sequence[Cell]], now_ms: int) -> None:
    """Appends the rows; none is no statement."""
    if rows:
        await tx.run(LOG_VERDICTS.format(x=tx.json_rows(*COLUMNS)), rows=tx.pack(rows), now=now_ms)
