"""The sealed audit on both engines: whatever is done to a row or a seal afterwards is found and named."""

import pytest
from structlog.testing import capture_logs

from gateway.model.errors import LeaseLost
from gateway.security.seals import FIRST, leaf, sealing_key
from gateway.stages.audit_sealing import AuditSealing
from gateway.storage import audit_seals
from gateway.storage.audit import Wanted, append, find_acts
from gateway.storage.audit_check import check_audit
from gateway.storage.audit_seals import newest_seal
from gateway.storage.leases import acquire

TTL = 30_000
KEY = sealing_key(b"k" * 32)


@pytest.fixture
async def lease(db, clock):
    return await acquire(db, clock, "leader", "test", TTL)


@pytest.fixture
def sealing(db, clock):
    return AuditSealing(db, clock, KEY, ttl_ms=TTL)


async def act(db, clock, n, actor="hoa"):
    await db.write(
        lambda tx: append(tx, clock.now_ms(), actor, "case.reveal", f"delivery:{n}", purpose="check")
    )


@pytest.fixture
async def sealed(db, clock, lease, sealing):
    """Nine acts under three seals: rows 1-3, 4-6, 7-9."""
    for n in range(9):
        await act(db, clock, n)
        if n % 3 == 2:
            clock.advance(s=1)
            await sealing.run(lease)
    return db


async def tamper(db, sql, **parameters):
    assert await db.write(lambda tx: tx.run(sql, **parameters)) >= 1


async def faults(db, **how):
    return [(f.kind, f.seal, f.row) for f in (await check_audit(db, KEY, **how)).faults]


async def test_a_whole_audit_is_whole(sealed, clock):
    """Every row is under a seal, each seal follows the one before it, and the tail is stated."""
    await act(sealed, clock, 9)
    told = await check_audit(sealed, KEY)
    assert (told.seals, told.rows, told.faults) == (3, 9, [])
    assert (told.unsealed, told.unsealed_since_ms) == (1, clock.now_ms())
    assert told.head == await newest_seal(sealed)


@pytest.mark.parametrize(
    ("column", "value"),
    [("at_ms", 1), ("actor", "'lan'"), ("act", "'case.see'"), ("object", "'delivery:7'"), ("detail", "'{}'")],
)
async def test_a_changed_field_names_its_row(sealed, column, value):
    """Who, what, on what, when, why: none of them can be written again."""
    await tamper(sealed, f"UPDATE audit SET {column} = {value} WHERE id = 5")
    assert await faults(sealed) == [("row.changed", 2, 5)]


async def test_a_changed_row_with_its_leaf_is_found_by_the_root(sealed):
    """Who knows how leaves are made still cannot make the root of the seal."""
    made_up = leaf(5, 1, "lan", "x", "y", "{}")
    fields = "at_ms = 1, actor = 'lan', act = 'x', object = 'y', detail = '{}', leaf = :leaf"
    await tamper(sealed, f"UPDATE audit SET {fields} WHERE id = 5", leaf=made_up)
    assert await faults(sealed) == [("row.changed", 2, None)]


async def test_a_removed_row_is_missed(sealed):
    """Its seal knows how many there were."""
    await tamper(sealed, "DELETE FROM audit WHERE id = 5")
    assert await faults(sealed) == [("row.removed", 2, None)]


async def test_a_row_put_under_a_seal_is_found(sealed, clock):
    """An act that never was, made to look sealed long ago."""
    await act(sealed, clock, 9)
    await tamper(
        sealed, "UPDATE audit SET seal = 2, leaf = (SELECT leaf FROM audit WHERE id = 4) WHERE seal IS NULL"
    )
    assert {kind for kind, seal, _ in await faults(sealed) if seal == 2} == {"row.changed", "row.added"}


async def test_rows_in_another_order_are_found(sealed):
    """Two rows that changed places are two changed rows."""
    for old, new in ((5, 50), (6, 5), (50, 6)):
        await tamper(sealed, "UPDATE audit SET id = :new WHERE id = :old", old=old, new=new)
    assert await faults(sealed) == [("row.changed", 2, 5), ("row.changed", 2, 6)]


@pytest.mark.parametrize(
    "change", ["at_ms = 1", "rows_sealed = 9", "first_id = 1", "last_id = 9", "root = previous", "link = root"]
)
async def test_a_changed_seal_is_found(sealed, change):
    """Whatever of it was written again, it does not fit its link any more."""
    await tamper(sealed, f"UPDATE audit_seals SET {change} WHERE seq = 2")
    assert ("seal.changed", 2, None) in await faults(sealed)


