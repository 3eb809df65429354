"""What became of each item against what had to: receipt, fate, and the records that TEMIS really holds."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from gateway.model.states import State
from gateway.queue.balance import Balance
from gateway.queue.listing import Filter, Line, list_deliveries
from gateway.sandbox.item import Expected, Item
from gateway.sandbox.vendor import ReceiptSeen
from gateway.storage.engine import Database

PAGE = 1_000
SUPERSEDED = frozenset(("superseded", "replaced"))

Key = tuple[str, str, int]  # vendor, event id, revision


class Mismatch(NamedTuple):
    """One thing that is not as it should be: the text `demo.mismatch.<what>` and its fillers."""

    what: str
    subject: str  # vendor, event and revision, or a record of TEMIS; no personal value
    expected: object
    found: object


class Believed(NamedTuple):
    """What our own table says of one record that TEMIS acknowledged."""

    module_code: str
    school_year: str
    revision: int


async def read_lines(db: Database) -> dict[Key, Line]:
    """Every delivery that carries a completion."""
    found: dict[Key, Line] = {}
    after = 0
    while page := await list_deliveries(db, Filter(), after=after, limit=PAGE):
        after = page[-1].id
        found |= {
            (line.vendor, line.event_id, line.revision): line for line in page if line.kind == "completion"
        }
    return found


async def read_believed(db: Database) -> dict[str, Believed]:
    """Our records by the id that TEMIS gave them."""
    async with db.read() as tx:
        rows = await tx.rows(
            "SELECT temis_record_id, module_code, school_year, sent_revision FROM records "
            "WHERE temis_record_id IS NOT NULL"
        )
    return {row.temis_record_id: Believed(row.module_code, row.school_year, row.sent_revision) for row in rows}


def of_items(
    answered: Sequence[tuple[Item, ReceiptSeen]], lines: dict[Key, Line], balance: Balance
) -> Iterator[Mismatch]:
    """Receipt and fate of each item, and that everything sent is in the ledger."""
    arrived = sum(balance.total.arrived.values())
    if arrived != len(answered):
        yield Mismatch("arrived", "", len(answered), arrived)
    for item, receipt in answered:
        expected = item.expected
        subject = f"{expected.vendor} {expected.event_id} ({expected.revision})"
        if receipt.status != expected.receipt:
            yield Mismatch("receipt", subject, expected.receipt, receipt.status)
        line = lines.get((expected.vendor, expected.event_id, expected.revision))
        if line is None:
            yield Mismatch("fate", subject, expected.fate, "–")
        elif receipt.delivery_id != str(line.id):
            yield Mismatch("receipt", subject, line.id, receipt.delivery_id)
        elif not is_as_expected(expected, line):
            wanted = f"{expected.fate} {expected.reason or ''}".strip()
            yield Mismatch("fate", subject, wanted, f"{line.state} {line.reason or ''}".strip())


def is_as_expected(expected: Expected, line: Line) -> bool:
    """Whether a delivery ended the way its story says."""
    match expected.fate:
        case "delivered":
            return line.state is State.DELIVERED
        case "superseded":
            return line.state is State.VOIDED and line.reason in SUPERSEDED
        case "held":
            return line.state is State.HELD and line.reason == expected.reason


def of_records(
    items: Sequence[Item], believed: dict[str, Believed], records: Sequence[dict[str, Any]]
) -> Iterator[Mismatch]:
    """TEMIS holds exactly the records it should, and what we believe of each is so."""
    wanted = {
        (e.sector_id, e.module, e.school_year)
        for e in (item.expected for item in items)
        if e.fate == "delivered"
    }
    there = {(r["sector_id"], r["module_code"], r["school_year"]) for r in records}
    if wanted != there:
        yield Mismatch("records", f"+{len(there - wanted)} −{len(wanted - there)}", len(wanted), len(there))
    shown = {r["record_id"]: Believed(r["module_code"], r["school_year"], r["revision"]) for r in records}
    for record_id in sorted(believed.keys() | shown.keys()):
        if believed.get(record_id) != shown.get(record_id):
            yield Mismatch("record", record_id, believed.get(record_id), shown.get(record_id))


def of_writes(writes: Sequence[dict[str, Any]]) -> Iterator[Mismatch]:
    """Each record was created once, and nothing was written that was written before."""
    created = Counter(write["key"] for write in writes if write["op"] == "created")
    contents = Counter((write["key"], write["new_digest"]) for write in writes)
    twice = sum(n > 1 for n in created.values()) + sum(n > 1 for n in contents.values())
    never = len({write["key"] for write in writes} - created.keys())
    if twice:
        yield Mismatch("written_twice", "", 0, twice)
    if never:
        yield Mismatch("never_created", "", 0, never)
