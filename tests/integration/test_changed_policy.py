"""A policy file of one's own: what it holds no longer goes on by itself, without the vendor."""

import asyncio

import httpx

from gateway.app import open_gateway, open_pipeline
from gateway.identity.policy import DEFAULT
from gateway.sandbox.app import make_sandbox
from gateway.sandbox.server import serving
from gateway.stages.changed_rules import POLICY
from tests.integration.test_pipeline import QUICK, ROSTER, Lab, running_gateway, viettel, wait_for, wait_until


async def test_a_start_with_another_policy_frees_what_only_the_old_one_held(database_url, tmp_path):
    """Retired at completion holds by default; who only wants a warning starts with a file that says so."""
    own = tmp_path / "policy.toml"
    text = DEFAULT.read_text("utf-8").replace('"registry.inactive" = "holds"', '"registry.inactive" = "warns"')
    own.write_text(text.replace('version = "2026-11"', 'version = "own-1"'), "utf-8")
    async with serving(make_sandbox(ROSTER)) as base, httpx.AsyncClient(base_url=base) as http:
        async with running_gateway(database_url, tmp_path, base) as gateway:
            lab = Lab(gateway, base, http)
            await wait_until(lab, lambda: _noted(gateway), 1)
            for n, changes in ((1, {"status": "Đã nghỉ hưu"}), (2, {"full_name": "Lê Thị Mới"})):
                path = f"/_control/registry/staff/{ROSTER[n].sector_id}"
                (await http.patch(path, json=changes)).raise_for_status()
            await lab.send(viettel(1), viettel(2))
            await lab.until_settled()
            assert await lab.reason("evt-1") == ("held", "registry.inactive")
            settings = gateway.settings.model_copy(update={"policy_file": own})
        async with open_gateway(settings) as gateway, open_pipeline(gateway, limits=QUICK) as pipeline:
            work = asyncio.create_task(pipeline.worker.run())
            lab = Lab(gateway, base, http)
            await wait_for(lab, "evt-1", "delivered")
            pipeline.worker.stop()
            await work
            assert await lab.reason("evt-2") == ("held", "attribute.name_mismatch")
            async with gateway.db.read() as tx:
                looks = await tx.rows("SELECT policy_version FROM verifications ORDER BY id")
            assert [row.policy_version.partition("+")[0] for row in looks] == ["2026-11", "2026-11", "own-1"]


async def _noted(gateway) -> int:
    async with gateway.db.read() as tx:
        return len(await tx.rows("SELECT 1 AS one FROM cursors WHERE name = :name", name=POLICY))
