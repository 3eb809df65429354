"""The attempt log: each try of a stage and each change of state, appended and never rewritten."""

from collections.abc import Iterable

from gateway.queue.delivery import Result
from gateway.storage.engine import Tx
from gateway.storage.rows import Cell

APPEND = """
INSERT INTO attempts (delivery_id, at_ms, stage, trigger, outcome, to_state, http_status, duration_ms,
                      request_hash, excerpt_sealed, answer, late)
SELECT x.delivery_id, :now, :stage, x.cause, x.outcome, x.to_state, x.http_status, x.duration_ms,
       x.request_hash, x.excerpt, x.answer, x.late
FROM {x}"""


async def append(tx: Tx, stage: str, results: Iterable[tuple[Result, str | None, bool]], now: int) -> None:
    """Appends (result, state it led to or None, whether it came late) in one statement."""
    cells: list[tuple[Cell, ...]] = [
        (
            result.delivery.id,
            result.trigger,
            result.code,
            state,
            result.http_status,
            result.duration_ms,
            result.request_hash,
            result.excerpt,
            result.answer,
            int(late),
        )
        for result, state, late in results
    ]
    await _append(tx, stage, cells, now)


async def note(
    tx: Tx,
    delivery_ids: Iterable[int],
    stage: str,
    outcome: str,
    state: str,
    now: int,
    *,
    trigger: str = "automatic",
) -> None:
    """Appends one state change that no stage tried for: superseded, withdrawn, discarded, woken."""
    cells: list[tuple[Cell, ...]] = [
        (id_, trigger, outcome, state, None, None, None, None, None, 0) for id_ in delivery_ids
    ]
    await _append(tx, stage, cells, now)


async def _append(tx: Tx, stage: str, cells: list[tuple[Cell, ...]], now: int) -> None:
    if not cells:
        return
    x = tx.json_rows(
        ("delivery_id", "int"),
        ("cause", "text"),
        ("outcome", "text"),
        ("to_state", "text"),
        ("http_status", "int"),
        ("duration_ms", "int"),
        ("request_hash", "text"),
        ("excerpt", "blob"),
        ("answer", "text"),
        ("late", "int"),
    )
    await tx.run(APPEND.format(x=x), rows=tx.pack(cells), stage=stage, now=now)
