"""failures and recoveries of deliveries -> causes with their counts, and the link from delivery to cause.

Written by the leader alone, in batches, after the attempts they come from were committed (stages/follow.py).
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gateway.model.clock import MINUTE_MS
from gateway.queue.causes import CauseState, fingerprint
from gateway.storage.engine import Database, Tx
from gateway.storage.rows import Cell

QUIET_MS = MINUTE_MS  # a cause without a waiting delivery for that long has ended
COUNT_EVERY_MS = MINUTE_MS

# Both tables have `seen`, so the inserted one is told by its name.
UPSERT = """
INSERT INTO causes (fingerprint, stage, code, subject, answer, http_status, owner, state, opened_at_ms,
                    first_seen_ms, last_seen_ms, seen, waiting, sample_id)
SELECT x.fingerprint, x.stage, x.code, x.subject, x.answer, x.http_status, x.owner, 'open', x.last,
       x.first, x.last, x.n, 0, x.sample
FROM {x} WHERE true
ON CONFLICT (fingerprint) DO UPDATE SET
    state = CASE WHEN causes.state = 'resolved' THEN 'open' ELSE causes.state END,
    opened_at_ms = CASE WHEN causes.state = 'resolved' THEN excluded.opened_at_ms ELSE causes.opened_at_ms END,
    ended_at_ms = CASE WHEN causes.state = 'resolved' THEN NULL ELSE causes.ended_at_ms END,
    last_seen_ms = excluded.last_seen_ms, seen = causes.seen + excluded.seen, sample_id = excluded.sample_id,
    owner = excluded.owner
RETURNING id, fingerprint"""
KNOWN = "SELECT c.fingerprint, c.state FROM {x} JOIN causes c ON c.fingerprint = x.fingerprint"
LINKED = "SELECT l.delivery_id, l.cause_id FROM {x} JOIN delivery_causes l ON l.delivery_id = x.id"
LINK = """
INSERT INTO delivery_causes (delivery_id, cause_id, since_ms) SELECT x.id, x.cause_id, x.at FROM {x} WHERE true
ON CONFLICT (delivery_id) DO UPDATE SET cause_id = excluded.cause_id, since_ms = excluded.since_ms"""
UNLINK = "DELETE FROM delivery_causes WHERE delivery_id IN (SELECT x.id FROM {x})"
COUNT = "UPDATE causes SET waiting = causes.waiting + x.n FROM {x} WHERE causes.id = x.id"
QUIET = """
SELECT 1 FROM causes
WHERE state IN ('open', 'acknowledged') AND waiting = 0 AND last_seen_ms <= :before LIMIT 1"""
END = """
UPDATE causes SET state = 'resolved', ended_at_ms = :now, acted_by = NULL, acted_at_ms = NULL
WHERE state IN ('open', 'acknowledged') AND waiting = 0 AND last_seen_ms <= :before
RETURNING id, stage, code, owner, seen, opened_at_ms"""

STALE = """
SELECT id FROM causes WHERE state IN ('open', 'acknowledged')
AND (counted_at_ms IS NULL OR counted_at_ms <= :before AND counted_at_ms <= last_seen_ms
     OR counted_at_ms <= :at_last)
ORDER BY id LIMIT :limit"""
AFFECTED = """
SELECT COUNT(DISTINCT c.account_key) AS people, COUNT(DISTINCT c.school_code) AS units
FROM (SELECT delivery_id FROM delivery_causes WHERE cause_id = :id ORDER BY delivery_id DESC LIMIT 20000) l
JOIN cases c ON c.delivery_id = l.delivery_id"""
COUNTED = """
UPDATE causes SET people = x.people, units = x.units, counted_at_ms = :now FROM {x} WHERE causes.id = x.id"""


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed attempt, or a hold. `still` says whether its delivery waits because of it now."""

    delivery_id: int
    at_ms: int
    stage: str
    code: str
    subject: str = ""
    answer: str = ""
    http_status: int | None = None
    owner: str | None = None
    still: bool = True

    @property
    def print(self) -> bytes:
        return fingerprint(self.stage, self.code, self.subject, self.answer, self.http_status)


class Opened(NamedTuple):
    """A cause that is open from now on; `again` when it had been resolved."""

    id: int
    failure: Failure
    n: int
    again: bool


class Ended(NamedTuple):
    """A cause that nobody waits for any more."""

    id: int
    stage: str
    code: str
    owner: str | None
    seen: int
    opened_at_ms: int


