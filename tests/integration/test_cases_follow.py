"""The table of cases: it follows the queue off the hot path, belongs to the right unit, and misses nothing."""

from dataclasses import replace
from datetime import date

import pytest

from gateway.bdtx.places import place_of, within
from gateway.bdtx.scope import CaseUnits, may_see
from gateway.bdtx.unit_store import save
from gateway.bdtx.units import Change, Edge, Level, Unit
from gateway.bdtx.units_file import Plan
from gateway.model.clock import local_date
from gateway.queue.acts import replay, withdraw
from gateway.queue.terms import set_terms
from gateway.stages.cases import failures
from gateway.stages.cases.follow import LATE_COMMIT_MS
from gateway.stages.cases.reading import read_case
from gateway.stages.cases.sight import Desk, Sight
from tests.integration.by_hand import completion
from tests.integration.casework import ELSEWHERE, FAR, THPT, UNITS, A, B, casework, viewer


@pytest.fixture
async def lab(database_url, tmp_path, clock):
    async with casework(database_url, tmp_path, clock) as lab:
        yield lab


def place(row) -> tuple[str | None, str | None, str | None]:
    return row.school_code, row.commune_code, row.department_code


async def test_a_held_case_belongs_to_the_claimed_unit_and_a_verified_one_to_the_registrys(lab):
    """A code that hits a stranger of another school tells that school nothing, and this one nothing of it."""
    await lab.moves(1, B)
    held = await lab.fails(1, school=A)
    verified = await lab.passes(2, school=ELSEWHERE)
    await lab.follow()
    found = await lab.cases()
    assert place(found[held]) == (A, "31001", "31")
    assert (found[held].state, found[held].reason) == ("held", "attribute.name_mismatch")
    assert found[held].registry_unit is None and found[held].person_id is None
    assert place(found[verified]) == (A, "31001", "31") and found[verified].registry_unit == A
    assert found[verified].reason is None and found[verified].person_id is not None


async def test_what_waits_for_its_first_verdict_is_there_already(lab):
    """Who asks where a result is finds it while the sector database is silent."""
    [id_] = await lab.send(completion(3))
    await lab.follow()
    assert (await lab.cases())[id_].state == "accepted"


async def test_every_change_of_state_arrives(lab):
    """Verified, delivered, withdrawn; held, replayed: the row says what the queue says."""
    sent, held = await lab.passes(4), await lab.fails(5)
    await lab.follow()
    await lab.deliver()
    await replay(lab.db, lab.clock, [held])
    await lab.follow()
    found = await lab.cases()
    assert (found[sent].state, found[held].state, found[held].reason) == ("delivered", "accepted", None)
    await withdraw(lab.db, lab.clock, 1, "evt-4")
    await lab.verify()
    await lab.follow()
    found = await lab.cases()
    assert (found[sent].state, found[held].state) == ("voided", "held")


async def test_following_twice_changes_nothing(lab):
    """A crash between two batches repeats one; rows and how far was read stay the same."""
    await lab.fails(6)
    await lab.follow()
    before = await lab.rows("SELECT * FROM cases")
    read = await lab.rows("SELECT value FROM cursors WHERE name = 'cases'")
    await lab.follow()
    assert await lab.rows("SELECT * FROM cases") == before
    assert await lab.rows("SELECT value FROM cursors WHERE name = 'cases'") == read


async def test_a_row_that_was_committed_late_is_found_at_the_second_look(lab):
    """PostgreSQL gives out ids before the commit: a row may appear behind what was read already."""
    first, second = await lab.fails(7), await lab.fails(8)
    await lab.follow()

    async def lose(tx) -> None:
        await tx.run("DELETE FROM cases WHERE delivery_id = :id", id=first)
        await tx.run("UPDATE cases SET state = 'accepted', reason = NULL WHERE delivery_id = :id", id=second)

    await lab.db.write(lose)
    await lab.follow()
    assert set(await lab.cases()) == {second}
    for _ in range(2):
        lab.clock.advance(ms=LATE_COMMIT_MS)
        await lab.follow()
    found = await lab.cases()
    assert set(found) == {first, second} and found[second].state == "held"


async def test_a_payload_past_its_retention_leaves_a_case_without_keys(lab):
    """It is still found by receipt and event, and stops nothing that comes after it."""
    held = await lab.fails(9)
    await lab.db.write(lambda tx: tx.run("DELETE FROM payloads"))
    after = await lab.fails(10)
    await lab.follow()
    found = await lab.cases()
    assert found[held].name_key is None and found[held].state == "held"
    assert found[after].name_key is not None


