"""What the unit table says of claimed schools: read from memory, never of yesterday after a wake."""

from datetime import date

import pytest

from gateway.bdtx.unit_store import UnitRegister, save
from gateway.bdtx.units import Change, Edge, Level, Unit
from gateway.bdtx.units_file import Plan
from gateway.identity.case import UnitFacts
from gateway.stages.unit_facts import FactsOfUnits

MERGED = date(2025, 7, 1)
LAST = date(2025, 6, 30)
BEFORE, AFTER = date(2025, 3, 1), date(2025, 9, 1)
OLD = Unit("31000001", "TH An Đồng", Level.SCHOOL, valid_to=LAST)
BESIDE = Unit("31000002", "TH An Dương", Level.SCHOOL, valid_to=LAST)
NEW = Unit("31000003", "TH An Đồng - An Dương", Level.SCHOOL, valid_from=MERGED)
EDGES = [Edge(unit.code, NEW.code, Change.MERGE, MERGED) for unit in (OLD, BESIDE)]


class Counted(UnitRegister):
    """A register whose looks at the database are counted."""

    looks = 0

    async def current(self, *, as_of_wake=None):
        before = self._looked_at_ms, self._as_of_wake
        units = await super().current(as_of_wake=as_of_wake)
        self.looks += before != (self._looked_at_ms, self._as_of_wake)
        return units


@pytest.fixture
def register(db, clock):
    return Counted(db, clock)


@pytest.fixture
def facts(register):
    return FactsOfUnits(register)


async def _import(db, clock, *units, edges=()):
    await save(db, clock, Plan(new=list(units), edges=list(edges)), actor="a", file="f", content=b"")


async def test_without_a_table_nothing_is_said(facts):
    """A gateway that was never given units finds no school unknown."""
    assert await facts.of([("31000001", BEFORE), (None, BEFORE)]) == [UnitFacts(), UnitFacts()]


async def test_a_batch_is_told_in_order(db, clock, facts):
    """Unknown, unstated, merged before and after: each row has its own facts."""
    await _import(db, clock, OLD, BESIDE, NEW, edges=EDGES)
    told = await facts.of([("99999999", BEFORE), ("", BEFORE), (" 31000001 ", BEFORE), ("31000001", AFTER)])
    assert told == [
        UnitFacts(known=False),
        UnitFacts(),
        UnitFacts(known=True, same_as=frozenset({NEW.code})),
        UnitFacts(known=True, closed=True, same_as=frozenset({NEW.code, BESIDE.code})),
    ]


async def test_two_schools_were_two_until_they_were_merged(db, clock, facts):
    """A teacher filed at the other of two schools had moved, if the course was completed before the merger."""
    await _import(db, clock, OLD, BESIDE, NEW, edges=EDGES)
    [before, after] = await facts.of([(OLD.code, BEFORE), (NEW.code, AFTER)])
    assert BESIDE.code not in before.same_as
    assert after.same_as == {OLD.code, BESIDE.code}


async def test_a_split_school_is_not_the_same_school(db, clock, facts):
    """Who came out of a split is at one of several schools; that is a move, and is said."""
    split = [Edge(OLD.code, code, Change.SPLIT, MERGED) for code in (BESIDE.code, NEW.code)]
    await _import(db, clock, OLD, BESIDE, NEW, edges=split)
    assert await facts.of([(OLD.code, AFTER)]) == [UnitFacts(known=True, closed=True)]


async def test_a_batch_costs_no_look_while_nothing_changed(db, clock, facts, register):
    """The hot path reads memory: one look in five seconds, however many rows and batches."""
    await _import(db, clock, OLD)
    for _ in range(3):
        await facts.of([(OLD.code, BEFORE)] * 100, as_of_wake=7)
    assert register.looks == 1


async def test_after_a_wake_the_units_are_those_of_now(db, clock, facts):
    """What a wake about units makes due is judged by the new units, not by what is still in memory."""
    await _import(db, clock, OLD)
    assert await facts.of([(NEW.code, AFTER)], as_of_wake=1) == [UnitFacts(known=False)]
    await _import(db, clock, BESIDE, NEW, edges=EDGES)
    assert await facts.of([(NEW.code, AFTER)], as_of_wake=1) == [UnitFacts(known=False)]
    [told] = await facts.of([(NEW.code, AFTER)], as_of_wake=2)
    assert told.known
    assert OLD.code in told.same_as
