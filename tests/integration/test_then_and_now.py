"""Then and now: what was judged, on which evidence, beside today's judgement; and the hint beside not found."""

import httpx
import orjson
import pytest

from gateway.app import open_authority
from gateway.model.errors import NotFound
from gateway.sandbox.app import make_sandbox
from gateway.sandbox.server import serving
from gateway.stages.then_and_now import ThenAndNow
from tests.integration.test_pipeline import ROSTER, Lab, running_gateway, viettel


@pytest.fixture
async def lab(database_url, tmp_path):
    async with (
        serving(make_sandbox(ROSTER)) as base,
        httpx.AsyncClient(base_url=base) as http,
        running_gateway(database_url, tmp_path, base) as gateway,
    ):
        yield Lab(gateway, base, http)


@pytest.fixture
async def then_and_now(lab):
    g = lab.gateway
    async with open_authority(g) as authority:
        yield ThenAndNow(g.db, g.clock, g.vault, g.snapshots, g.accounts, authority.checking, g.owners)


async def last_verification(lab, event: str):
    async with lab.gateway.db.read() as tx:
        rows = await tx.rows(
            "SELECT v.* FROM verifications v JOIN deliveries d ON d.id = v.delivery_id "
            "WHERE d.event_id = :e ORDER BY v.id DESC LIMIT 1",
            e=event,
        )
    return rows[0]


async def test_a_verdict_is_shown_beside_todays(lab, then_and_now):
    """Verified then, another name on file today: the evidence of then is kept, the difference is named."""
    await lab.send(viettel(1))
    await lab.until_settled()
    await lab.http.patch("/_control/registry/staff/3100000001", json={"full_name": "Lê Thị Mới"})
    found = await then_and_now.compare((await last_verification(lab, "evt-1")).id)
    assert found.then.verdict.verified and found.then.on_file.full_name == ROSTER[1].full_name
    assert found.now is not None and not found.now.verdict.verified
    assert found.now.on_file.full_name == "Lê Thị Mới"
    assert found.file_changes == ("full_name",) and found.claim_changes == ()
    assert found.new == ("attribute.name_mismatch",) and found.gone == ()


async def test_nobody_then_somebody_now(lab, then_and_now):
    """Not found then, on file today: the file is new and the reason is gone. Comparing changes no state."""
    item = viettel(2)
    item["user"]["sectorCode"] = "3199999999"
    await lab.send(item)
    await lab.until_settled()
    before = await lab.states()
    person = {"full_name": ROSTER[2].full_name, "birth_date": ROSTER[2].birth_date}
    await lab.http.put("/_control/registry/staff/3199999999", json=person)
    found = await then_and_now.compare((await last_verification(lab, "evt-2")).id)
    assert found.then.on_file is None and found.now.verdict.verified
    assert "sector_id" in found.file_changes and found.gone == ("registry.not_found",)
    assert await lab.states() == before


async def test_a_silent_registry_leaves_then_alone(lab, then_and_now):
    """What was judged can be shown without the sector database."""
    await lab.send(viettel(3))
    await lab.until_settled()
    await lab.http.put("/_control/faults", json=[{"target": "registry", "mode": "status", "status": 503}])
    found = await then_and_now.compare((await last_verification(lab, "evt-3")).id)
    assert found.then.verdict.verified and found.now is None
    assert found.file_changes == found.new == found.gone == ()


async def test_an_unknown_verification_is_not_found(then_and_now):
    """Nothing is made up."""
    with pytest.raises(NotFound):
        await then_and_now.compare(999_999)


async def test_a_near_miss_is_kept_masked_beside_not_found(lab):
    """Two digits changed places: the hint stands in the findings for scoped readers, without the identifier."""
    item = viettel(12)
    item["user"]["sectorCode"] = "3100000021"
    item["user"]["fullName"], item["user"]["birthday"] = ROSTER[12].full_name, "13/03/1985"
    await lab.http.patch("/_control/registry/staff/3100000021", json={"sector_id": "3155555555"})
    await lab.send(item)
    await lab.until_settled()
    assert await lab.reason("evt-12") == ("held", "registry.not_found")
    findings = orjson.loads((await last_verification(lab, "evt-12")).findings)
    told = {"masked": "31••••••12", "slip": "swapped", "unit": "31000717"}
    assert findings[-1] == ["registry.near_miss", "neutral", told]
