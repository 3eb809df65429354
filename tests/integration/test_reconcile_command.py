"""`gateway reconcile` against a TEMIS that lost and changed records: exit statuses, JSON, dry run."""

import asyncio

import httpx

from gateway.app import open_gateway, open_pipeline
from gateway.cli import run
from gateway.sandbox.app import make_sandbox
from gateway.sandbox.server import serving
from gateway.settings import load
from tests.integration.test_commands import ROSTER, an_item, command, env, is_busy, take

__all__ = ["command", "env"]


async def test_what_temis_lost_is_found_and_sent_again(env, command, capsys):
    """Exit 1 while anything is wrong, 0 when all agrees; a dry run changes nothing; names, never values."""
    async with serving(make_sandbox(ROSTER)) as base, httpx.AsyncClient(base_url=base) as http:
        env |= {
            "GATEWAY_TOKEN_URL": f"{base}/oauth/token",
            "GATEWAY_TEMIS_URL": f"{base}/temis",
            "GATEWAY_REGISTRY_URL": f"{base}/registry",
        }
        async with open_gateway(load(env)) as gateway:
            await take(gateway, *(an_item(n, f"e{n}") for n in range(3)))
            await settled(gateway)
            assert (await reconcile(command))["checked"] == 3
            await http.delete(f"/_control/temis/records/{ROSTER[0].sector_id}/GVPT03/2025-2026")
            await http.patch(
                f"/_control/temis/records/{ROSTER[1].sector_id}/GVPT03/2025-2026", json={"score": 1}
            )
            dry = await reconcile(command, "--dry-run", status=1)
            assert (dry["id"], dry["counts"]["missing"], dry["counts"]["different"]) == (None, 1, 1)
            told = await reconcile(command, "--vendor", "viettel", "--module", "gvpt03", status=1)
            assert (told["counts"]["healed"], told["ended"]) == (1, "done")
            assert sorted((one["kind"], tuple(one["fields"])) for one in told["discrepancies"]) == [
                ("different", ("score_hundredths",)),
                ("missing", ()),
            ]
            await settled(gateway)
            capsys.readouterr()
            assert await asyncio.to_thread(run, ["reconcile", "--since", "2020-01-01"], env) == 1
            shown = capsys.readouterr().out
            assert "score_hundredths" in shown
            assert ROSTER[1].sector_id not in shown


def test_without_an_address_of_temis_it_says_what_is_missing(env, capsys):
    """Exit 2: nothing outside was asked."""
    assert run(["reconcile"], env) == 2
    assert "GATEWAY_TEMIS_URL" in capsys.readouterr().err


async def reconcile(command, *argv, status=0):
    return await asyncio.to_thread(command, "reconcile", *argv, status=status)


async def settled(gateway):
    """Works until nothing is in flight."""
    async with open_pipeline(gateway) as pipeline:
        working = asyncio.create_task(pipeline.worker.run())
        async with asyncio.timeout(20):
            while await is_busy(gateway):
                await asyncio.sleep(0.02)
        pipeline.worker.stop()
        await working
