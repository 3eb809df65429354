"""The balance by vendor, course and day: every line closes by itself, and a lost row shows in its own line."""

import pytest

from gateway.model.course_number import course_number
from gateway.queue import accept
from gateway.queue.balance_sheet import Key, missing_events, named_courses, sheets
from gateway.storage.engine import Database
from tests.builders import NOON, an_arrival

DAY_MS = 86_400_000


@pytest.fixture
async def full(db: Database) -> Database:
    """Two vendors, three courses, two days; some are sent twice."""
    for day in (0, 1):
        arrivals = [
            an_arrival(f"e{day}-{i}", vendor_id=1 + i % 2, course=course_number(1 + i % 2, f"c-{i % 3}"))
            for i in range(60)
        ]
        await db.write(
            lambda tx, part=arrivals, at=NOON + day * DAY_MS: accept.store(tx, [*part, *part[:12]], [], at)
        )
    return db


async def test_each_line_closes_and_the_lines_are_the_whole(full):
    """Vendor, course and day: received by the ledger is what the rows say, and duplicates are apart."""
    found = await sheets(full)
    assert len(found) == 2 * 3 * 2
    assert all(sheet.closes for sheet in found.values())
    assert sum(sheet.received for sheet in found.values()) == 120
    assert sum(sheet.arrived["duplicate"] for sheet in found.values()) == 24
    one = found[Key("viettel", course_number(1, "c-0"), 20_260_309)]
    assert (one.received, one.states["accepted"], one.arrived["duplicate"]) == (10, 10, 2)
    assert list(found) == sorted(found)


async def test_a_lost_row_opens_its_own_line_and_no_other(full):
    """Also where the total is right again because another row has appeared from nowhere."""

    async def tamper(tx):
        await tx.run("DELETE FROM deliveries WHERE event_id = 'e0-0'")
        await tx.run(
            "INSERT INTO deliveries (vendor_id, event_id, revision, kind, digest, received_at_ms, day, lane, "
            "state, changed_at_ms, course) SELECT vendor_id, 'forged', 1, kind, digest, received_at_ms, day, "
            "lane, state, changed_at_ms, course FROM deliveries WHERE event_id = 'e1-2'"
        )

    await full.write(tamper)
    is_open = {key: sheet.difference for key, sheet in (await sheets(full)).items() if not sheet.closes}
    assert is_open == {
        Key("viettel", course_number(1, "c-0"), 20_260_309): 1,
        Key("viettel", course_number(1, "c-2"), 20_260_310): -1,
    }
    assert all(sheet.closes for sheet in (await sheets(full, ["vendor"])).values()), "which the total hides"


async def test_it_is_drawn_by_what_is_asked_for(full):
    """By day alone, by course alone, of one day only."""
    assert [key.day for key in await sheets(full, ["day"])] == [20_260_309, 20_260_310] * 2
    assert len(await sheets(full, ["course"])) == 6
    first = await sheets(full, ["vendor"], first_day=20_260_309, last_day=20_260_309)
    assert {key.vendor: sheet.received for key, sheet in first.items()} == {"viettel": 30, "vnpt": 30}


async def test_courses_are_named_once_they_were_looked_up(full):
    """Until then a line shows the number."""
    await full.write(
        lambda tx: tx.run("INSERT INTO courses (vendor_id, course_key, title) VALUES (2, 'c-1', 'Mô đun 3')")
    )
    names = await named_courses(full)
    assert {number: one.title for number, one in names.items()} == {course_number(2, "c-1"): "Mô đun 3"}


async def test_a_vendor_finds_the_events_that_never_arrived(full):
    """Exactly those, whatever else the list holds, and another vendor's are no help."""
    asked = ["e0-0", "e1-58", "lost-2", "lost-1", "e0-1"]  # e0-1 is the other vendor's
    assert await missing_events(full, 1, asked) == ["e0-1", "lost-1", "lost-2"]
