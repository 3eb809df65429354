"""Units in storage on both engines: what an import writes is what the tree shows, and the audit says so."""

from datetime import date

from gateway.bdtx.sheets import parse_sheet
from gateway.bdtx.unit_store import UnitRegister, load_units, save
from gateway.bdtx.units import Level, Unit, Units
from gateway.bdtx.units_file import COLUMNS, REQUIRED, Plan, merged, plan_import
from gateway.sandbox.units_table import document
from gateway.storage.audit import read_audit

TODAY = date(2026, 11, 20)


def contents(units: Units) -> tuple[object, object]:
    versions = sorted(
        (v for code in units.codes() for v in units.versions(code)), key=lambda v: (v.code, v.valid_from)
    )
    return versions, sorted(
        (e.source, e.target, e.change, e.on) for c in units.codes() for e in units.edges_of(c)[1]
    )


async def test_what_is_written_is_what_is_read(db, clock):
    """Dates, empty ends, levels taught, contacts and edges survive the way through storage."""
    content = document().encode()
    plan = plan_import(parse_sheet(content, "units.csv", COLUMNS, REQUIRED), Units(), TODAY)
    await save(db, clock, plan, actor="machine:op", file="units.csv", content=content)
    found = await load_units(db)
    assert contents(found) == contents(merged(Units(), plan))
    assert plan_import(parse_sheet(content, "units.csv", COLUMNS, REQUIRED), found, TODAY).is_empty
    [act] = await read_audit(db)
    assert (act.actor, act.act, act.object) == ("machine:op", "units.import", "units.csv")
    assert act.detail["new"] == len(plan.new)


async def test_an_import_larger_than_one_transaction_arrives_whole(db, clock):
    """Other writers get their turn in between, and nothing is left out."""
    department = Unit("31", "Sở", Level.DEPARTMENT)
    schools = [Unit(f"{n:08}", f"Trường {n}", Level.SCHOOL, "31") for n in range(2_500)]
    await save(db, clock, Plan(new=[*schools, department]), actor="a", file="f", content=b"")
    found = await load_units(db)
    assert len(found.descendants_at("31", TODAY)) == 2_500


async def test_a_process_sees_an_import_of_another(db, clock):
    """`serve` follows what `gateway units import` wrote, within seconds and without a restart."""
    register = UnitRegister(db, clock)
    assert len(await register.current()) == 0
    await save(db, clock, Plan(new=[Unit("31", "Sở", Level.DEPARTMENT)]), actor="a", file="f", content=b"")
    clock.advance(s=5)
    assert len(await register.current()) == 1
    renamed = Unit("31", "Sở GDĐT Hải Phòng", Level.DEPARTMENT)
    clock.advance(s=60)
    await save(db, clock, Plan(changed=[renamed]), actor="a", file="f", content=b"")
    clock.advance(s=5)
    found = (await register.current()).unit_at("31", TODAY)
    assert found == renamed
    clock.advance(s=60)
    assert (await register.current()).unit_at("31", TODAY) is found
