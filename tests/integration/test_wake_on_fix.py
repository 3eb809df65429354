"""Fixed in the sector database -> credited without the vendor and without anybody pressing a button."""

import httpx
import pytest

from gateway.sandbox.app import make_sandbox
from gateway.sandbox.server import serving
from tests.integration.test_pipeline import ROSTER, Lab, running_gateway, viettel, wait_for, wait_until


@pytest.fixture
async def fed_lab(database_url, tmp_path):
    """A lab whose worker reads the change feed every second."""
    async with (
        serving(make_sandbox(ROSTER)) as base,
        httpx.AsyncClient(base_url=base) as http,
        running_gateway(database_url, tmp_path, base, GATEWAY_REGISTRY_CHANGES_POLL_S="1") as gateway,
    ):
        yield Lab(gateway, base, http)


async def test_the_feed_frees_exactly_those_who_were_fixed(fed_lab):
    """Two people are held; one is corrected there and goes on within seconds, the other waits."""
    fixed, waiting = viettel(1), viettel(2)
    fixed["user"]["fullName"] = "Lê Thị Mới"
    waiting["user"]["fullName"] = "Trần Văn Nam"
    await fed_lab.send(fixed, waiting)
    await fed_lab.until_settled()
    assert await fed_lab.states() == {"held": 2}
    await fed_lab.http.patch("/_control/registry/staff/3100000001", json={"full_name": "Lê Thị Mới"})
    await wait_for(fed_lab, "evt-1", "delivered")
    assert await fed_lab.states() == {"held": 1, "delivered": 1}
    async with fed_lab.gateway.db.read() as tx:
        looks = await tx.rows(
            "SELECT d.event_id, v.verified, v.age_ms, v.snapshot_version FROM verifications v "
            "JOIN deliveries d ON d.id = v.delivery_id ORDER BY v.id"
        )
    assert [(r.event_id, r.verified, r.snapshot_version) for r in looks if r.event_id == "evt-1"] == [
        ("evt-1", 0, 1),
        ("evt-1", 1, 2),
    ]
    assert len([r for r in looks if r.event_id == "evt-2"]) == 1  # nobody else was looked at again
    assert looks[-1].age_ms == 0


async def test_a_person_added_to_the_database_is_credited(fed_lab):
    """`Not found` waits too: adding the file frees the result."""
    item = viettel(3)
    item["user"]["sectorCode"] = "3199999999"
    await fed_lab.send(item)
    await fed_lab.until_settled()
    assert await fed_lab.reason("evt-3") == ("held", "registry.not_found")
    person = {"full_name": ROSTER[3].full_name, "birth_date": ROSTER[3].birth_date}
    await fed_lab.http.put("/_control/registry/staff/3199999999", json=person)
    await wait_for(fed_lab, "evt-3", "delivered")


async def test_checking_a_cause_again_frees_all_it_held(fed_lab):
    """One cause, many people: all that is held for it is asked live again, what is held otherwise is not."""
    items = [viettel(n) for n in range(4, 8)]
    for item in items[:3]:
        item["user"]["fullName"] = "Lê Thị Mới"
    del items[3]["result"]["passed"]
    await fed_lab.send(*items)
    await fed_lab.until_settled()
    async with fed_lab.gateway.db.read() as tx:
        [before] = await tx.rows("SELECT COUNT(*) AS n FROM verifications")
    assert await fed_lab.gateway.wake.reason_cured("attribute.name_mismatch") == 3

    async def looks() -> int:
        async with fed_lab.gateway.db.read() as tx:
            [row] = await tx.rows("SELECT COUNT(*) AS n FROM verifications")
        return row.n

    await wait_until(fed_lab, looks, before.n + 3)


async def test_a_person_is_checked_again_in_any_form_of_the_identifier(fed_lab):
    """An admin types the code as the list prints it, with a zero and dots: the same person is meant."""
    item = viettel(9)
    item["user"]["fullName"] = "Lê Thị Mới"
    await fed_lab.send(item)
    await fed_lab.until_settled()
    assert await fed_lab.gateway.wake.person_changed("0310.000.0009") == 1