async def test_seals_in_another_order_are_found(sealed):
    """Numbers are in the link, and each names the one before it."""
    for old, new in ((2, 20), (3, 2), (20, 3)):
        await tamper(sealed, "UPDATE audit_seals SET seq = :new WHERE seq = :old", old=old, new=new)
    assert {seal for kind, seal, _ in await faults(sealed) if kind == "seal.changed"} == {2, 3}


async def test_a_removed_seal_is_missed(sealed):
    """In the middle by its number, at the end by the rows that name it."""
    await tamper(sealed, "DELETE FROM audit_seals WHERE seq = 2")
    assert ("seal.missing", 2, None) in await faults(sealed)
    await tamper(sealed, "DELETE FROM audit_seals WHERE seq = 3")
    assert ("seal.missing", 3, 7) in await faults(sealed)


async def test_an_end_cut_off_clean_is_found_by_a_head_kept_elsewhere(sealed):
    """Rows and seals gone together leave nothing behind, so heads are told to the log."""
    head = await newest_seal(sealed)
    known = (head.seq, head.link.hex())
    assert await faults(sealed, head=known) == []
    await tamper(sealed, "DELETE FROM audit WHERE seal = 3")
    await tamper(sealed, "DELETE FROM audit_seals WHERE seq = 3")
    assert await faults(sealed) == []
    assert await faults(sealed, head=known) == [("head.missing", 3, None)]


async def test_a_chain_made_anew_without_the_key_is_found(sealed, clock, lease):
    """Everything written again, with the right links: the marks are another key's."""
    await tamper(sealed, "DELETE FROM audit_seals WHERE seq > 0")
    await tamper(sealed, "UPDATE audit SET seal = NULL, leaf = NULL, actor = 'lan' WHERE id > 0")
    await AuditSealing(sealed, clock, sealing_key(b"o" * 32), ttl_ms=TTL).run(lease)
    assert await faults(sealed) == [("seal.forged", 1, None)]


async def test_a_leader_tells_that_its_head_was_changed(sealed, clock, lease, sealing):
    """Within a second, and loudly: the chain is not the one this process left."""
    await tamper(sealed, "UPDATE audit SET seal = NULL, leaf = NULL WHERE seal = 3")
    await tamper(sealed, "DELETE FROM audit_seals WHERE seq = 3")
    with capture_logs() as logs:
        await sealing.run(lease)
    assert [(line["left"], line["found"]) for line in logs if line["event"] == "audit.head_changed"] == [(3, 2)]


async def test_a_row_that_commits_late_comes_into_a_later_seal(sealed, clock, lease, sealing):
    """On PostgreSQL an id may be lower than one that is sealed already."""
    await act(sealed, clock, 9)
    await tamper(sealed, "UPDATE audit SET id = 0 WHERE seal IS NULL")
    await sealing.run(lease)
    told = await check_audit(sealed, KEY)
    assert (told.seals, told.unsealed, told.faults) == (4, 0, [])


async def test_many_acts_are_sealed_some_at_a_time(db, clock, lease, sealing, monkeypatch):
    """A transaction stays short, and one turn leaves nothing unsealed."""
    monkeypatch.setattr(audit_seals, "ROWS", 2)
    for n in range(5):
        await act(db, clock, n)
    await sealing.run(lease)
    told = await check_audit(db, KEY)
    assert (told.seals, told.rows, told.unsealed, told.faults) == (3, 5, 0, [])
    assert (await newest_seal(db)).previous != FIRST


async def test_only_the_leader_seals(db, clock, lease, sealing):
    """Two chains would be none."""
    await act(db, clock, 1)
    clock.advance(ms=TTL + 1)
    assert await acquire(db, clock, "leader", "other", TTL)
    with pytest.raises(LeaseLost):
        await sealing.run(lease)
    assert await newest_seal(db) is None


async def test_acts_are_found_by_who_what_and_when(db, clock):
    """The newest first, page by page; every filter holds."""
    for n in range(4):
        await act(db, clock, n, actor="hoa" if n % 2 else "lan")
        clock.advance(s=60)
    everything = await find_acts(db, Wanted(), limit=3)
    rest = await find_acts(db, Wanted(), before=everything[-1].id)
    assert [one.object for one in [*everything, *rest]] == [f"delivery:{n}" for n in (3, 2, 1, 0)]
    assert [one.object for one in await find_acts(db, Wanted(actor="lan"))] == ["delivery:2", "delivery:0"]
    [one] = await find_acts(db, Wanted(act="case.reveal", object="delivery:3"))
    assert one.detail == {"purpose": "check"}
    since, until = everything[1].at_ms, everything[0].at_ms
    assert [one.object for one in await find_acts(db, Wanted(since_ms=since, until_ms=until))] == ["delivery:2"]