async def take_in(tx: Tx, failures: Sequence[Failure], recovered: Collection[int]) -> list[Opened]:
    """Counts failures (oldest first), links those that still wait, unlinks what went on.

    Returns: causes that opened or reopened by this.
    """
    by_print: dict[bytes, list[Failure]] = {}
    for failure in failures:
        by_print.setdefault(failure.print, []).append(failure)
    known = await _known(tx, by_print)
    ids = await _upsert(tx, by_print)
    links = {f.delivery_id: (ids[f.print], f.at_ms) for f in failures if f.still}
    await _relink(tx, links, {f.delivery_id for f in failures if not f.still} | set(recovered))
    return [
        Opened(ids[key], group[-1], len(group), key in known)
        for key, group in by_print.items()
        if known.get(key, CauseState.RESOLVED) == CauseState.RESOLVED
    ]


async def end_quiet(tx: Tx, now_ms: int) -> list[Ended]:
    """Resolves causes that no delivery has waited for since a minute. Returns: them."""
    rows = await tx.rows(END, now=now_ms, before=now_ms - QUIET_MS)
    return sorted(Ended(r.id, r.stage, r.code, r.owner, r.seen, r.opened_at_ms) for r in rows)


async def any_quiet(tx: Tx, now_ms: int) -> bool:
    """Whether `end_quiet` has anything to do; reading is cheaper than a write transaction for nothing."""
    return bool(await tx.rows(QUIET, before=now_ms - QUIET_MS))


async def count_affected(db: Database, now_ms: int, *, limit: int = 20) -> int:
    """Counts people and units behind causes, a minute after a change and again after ten.

    Returns: how many causes were counted.

    Of more than 20 000 waiting deliveries the newest are looked at: the counts are then "at least".
    """
    async with db.read() as tx:
        before, at_last = now_ms - COUNT_EVERY_MS, now_ms - 10 * COUNT_EVERY_MS
        stale = await tx.rows(STALE, before=before, at_last=at_last, limit=limit)
        told = [(row.id, *(await tx.rows(AFFECTED, id=row.id))[0]) for row in stale]
    if told:

        async def in_tx(tx: Tx) -> None:
            x = tx.json_rows(("id", "int"), ("people", "int"), ("units", "int"))
            await tx.run(COUNTED.format(x=x), rows=tx.pack(sorted(map(tuple, told))), now=now_ms)

        await db.write(in_tx)
    return len(told)


async def _known(tx: Tx, by_print: dict[bytes, list[Failure]]) -> dict[bytes, str]:
    if not by_print:
        return {}
    x = tx.json_rows(("fingerprint", "blob"))
    rows = await tx.rows(KNOWN.format(x=x), rows=tx.pack([(key,) for key in sorted(by_print)]))
    return {bytes(row.fingerprint): row.state for row in rows}


async def _upsert(tx: Tx, by_print: dict[bytes, list[Failure]]) -> dict[bytes, int]:
    if not by_print:
        return {}
    x = tx.json_rows(
        ("fingerprint", "blob"),
        ("stage", "text"),
        ("code", "text"),
        ("subject", "text"),
        ("answer", "text"),
        ("http_status", "int"),
        ("owner", "text"),
        ("first", "int"),
        ("last", "int"),
        ("n", "int"),
        ("sample", "int"),
    )
    cells: list[tuple[Cell, ...]] = []
    for key, group in sorted(by_print.items()):
        f = group[-1]
        times = (group[0].at_ms, f.at_ms, len(group), f.delivery_id)
        cells.append((key, f.stage, f.code, f.subject, f.answer, f.http_status, f.owner, *times))
    rows = await tx.rows(UPSERT.format(x=x), rows=tx.pack(cells))
    return {bytes(row.fingerprint): int(row.id) for row in rows}


async def _relink(tx: Tx, links: dict[int, tuple[int, int]], gone: set[int]) -> None:
    concerned = sorted(links.keys() | gone)
    if not concerned:
        return
    ids = tx.json_rows(("id", "int"))
    rows = await tx.rows(LINKED.format(x=ids), rows=tx.pack([(id_,) for id_ in concerned]))
    before = {row.delivery_id: row.cause_id for row in rows}
    change: Counter[int] = Counter()
    for id_, cause_id in before.items():
        change[cause_id] -= 1
        if id_ in links:
            change[links[id_][0]] += 1
    change.update(cause_id for id_, (cause_id, _) in links.items() if id_ not in before)
    fresh = [(id_, *link) for id_, link in sorted(links.items()) if before.get(id_) != link[0]]
    leaving = sorted((gone - links.keys()) & before.keys())
    if fresh:
        x = tx.json_rows(("id", "int"), ("cause_id", "int"), ("at", "int"))
        await tx.run(LINK.format(x=x), rows=tx.pack(fresh))
    if leaving:
        await tx.run(UNLINK.format(x=ids), rows=tx.pack([(id_,) for id_ in leaving]))
    counts = sorted((cause_id, n) for cause_id, n in change.items() if n)
    if counts:
        x = tx.json_rows(("id", "int"), ("n", "int"))
        await tx.run(COUNT.format(x=x), rows=tx.pack(counts))
