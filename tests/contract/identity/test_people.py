"""What is known of people and for how long it may be believed, on both engines, against the sandbox."""

import asyncio
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine, event

from gateway.identity.people import People
from gateway.model.errors import KeyMissing, UpstreamError
from gateway.model.person import IdentifierType, LookupKey
from gateway.security.keys import Key, KeyRing
from gateway.security.vault import Vault
from gateway.storage import sqlite_connection

OUTAGE = {"target": "registry", "mode": "status", "status": 503}


def key_of(n: int) -> LookupKey:
    return LookupKey(IdentifierType.SECTOR, f"31000000{n:02d}")


STRANGER = LookupKey(IdentifierType.SECTOR, "9999999999")
KEY = key_of(1)


async def name_of(people: People, key: LookupKey = KEY, **options) -> str:
    known, error = await people.know([key], **options)
    assert error is None
    [hit] = known[key].answer.hits
    return hit.full_name


@contextmanager
def statements(part: str):
    """Collects the statements with `part` in them, on any engine of the process."""
    seen = []

    def note(conn, cursor, statement, parameters, context, executemany):
        if part in statement:
            seen.append(statement)

    fetch = sqlite_connection.fetch

    def noted(connection, sql, parameters):
        note(None, None, sql, None, None, False)
        return fetch(connection, sql, parameters)

    event.listen(Engine, "before_cursor_execute", note)
    sqlite_connection.fetch = noted
    try:
        yield seen
    finally:
        sqlite_connection.fetch = fetch
        event.remove(Engine, "before_cursor_execute", note)


@pytest.mark.parametrize("is_other_process", [False, True], ids=["memory", "table"])
@pytest.mark.parametrize(
    ("key", "bound_s"), [(KEY, 900), (STRANGER, 60)], ids=["a file: 15 min", "not found: 60 s"]
)
async def test_an_answer_is_used_again_up_to_its_bound(desk, key, bound_s, is_other_process):
    """Real time has a bound: to the second it is used again, a second later it is asked for again."""
    people = desk.people()
    await people.know([key])
    asker = desk.people() if is_other_process else people
    desk.clock.advance(s=bound_s)
    known, _ = await asker.know([key])
    assert (await desk.asked(), known[key].answer.live) == (1, False)
    desk.clock.advance(ms=1)
    known, _ = await asker.know([key])
    assert (await desk.asked(), known[key].answer.live) == (2, True)


async def test_a_recheck_is_never_answered_from_memory(desk):
    """What somebody waits for is asked live, however fresh our own answer is."""
    people = desk.people()
    await name_of(people)
    await desk.change(KEY.value, full_name="Lê Thị Mới")
    desk.clock.advance(ms=1)
    assert await name_of(people) == "Nguyễn Thị Hòa 1"
    assert await name_of(people, not_before_ms=desk.clock.now_ms()) == "Lê Thị Mới"


async def test_the_age_counts_from_the_question(desk):
    """A slow answer is as old as its question: the file may have changed while it was on its way."""
    people = desk.people()
    asked_ms = desk.clock.now_ms()
    known, _ = await people.know([KEY])
    assert known[KEY].answer.fetched_at_ms == asked_ms
    desk.clock.advance(s=10)
    known, _ = await people.know([KEY])
    assert desk.clock.now_ms() - known[KEY].answer.fetched_at_ms == 10_000


async def test_equal_questions_in_flight_are_asked_once(desk):
    """Ten batches about the same people cost one look-up for each person."""
    people = desk.people()
    keys = [key_of(n) for n in range(5)]
    answers = await asyncio.gather(*(people.know(keys) for _ in range(10)))
    assert all(known.keys() == set(keys) and error is None for known, error in answers)
    assert await desk.asked() == 5
    # A batch that was still reading the table when the answer came takes it from memory.
    assert desk.looked_up("live") == 5
    assert desk.looked_up("coalesced") + desk.looked_up("cached") == 45
    cached = desk.looked_up("cached")
    await people.know(keys)
    assert desk.looked_up("cached") == cached + 5


