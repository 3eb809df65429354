"""What operators do to single deliveries: discard and restore with a reason, edit by two people."""

import httpx
import pytest

from gateway.model.errors import NotFound, Refused
from gateway.queue import payloads
from gateway.queue.acts import withdraw
from gateway.queue.discards import discard, restore
from gateway.sandbox.app import make_sandbox
from gateway.sandbox.server import serving
from gateway.stages.edits import Change, patched
from tests.integration.test_pipeline import ROSTER, Lab, running_gateway, viettel, wait_for
from tests.records import a_completion


@pytest.fixture
async def lab(database_url, tmp_path):
    async with (
        serving(make_sandbox(ROSTER)) as base,
        httpx.AsyncClient(base_url=base) as http,
        running_gateway(database_url, tmp_path, base) as gateway,
    ):
        yield Lab(gateway, base, http)


def wrong_code(n: int):
    """A completion whose identifier is nobody's."""
    item = viettel(n)
    item["user"]["sectorCode"] = "9999999999"
    return item


async def held(lab, n: int = 1) -> int:
    [receipt] = await lab.send(wrong_code(n))
    await lab.until_settled()
    return receipt.delivery_id


async def acts_of(lab) -> list[tuple[str, str]]:
    async with lab.gateway.db.read() as tx:
        acts = await tx.rows("SELECT actor, act FROM audit WHERE act NOT LIKE 'vendor.%' ORDER BY id")
    return [(row.actor, row.act) for row in acts]


async def test_a_discard_needs_no_deletion_and_can_be_taken_back(lab):
    """It says why and by whom; restored, it is where it was and judged at once; the balance closes."""
    g = lab.gateway
    id_ = await held(lab)
    assert await discard(g.db, g.clock, [id_, 99_999], "gửi nhầm khi thử nghiệm", "an.operator") == [id_]
    assert await lab.reason("evt-1") == ("voided", "discarded")
    assert await lab.states() == {"voided": 1}
    assert await discard(g.db, g.clock, [id_], "again", "an.operator") == []
    assert await restore(g.db, g.clock, [id_], "an.other") == [id_]
    await wait_for(lab, "evt-1", "held")
    assert await lab.reason("evt-1") == ("held", "registry.not_found")
    assert await restore(g.db, g.clock, [id_], "an.other") == []
    assert await acts_of(lab) == [("an.operator", "delivery.discard"), ("an.other", "delivery.restore")]


async def test_what_temis_has_is_not_discarded(lab):
    """Delivered, or perhaps delivered: that is withdrawn by its vendor, or corrected."""
    g = lab.gateway
    [receipt] = await lab.send(viettel(2))
    await lab.until_settled()
    assert await discard(g.db, g.clock, [receipt.delivery_id], "no", "an.operator") == []
    id_ = await held(lab)
    await g.db.write(lambda tx: tx.run("UPDATE deliveries SET unknown_since_ms = 1 WHERE id = :id", id=id_))
    assert await discard(g.db, g.clock, [id_], "no", "an.operator") == []


async def test_a_discarded_event_that_its_vendor_withdraws_stays_withdrawn(lab):
    """Restoring cannot bring back what the vendor has taken back meanwhile."""
    g = lab.gateway
    id_ = await held(lab)
    await discard(g.db, g.clock, [id_], "test", "an.operator")
    assert await withdraw(g.db, g.clock, 1, "evt-1") == [id_]
    assert await restore(g.db, g.clock, [id_], "an.operator") == []
    assert await lab.reason("evt-1") == ("voided", "withdrawn")


async def test_an_edit_by_two_people_delivers_and_keeps_what_was_sent(lab):
    """The identifier is corrected, the item as sent is the same byte for byte, and the old payload stays."""
    g = lab.gateway
    id_ = await held(lab)
    before = await payloads.load(g.db, g.vault, [id_])
    edit = await g.edits.propose(
        id_, Change(identifier=ROSTER[1].sector_id), "gõ nhầm, đã đối chiếu hồ sơ", "an.operator"
    )
    assert (edit.version, edit.fields, edit.decision) == (1, ("identifier",), None)
    assert await lab.reason("evt-1") == ("held", "registry.not_found"), "nothing changes before it is approved"
    with pytest.raises(Refused, match="somebody else"):
        await g.edits.approve(edit.id, "an.operator")
    done = await g.edits.approve(edit.id, "an.approver")
    assert (done.decision, done.decided_by) == ("approved", "an.approver")
    await wait_for(lab, "evt-1", "delivered")
    [record] = await lab.records()
    assert record["sector_id"] == ROSTER[1].sector_id
    after = await payloads.load(g.db, g.vault, [id_])
    was, sent = payloads.open_body(g.vault, 1, "evt-1", 1, before[id_])
    now, sent_still = payloads.open_body(g.vault, 1, "evt-1", 1, after[id_])
    assert sent == sent_still
    assert (was.claim.identifier, now.claim.identifier) == ("9999999999", ROSTER[1].sector_id)
    assert (now.result, now.completed_at_ms) == (was.result, was.completed_at_ms)
    async with g.db.read() as tx:
        [row] = await tx.rows("SELECT before_sealed FROM edits")
    assert bytes(row.before_sealed) == before[id_]
    assert await acts_of(lab) == [("an.operator", "edit.propose"), ("an.approver", "edit.approve")]
    [again] = await lab.send(wrong_code(1))
    assert again.status == "duplicate", "the vendor's content is compared with what it sent"


async def test_a_delivery_has_one_open_edit_and_versions(lab):
    """A rejected one changes nothing; the next has another version; only what is held or dead is edited."""
    g = lab.gateway
    id_ = await held(lab)
    first = await g.edits.propose(id_, Change(school_year="2024-2025"), "why", "an.operator")
    with pytest.raises(Refused):
        await g.edits.propose(id_, Change(school_year="2023-2024"), "why", "an.operator")
    assert (await g.edits.reject(first.id, "an.operator")).decision == "rejected"
    with pytest.raises(Refused):
        await g.edits.approve(first.id, "an.approver")
    second = await g.edits.propose(id_, Change(school_year="2024-2025"), "why", "an.operator")
    assert second.version == 2
    assert [edit.id for edit in await g.edits.waiting()] == [second.id]
    assert "2024" not in repr(Change(school_year="2024-2025"))


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (Change(), Refused),
        (Change(school_year="2025"), Refused),
        (Change(identifier=""), Refused),
        (Change(course="unknown"), NotFound),
    ],
)
async def test_an_edit_that_makes_no_sense_is_refused(lab, change, error):
    """Before anybody is asked to approve it."""
    id_ = await held(lab)
    with pytest.raises(error):
        await lab.gateway.edits.propose(id_, change, "why", "an.operator")
    with pytest.raises(NotFound):
        await lab.gateway.edits.propose(99_999, Change(identifier="1"), "why", "an.operator")


def test_only_identifier_course_and_year_can_be_patched():
    """Score, result and date change only by a vendor's higher revision."""
    sent = a_completion()
    now = patched(sent, {"identifier": "1", "course": "c-2", "school_year": "2024-2025"})
    assert (now.claim.identifier, now.course.course_id, now.course.school_year) == ("1", "c-2", "2024-2025")
    assert (now.result, now.completed_at_ms, now.event_id) == (sent.result, sent.completed_at_ms, sent.event_id)
    assert set(Change.__dataclass_fields__) == {"identifier", "course", "school_year"}
