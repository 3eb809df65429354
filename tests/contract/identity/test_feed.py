"""The change feed: what it names is asked anew by every process; while it keeps up, the rest is kept longer."""

import time

import pytest

from gateway.identity.registry import Change
from gateway.model.clock import DAY_MS, HOUR_MS, MINUTE_MS
from gateway.model.errors import LeaseLost
from gateway.model.outcomes import Wait
from gateway.model.person import IdentifierType, LookupKey
from gateway.outbound.breaker import Breaker
from gateway.outbound.gate import Gate
from gateway.outbound.limiter import Limiter
from gateway.stages.changes import Changes
from gateway.stages.duties import LEADER, TTL_MS
from gateway.stages.feed import Feed
from gateway.stages.gated_registry import GatedRegistry
from gateway.stages.waiting import wake_keys
from gateway.storage.leases import acquire

KEY = LookupKey(IdentifierType.SECTOR, "3100000001")
OTHER = LookupKey(IdentifierType.SECTOR, "3100000002")
STRANGER = LookupKey(IdentifierType.SECTOR, "9999999999")


class Reader:
    """A process that leads and reads the feed."""

    def __init__(self, desk) -> None:
        self._desk = desk
        people = desk.people()
        changes = Changes(desk.db, desk.clock, desk.blind, people._snapshots)
        gate = Gate("registry", Breaker(time.monotonic), Limiter(rate_per_s=10_000, concurrency=4))
        self.feed = Feed(
            desk.db,
            desk.clock,
            changes,
            people._snapshots,
            people,
            GatedRegistry(desk.box.registry, gate, page=100),
            gate,
            desk.metrics,
            every_s=10,
            ttl_ms=30 * DAY_MS,
        )
        self.lease = None

    async def read(self) -> None:
        """Reads the feed once; a second passes before and after, as between two real events."""
        self._desk.clock.advance(s=1)
        self.lease = self.lease or await acquire(self._desk.db, self._desk.clock, LEADER, "me", 30 * DAY_MS)
        await self.feed.run(self.lease)
        self._desk.clock.advance(s=1)


@pytest.fixture
def reader(desk):
    return Reader(desk)


async def name_and_live(people, key=KEY):
    known, error = await people.know([key])
    assert error is None
    return known[key].answer.hits[0].full_name, known[key].answer.live


async def test_a_change_ends_older_answers_in_every_process(desk, reader):
    """One process reads the feed; another one's memory is out of date from then on, the rest of it is not."""
    bystander = desk.people()
    await bystander.know([KEY, OTHER])
    await desk.change(KEY.value, full_name="Lê Thị Mới")
    assert (await name_and_live(bystander))[0] == "Nguyễn Thị Hòa 1"
    asked = await desk.asked()
    await reader.read()
    assert await desk.asked() == asked + 1  # the file we had is asked for again, the other is not
    assert (await name_and_live(bystander))[0] == "Lê Thị Mới"
    assert await name_and_live(bystander, OTHER) == ("Nguyễn Thị Hòa 2", False)


@pytest.mark.parametrize(
    ("age_ms", "lag_ms", "is_asked"),
    [
        (DAY_MS, 1_000, False),
        (DAY_MS + 1, 1_000, True),
        (16 * MINUTE_MS, 59_999, False),
        (16 * MINUTE_MS, 60_000, True),
        (15 * MINUTE_MS, 60_000, False),
    ],
    ids=["a day", "over a day", "just keeps up", "lags a minute", "lags, but fresh"],
)
async def test_while_the_feed_keeps_up_a_file_is_believed_for_a_day(desk, reader, age_ms, lag_ms, is_asked):
    """24 h below a minute of lag, 15 min otherwise: a feed that fails only shortens the bound."""
    people = desk.people()
    await people.know([KEY])
    desk.clock.advance(ms=age_ms - lag_ms - 1000)
    await reader.read()
    desk.clock.advance(ms=lag_ms - 1000)
    known, _ = await people.know([KEY])
    assert known[KEY].answer.live == is_asked


async def test_a_feed_never_lengthens_not_found(desk, reader):
    """A person who was not there may be there at any time, whatever the feed says."""
    people = desk.people()
    await people.know([STRANGER])
    desk.clock.advance(s=60)
    await reader.read()
    known, _ = await people.know([STRANGER])
    assert known[STRANGER].answer.live