async def test_questions_that_come_together_cost_one_call_and_one_transaction(desk):
    """Eight people asked about at once, each by another request: one call, and their files written once."""
    people = desk.people()
    lookup, calls = people._registry.lookup, []

    async def noted(keys):
        calls.append(len(keys))
        return await lookup(keys)

    people._registry.lookup = noted
    await people.know([key_of(9)])  # what the feed told has been read by then
    now = desk.clock.now_ms()
    with statements("INSERT INTO people") as written:
        answers = await asyncio.gather(*(people.know([key_of(n)], not_before_ms=now) for n in range(8)))
    assert [list(known) for known, _ in answers] == [[key_of(n)] for n in range(8)]
    assert all(known[key_of(n)].answer.live for n, (known, _) in enumerate(answers))
    assert (len(written), calls) == (1, [1, 8])


async def test_an_outage_reaches_everybody_who_joined(desk):
    """Each of the questions in a call that failed is told of the outage, none is answered `not found`."""
    people = desk.people()
    await people.know([key_of(9)])  # what the feed told has been read by then
    await desk.box.faults(OUTAGE)
    now = desk.clock.now_ms()
    answers = await asyncio.gather(*(people.know([key_of(n)], not_before_ms=now) for n in range(5)))
    assert all(known == {} and isinstance(error, UpstreamError) for known, error in answers)
    assert len({id(error) for _, error in answers}) == 1


async def test_an_answer_that_came_while_the_table_was_read_is_used(desk):
    """A batch that is slow to read the table does not ask again what another has just learnt."""
    people = desk.people()
    find, reading, go_on = people._snapshots.find, asyncio.Event(), asyncio.Event()

    async def slow_find(keys):
        found = await find(keys)
        reading.set()
        await go_on.wait()
        return found

    people._snapshots.find = slow_find
    slow = asyncio.create_task(people.know([KEY]))
    await reading.wait()
    people._snapshots.find = find
    await people.know([KEY])
    go_on.set()
    known, _ = await slow
    assert (await desk.asked(), known.keys()) == (1, {KEY})


async def test_a_recheck_does_not_take_an_answer_asked_for_before_it(desk):
    """A question already on its way may have been answered before the fix: the recheck asks once more."""
    people = desk.people()
    await desk.box.faults({"target": "registry", "mode": "latency", "latency_ms": 200, "remaining": 1})
    early = asyncio.create_task(people.know([KEY]))
    async with asyncio.timeout(5):
        while not (await desk.box.stats())["faults_struck"]:
            pass
    desk.clock.advance(ms=5)
    known, error = await people.know([KEY], not_before_ms=desk.clock.now_ms())
    assert error is None and known[KEY].answer.fetched_at_ms == desk.clock.now_ms()
    await early
    assert await desk.asked() == 2


async def test_a_batch_costs_one_query_of_the_table(desk):
    """However many people a batch names, their answers come in one read, and their files in another."""
    await desk.people().know([key_of(n) for n in range(20)])
    with statements("JOIN lookups") as lookups, statements("JOIN people") as files:
        known, _ = await desk.people().know([key_of(n) for n in range(20)])
    assert len(known) == 20 and (len(lookups), len(files)) == (1, 1)
    assert await desk.asked() == 20


async def test_an_outage_is_no_answer_and_is_not_remembered(desk):
    """While the sector database is down nobody is `not found`; afterwards the next question is asked."""
    people = desk.people()
    await desk.box.faults(OUTAGE)
    known, error = await people.know([KEY, STRANGER])
    assert known == {} and isinstance(error, UpstreamError)
    async with desk.db.read() as tx:
        assert not await tx.rows("SELECT * FROM lookups") and not await tx.rows("SELECT * FROM people")
    await desk.box.faults()
    assert await name_of(people) == "Nguyễn Thị Hòa 1"


async def test_during_an_outage_what_is_fresh_still_counts(desk):
    """An outage stops only the questions that must be asked, not those already answered."""
    people = desk.people()
    await people.know([KEY])
    await desk.box.faults(OUTAGE)
    known, error = await people.know([KEY, key_of(2)])
    assert known.keys() == {KEY} and isinstance(error, UpstreamError)