async def test_an_unknown_school_goes_to_the_department_that_its_code_names(lab):
    """A case without a known unit must not lie where nobody looks."""
    stray = await lab.fails(11, school="31999999")
    nobodys = await lab.fails(12, school="99999999")
    await lab.follow()
    found = await lab.cases()
    assert place(found[stray]) == (None, None, "31")
    assert place(found[nobodys]) == (None, None, None)


async def test_what_names_no_school_belongs_to_the_sources_department(lab):
    """Stated before or after it came, and only for departments; a school that is known still decides."""
    await set_terms(lab.db, lab.clock, "viettel", {"department": "33"}, by="test")
    unnamed = await lab.fails(17, school=None)
    nobodys = await lab.fails(18, school="99999999")
    named = await lab.fails(19)
    await lab.follow()
    found = await lab.cases()
    assert place(found[unnamed]) == place(found[nobodys]) == (None, None, "33")
    assert place(found[named]) == (A, "31001", "31")

    await set_terms(lab.db, lab.clock, "viettel", {"department": "31"}, by="test")
    await lab.move()
    assert place((await lab.cases())[unnamed]) == (None, None, "31")
    await set_terms(lab.db, lab.clock, "viettel", {"department": A}, by="test")  # a school is none
    await lab.move()
    assert place((await lab.cases())[unnamed]) == (None, None, None)


async def test_only_that_department_sees_and_reads_such_a_case(lab):
    """Its admin finds it in the list and opens it; schools, communes and other departments do neither."""
    await set_terms(lab.db, lab.clock, "viettel", {"department": "31"}, by="test")
    held = await lab.fails(20, school=None)
    await lab.follow()
    g, units, today = lab.gateway, await lab.register.current(), local_date(lab.clock.now_ms())
    desk = Desk(g.db, g.clock, g.vault, g.blind, g.snapshots, g.accounts)
    seen = set()
    for unit in UNITS:
        sight = Sight(units, viewer(unit.code), today)
        lines = await failures.lines(desk, sight, sight.limit, "attribute.name_mismatch")
        case = await read_case(desk, sight, held)
        assert [line.id for line in lines] == ([held] if case else [])
        seen |= {unit.code} if case else set()
    assert seen == {"31", "BGDDT"}


async def test_cases_move_with_their_unit(lab):
    """Two schools become one, and a school gets another commune: cases stand where the units stand today."""
    merged, moved, stays = await lab.fails(13, school=B), await lab.fails(14, school=FAR), await lab.fails(15)
    await lab.follow()
    far = next(unit for unit in UNITS if unit.code == FAR)
    later = replace(far, parent="31001", valid_from=date(2026, 1, 1))
    await lab.units(later)

    gone = replace(next(unit for unit in UNITS if unit.code == B), valid_to=date(2026, 1, 1))
    edge = Edge(B, A, Change.MERGE, date(2026, 1, 2))
    await save(lab.db, lab.clock, Plan(changed=[gone], edges=[edge]), actor="test", file="f", content=b"")
    await lab.move()
    found = await lab.cases()
    assert place(found[merged]) == (A, "31001", "31")
    assert place(found[moved]) == (FAR, "31001", "31")
    assert place(found[stays]) == (A, "31001", "31")


async def test_a_day_on_which_a_unit_begins_moves_cases_without_an_import(lab):
    """The units file said in good time what would be; nobody has to press anything on the day."""
    await lab.units(Unit("31000999", "Trường mới", Level.SCHOOL, "31001", valid_from=date(2026, 3, 11)))
    early = await lab.fails(16, school="31000999")
    await lab.follow()
    await lab.move()
    assert place((await lab.cases())[early])[0] is None
    lab.clock.advance(s=3 * 86_400)
    await lab.move()
    assert place((await lab.cases())[early]) == ("31000999", "31001", "31")


async def test_the_places_of_all_units_are_where_scope_lets_them_be_seen(lab):
    """The columns say exactly what `may_see` says, for every unit and every viewer's unit."""
    units, today = await lab.register.current(), local_date(lab.clock.now_ms())
    seen = 0
    for claimed in [unit.code for unit in UNITS if unit.level is not Level.MINISTRY]:
        at = place_of(units, CaseUnits(claimed, None), today)
        for mine in UNITS:
            limit = within(units, viewer(mine.code), today)
            assert limit is not None
            is_in = limit.column is None or getattr(at, limit.column) == limit.code
            assert is_in == may_see(units, viewer(mine.code), claimed, today), (claimed, mine.code)
            seen += is_in
    assert seen and THPT in [unit.code for unit in UNITS]
