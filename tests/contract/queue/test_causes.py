"""gateway/queue/causes.py and cause_log.py: failures grouped by cause, on both engines."""

import pytest

from gateway.model.errors import NotFound
from gateway.queue.cause_log import QUIET_MS, Failure, end_quiet, take_in
from gateway.queue.causes import (
    DELIVERIES,
    CauseState,
    act,
    cause_of,
    deliveries_of,
    find_cause,
    list_causes,
)
from gateway.storage.audit import read_audit
from tests.builders import NOON

NAME = "attribute.name_mismatch"


def a_failure(delivery_id: int, code: str = NAME, *, at_ms: int = NOON, **values) -> Failure:
    return Failure(delivery_id, at_ms, "verify", code, **values)


async def take(db, failures, recovered=()):
    return await db.write(lambda tx: take_in(tx, failures, recovered))


async def test_failures_of_one_kind_are_one_cause(db):
    """Whatever the number of deliveries, one thing gone wrong is one line."""
    await take(
        db, [a_failure(n) for n in range(1, 31)] + [a_failure(40, "course.unmapped", subject="course:1:a")]
    )
    named, course = sorted(await list_causes(db), key=lambda cause: -cause.waiting)
    assert (named.code, named.waiting, named.seen, named.state) == (NAME, 30, 30, "open")
    assert (course.subject, course.waiting) == ("course:1:a", 1)
    assert await deliveries_of(db, named.id, after=28) == [29, 30]
    assert (await cause_of(db, 40)).id == course.id


async def test_a_different_answer_or_subject_is_another_cause(db):
    """What one act cures must not be mixed with what another cures."""
    variants = [{}, {"subject": "course:1:a"}, {"answer": "503 maintenance"}, {"http_status": 503}]
    await take(db, [a_failure(n, **values) for n, values in enumerate(variants, 1)])
    assert [cause.waiting for cause in await list_causes(db)] == [1, 1, 1, 1]


async def test_opening_is_told_once(db):
    """One alert when a cause opens, none for the thousands after."""
    [first] = await take(db, [a_failure(1), a_failure(2)])
    assert (first.n, first.again) == (2, False)
    assert await take(db, [a_failure(3)]) == []


async def test_the_same_delivery_failing_again_waits_once(db):
    """`seen` counts attempts, `waiting` counts deliveries."""
    for n in range(5):
        await take(db, [a_failure(1, at_ms=NOON + n)])
    [cause] = await list_causes(db)
    assert (cause.seen, cause.waiting) == (5, 1)
    assert (cause.first_seen_ms, cause.last_seen_ms) == (NOON, NOON + 4)


async def test_a_delivery_that_fails_otherwise_changes_its_cause(db):
    """A delivery waits because of one thing at a time: its latest failure."""
    await take(db, [a_failure(1), a_failure(2)])
    await take(db, [a_failure(1, "course.unmapped"), a_failure(1, "registry.not_found")])
    waiting = {cause.code: cause.waiting for cause in await list_causes(db)}
    assert waiting == {NAME: 1, "course.unmapped": 0, "registry.not_found": 1}


async def test_what_goes_on_leaves_its_cause(db):
    """A recovered delivery is no longer counted, and one that no cause has is no matter."""
    await take(db, [a_failure(1), a_failure(2)])
    await take(db, [a_failure(3, still=False)], recovered=[1, 99])
    [cause] = await list_causes(db)
    assert (cause.waiting, cause.seen) == (1, 3)
    assert await cause_of(db, 1) is None


async def test_a_cause_ends_by_itself_after_a_quiet_minute(db):
    """Ended means that nobody waits for it any more, and not just between two tries."""
    await take(db, [a_failure(1)])
    assert await db.write(lambda tx: end_quiet(tx, NOON + QUIET_MS)) == []
    await take(db, [], recovered=[1])
    assert await db.write(lambda tx: end_quiet(tx, NOON + QUIET_MS - 1)) == []
    [ended] = await db.write(lambda tx: end_quiet(tx, NOON + QUIET_MS))
    assert (ended.code, ended.seen) == (NAME, 1)
    assert (await find_cause(db, ended.id)).state is CauseState.RESOLVED
    assert await db.write(lambda tx: end_quiet(tx, NOON + 2 * QUIET_MS)) == []


@pytest.mark.parametrize("by", [None, "ops"])
async def test_a_resolved_cause_that_returns_opens_again(db, clock, by):
    """Whoever resolved it, a person or time: what comes back is told again, with its history."""
    await take(db, [a_failure(1)])
    [cause] = await list_causes(db)
    if by:
        await act(db, clock, cause.id, CauseState.RESOLVED, by=by)
    else:
        await take(db, [], recovered=[1])
        await db.write(lambda tx: end_quiet(tx, NOON + QUIET_MS))
    assert await list_causes(db) == []
    [opened] = await take(db, [a_failure(2, at_ms=NOON + 99_000)])
    assert (opened.id, opened.again) == (cause.id, True)
    [again] = await list_causes(db)
    assert (again.seen, again.opened_at_ms, again.first_seen_ms) == (2, NOON + 99_000, NOON)
    assert again.ended_at_ms is None


@pytest.mark.parametrize("state", [CauseState.ACKNOWLEDGED, CauseState.IGNORED])
async def test_what_somebody_has_seen_to_does_not_open_again(db, clock, state):
    """Acknowledged has somebody already, ignored wants nobody: new failures are only counted."""
    await take(db, [a_failure(1)])
    [cause] = await list_causes(db)
    told = await act(db, clock, cause.id, state, by="ops", note="the office knows")
    assert (told.state, told.acted_by, told.note) == (state, "ops", "the office knows")
    assert await take(db, [a_failure(2)]) == []
    assert (await find_cause(db, cause.id)).waiting == 2
    [entry] = await read_audit(db)
    assert (entry.actor, entry.act, entry.object) == ("ops", f"cause.{state}", f"cause:{cause.id}")


async def test_an_unknown_cause_is_not_found(db, clock):
    """Nothing is made by naming it."""
    with pytest.raises(NotFound):
        await find_cause(db, 7)
    with pytest.raises(NotFound):
        await act(db, clock, 7, CauseState.RESOLVED, by="ops")
    assert await read_audit(db) == []


async def test_the_deliveries_of_a_cause_are_found_by_index(db):
    """Deliveries of a cause are found by index, however many there are."""
    for start in range(0, 20_000, 2_000):
        await take(db, [a_failure(n, f"c.{n % 7}") for n in range(start, start + 2_000)])
    async with db.engine.connect() as connection:
        await connection.exec_driver_sql("ANALYZE")
        await connection.commit()
    word = "EXPLAIN QUERY PLAN " if db.dialect == "sqlite" else "EXPLAIN "
    async with db.read() as tx:
        rows = await tx.rows(word + DELIVERIES, cause_id=3, after=0, limit=500)
    plan = "\n".join(str(row[-1]) for row in rows)
    assert "ix_delivery_causes_cause" in plan
    assert "Seq Scan" not in plan
    assert "SCAN delivery_causes" not in plan
