"""A country's cases in a statement a table: 34 departments, 3 060 communes, 48 960 schools, one in 20 held."""

from pathlib import Path

from gateway.bdtx.units import Level, Unit, Units
from gateway.identity.accounts import Accounts
from gateway.identity.snapshots import Snapshots
from gateway.model.completion import Claim, Completion, Course, Result
from gateway.queue import payloads
from gateway.security.blind import BlindIndex
from gateway.security.keys import KeyRing
from gateway.security.vault import Vault
from gateway.stages.cases.keys import keys_of
from gateway.stages.cases.sight import Desk
from gateway.storage.data_keys import ensure_data_keys
from gateway.storage.engine import Database
from tests.builders import NOON, FakeClock

DEPARTMENTS, COMMUNES, SCHOOLS = 34, 90, 16
_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {last})"
_PART = 100_000
# Every fifth completion is the same person's; a school's people follow each other.
_SCHOOL = f"((i / 5) % {DEPARTMENTS * COMMUNES * SCHOOLS})"
_COMMUNE = f"({_SCHOOL} / {SCHOOLS})"
_DEPARTMENT = f"({_SCHOOL} / {SCHOOLS * COMMUNES})"
_HELD = "i % 20 = 0"
_REASON = "CASE WHEN i % 60 = 0 THEN 'registry.not_found' ELSE 'reason.' || ((i / 20) % 9) END"
DELIVERIES = f"""{_NUMBERS} INSERT INTO deliveries (id, vendor_id, event_id, revision, kind, digest,
    received_at_ms, day, lane, state, reason, changed_at_ms)
SELECT i, 1 + i % 2, 'e' || i, 1, 'completion', {{blob}}, {NOON} + i, 20260309, 101,
    CASE WHEN {_HELD} THEN 'held' ELSE 'delivered' END,
    CASE WHEN {_HELD} THEN {_REASON} END, {NOON} + i FROM n"""
CASES = f"""{_NUMBERS} INSERT INTO cases (delivery_id, vendor_id, received_at_ms, state, reason, claimed_unit,
    school_code, commune_code, department_code, account_key, name_key, identifier_key, course_key, module_code)
SELECT i, 1 + i % 2, {NOON} + i, CASE WHEN {_HELD} THEN 'held' ELSE 'delivered' END,
    CASE WHEN {_HELD} THEN {_REASON} END, 'S' || {_SCHOOL}, 'S' || {_SCHOOL}, 'C' || {_COMMUNE},
    'D' || {_DEPARTMENT}, {{account}}, {{name}}, {{identifier}}, 'course-' || (i % 200),
    'GVPT' || (i % 30) FROM n"""
VERIFICATIONS = f"""{_NUMBERS} INSERT INTO verifications (delivery_id, at_ms, verified, reason, age_ms,
    policy_version, findings)
SELECT i, {NOON} + i, CASE WHEN {_HELD} THEN 0 ELSE 1 END, CASE WHEN {_HELD} THEN {_REASON} END, 0, '1',
    '[["registry.not_found","holds"]]' FROM n"""
_BLOB = {"sqlite": "CAST({} AS BLOB)", "postgresql": "convert_to({}, 'UTF8')"}


async def fill(db: Database, count: int) -> None:
    """Writes `count` deliveries with their cases and verifications, then gathers statistics."""
    blob = _BLOB[db.dialect].format

    def text(expression: str) -> str:
        return blob(f"CAST({expression} AS text)")

    how = {
        "blob": blob("'digest'"),
        "account": text("'a' || (i / 5)"),
        "name": text("'n' || ((i / 5) % 300000)"),
        "identifier": text("'i' || (i / 5)"),
    }
    for first in range(1, count + 1, _PART):
        part = {**how, "first": first, "last": min(first + _PART - 1, count)}
        for sql in (DELIVERIES, CASES, VERIFICATIONS):
            written = sql.format(**part)
            await db.write(lambda tx, sql=written: tx.run(sql))
    async with db.engine.connect() as connection:
        await connection.exec_driver_sql("ANALYZE")
        await connection.commit()


def units() -> Units:
    """The units of one department, D1, and one commune and school of it by name."""
    made = [Unit("BGD", "Bộ", Level.MINISTRY), Unit("D1", "Sở", Level.DEPARTMENT, "BGD")]
    for commune in range(COMMUNES, 2 * COMMUNES):
        made.append(Unit(f"C{commune}", f"UBND {commune}", Level.COMMUNE, "D1"))
        for school in range(commune * SCHOOLS, (commune + 1) * SCHOOLS):
            made.append(Unit(f"S{school}", f"Trường {school}", Level.SCHOOL, f"C{commune}", teaches=("THCS",)))
    return Units(made)


async def desk_over(db: Database, clock: FakeClock, folder: Path) -> Desk:
    """A desk with keys of its own."""
    KeyRing.generate(folder / "keys.json")
    ring = KeyRing.load(folder / "keys.json")
    vault, blind = Vault(ring), BlindIndex(ring)
    await ensure_data_keys(db, vault, clock)
    return Desk(db, clock, vault, blind, Snapshots(db, vault, blind), Accounts(db, vault, blind))


async def send(desk: Desk, ids: list[int]) -> None:
    """Gives these deliveries something that was sent, and their cases the keys of it."""
    for id_ in ids:
        sent = Completion(
            vendor=("viettel", "vnpt")[id_ % 2],
            event_id=f"e{id_}",
            completed_at_ms=NOON,
            claim=Claim(
                lms_user_id=f"u{id_ // 5}",
                identifier=f"{id_ // 5:010}",
                full_name="Nguyễn Thị Hòa",
                unit_code=f"S{id_ // 5 % (DEPARTMENTS * COMMUNES * SCHOOLS)}",
            ),
            course=Course(course_id="course-1", title="Mô đun"),
            result=Result(passed=True),
        )
        body = payloads.seal(desk.vault, 1 + id_ % 2, sent, b"{}")
        name = keys_of(desk.blind, sent).name

        async def write(tx, id_=id_, body=body, name=name) -> None:
            await tx.run("INSERT INTO payloads (delivery_id, body) VALUES (:id, :body)", id=id_, body=body)
            await tx.run("UPDATE cases SET name_key = :name WHERE delivery_id = :id", id=id_, name=name)

        await desk.db.write(write)