async def test_everybody_who_waits_for_a_failed_question_hears_of_the_failure(desk):
    """A batch that waited for another's question is told of the outage, never left without word."""
    people = desk.people()
    await desk.box.faults(OUTAGE)
    answers = await asyncio.gather(*(people.know([KEY]) for _ in range(3)))
    assert all(known == {} and isinstance(error, UpstreamError) for known, error in answers)


async def test_a_version_rises_only_when_the_file_differs(desk):
    """Asking again is no change; each version that was judged by is kept."""
    people = desk.people()

    async def version() -> int:
        known, _ = await people.know([KEY], not_before_ms=desk.clock.now_ms())
        return known[KEY].people[KEY.value].version

    versions = [await version(), await version()]
    await desk.change(KEY.value, full_name="Lê Thị Mới")
    desk.clock.advance(ms=1)
    versions += [await version(), await version()]
    assert versions == [1, 1, 2, 2]
    async with desk.db.read() as tx:
        kept = await tx.rows(
            "SELECT p.sector_key, s.version, s.sealed FROM snapshots s JOIN people p ON p.id = s.person_id "
            "ORDER BY s.version"
        )
    files = [people._snapshots.open(bytes(row.sector_key), bytes(row.sealed)) for row in kept]
    assert [file.full_name for file in files] == ["Nguyễn Thị Hòa 1", "Lê Thị Mới"]


async def test_the_memory_is_bounded(desk):
    """A process remembers so many answers and no more; a batch larger than that is answered all the same."""
    people = desk.people(memory=4)
    known, error = await people.know([key_of(n) for n in range(10)])
    assert error is None and len(known) == 10
    assert len(people._memory) == len(people._remembered) == 4
    known, _ = await people.know([key_of(n) for n in range(10)])
    assert len(known) == 10 and await desk.asked() == 10


async def test_two_processes_share_the_table(desk):
    """What one process asked, another need not ask; both know the person under the same id."""
    first, second = desk.people(), desk.people()
    one, _ = await first.know([KEY])
    two, _ = await second.know([KEY])
    assert one[KEY].people == two[KEY].people and await desk.asked() == 1
    [person] = one[KEY].people.values()
    assert await second.sector_ids({person.id}) == {person.id: KEY.value}


async def test_a_late_answer_never_replaces_a_newer_one(desk):
    """Two processes ask at once: the answer to the earlier question, written last, changes nothing."""
    snapshots = desk.people()._snapshots
    known, _ = await desk.people().know([KEY])
    [new] = known[KEY].answer.hits
    now = desk.clock.now_ms()
    await snapshots.store({KEY: ()}, asked_at_ms=now - 1)
    found = await snapshots.find([KEY])
    assert found[KEY].answer.hits == (new,) and found[KEY].answer.fetched_at_ms == now


async def test_files_are_sealed_and_questions_are_blind(desk):
    """Neither names nor identifiers stand in the tables, and another key ring opens nothing."""
    await desk.people().know([KEY])
    async with desk.db.read() as tx:
        rows = [*await tx.rows("SELECT * FROM people"), *await tx.rows("SELECT * FROM lookups")]
    assert rows
    stored = b"".join(cell if isinstance(cell, bytes) else str(cell).encode() for row in rows for cell in row)
    assert KEY.value.encode() not in stored and "Hòa".encode() not in stored
    other = Vault(KeyRing((Key("m2", b"x" * 32, "2026-01-01"),), (Key(1, b"b" * 32, "2026-01-01"),), None))
    with pytest.raises(KeyMissing):
        other.open(bytes(rows[0].snapshot_sealed), b"")


async def test_of_two_files_under_one_identifier_both_are_kept(desk):
    """Several hits come back as several, from memory and from the table: nobody is chosen."""
    twin = {"full_name": "Trần Văn Nam", "birth_date": "1990-01-01", "citizen_id": "031185001234"}
    for n in (3, 4):
        await desk.change(f"310000000{n}", citizen_id=twin["citizen_id"])
    key = LookupKey(IdentifierType.PERSONAL, twin["citizen_id"])
    for people in (desk.people(), desk.people()):
        known, _ = await people.know([key])
        assert sorted(known[key].people) == ["3100000003", "3100000004"]
    assert await desk.asked() == 1