async def test_a_feed_that_is_down_only_lags(desk, reader):
    """No answer of the feed changes nothing; afterwards it goes on where it was."""
    await reader.read()
    await desk.change(KEY.value, full_name="Lê Thị Mới")
    await desk.box.faults({"target": "registry", "mode": "status", "status": 503})
    await reader.read()
    before = await cursor(desk)
    await desk.box.faults()
    await reader.read()
    after = await cursor(desk)
    assert (before.value, after.value) == ("0", "1") and after.at_ms > before.at_ms


async def cursor(desk):
    async with desk.db.read() as tx:
        [row] = await tx.rows("SELECT value, at_ms FROM cursors")
    return row


async def wakes(desk) -> set[Wait]:
    async with desk.db.read() as tx:
        return {Wait(row.kind, row.key) for row in await tx.rows("SELECT kind, key FROM wakes")}


async def test_one_that_lost_the_lead_writes_nothing(desk, reader):
    """Marks, wakes and cursor are one transaction under the lease: all or nothing."""
    await desk.people().know([KEY])
    await desk.change(KEY.value, full_name="Lê Thị Mới")
    desk.clock.advance(s=1)
    reader.lease = await acquire(desk.db, desk.clock, LEADER, "me", TTL_MS)
    desk.clock.advance(ms=TTL_MS)
    await acquire(desk.db, desk.clock, LEADER, "another", TTL_MS)
    with pytest.raises(LeaseLost):
        await reader.feed.run(reader.lease)
    async with desk.db.read() as tx:
        assert not await tx.rows("SELECT 1 FROM cursors")
        assert not await tx.rows("SELECT 1 FROM lookups WHERE changed_at_ms > 0")
    assert not await wakes(desk)


async def test_an_answer_on_its_way_at_the_change_is_not_believed(desk, reader):
    """The first question is on its way, the file changes, the feed tells of it; only then comes the answer."""
    people = desk.people()
    asked_ms = desk.clock.now_ms()
    old = await desk.box.registry.lookup([KEY])
    await desk.change(KEY.value, full_name="Lê Thị Mới")
    await reader.read()
    await people._snapshots.store(old, asked_at_ms=asked_ms)
    assert await name_and_live(people) == ("Lê Thị Mới", True)


async def test_a_corrected_identifier_wakes_who_waits_for_the_old_or_the_new_one(desk, reader):
    """The feed names what a file had and has; both are woken, and nobody else."""
    await desk.change(KEY.value, sector_id="3100000099")
    await reader.read()
    expected = {wait for value in (KEY.value, "3100000099") for wait in wake_keys(desk.blind, "person", value)}
    assert await wakes(desk) == expected


async def test_old_changes_mark_only_people_we_know(desk, reader):
    """Catching up with years of changes fills no table with people nobody has asked about."""
    await desk.people().know([KEY])
    for n in range(1, 6):
        await desk.change(f"310000000{n}", gender="Nữ")
    desk.clock.advance(ms=HOUR_MS)
    await reader.read()
    async with desk.db.read() as tx:
        marked = await tx.rows("SELECT fetched_at_ms FROM lookups WHERE changed_at_ms > 0")
    assert len(marked) == 1 and len(await wakes(desk)) == 1


async def test_marks_on_people_nobody_asked_about_do_not_stay(desk, reader):
    """They guard questions on their way; ten minutes later there can be none."""
    await desk.change(OTHER.value, gender="Nữ")
    await reader.read()
    desk.clock.advance(ms=11 * MINUTE_MS)
    await reader.read()
    async with desk.db.read() as tx:
        assert not await tx.rows("SELECT 1 FROM lookups")


async def test_a_long_feed_is_read_to_its_end_page_by_page(desk, reader):
    """At the end the cursor stands behind the last change, and only then the feed keeps up."""
    for n in range(260):
        await desk.change(KEY.value, unit_code=f"31{n:06}")
    await reader.read()
    assert (await cursor(desk)).value == "260"
    assert desk.metrics.registry.get_sample_value("gateway_feed_lag_seconds") < 2


async def test_changes_that_the_registry_brings_itself_are_taken_the_same_way(desk):
    """A webhook needs no cursor and no lease, and may bring the same change twice."""
    people = desk.people()
    await people.know([KEY])
    await desk.change(KEY.value, full_name="Lê Thị Mới")
    changes = Changes(desk.db, desk.clock, desk.blind, people._snapshots)
    desk.clock.advance(s=1)
    for _ in range(2):
        taken = await changes.take([Change((KEY,), desk.clock.now_ms())])
        assert taken.known == {KEY}
    desk.clock.advance(s=1)
    assert await name_and_live(people) == ("Lê Thị Mới", True)
