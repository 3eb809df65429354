"""Replays through the whole pipeline: TEMIS refuses, it is mended, a replay delivers all of it, each once."""

import httpx
import pytest

from gateway.queue import replays
from gateway.queue.balance import balance
from gateway.queue.job import JobState
from gateway.queue.selection import Selection
from gateway.sandbox.app import make_sandbox
from gateway.sandbox.server import serving
from gateway.stages.replay import Options
from tests.integration.test_pipeline import ROSTER, Lab, running_gateway, viettel, wait_for
from tests.waiting import until

MODULE = "/_control/temis/modules/GVPT03"
DEAD = Selection(state="dead", reason="temis.module_unknown")


@pytest.fixture
async def lab(database_url, tmp_path):
    async with (
        serving(make_sandbox(ROSTER)) as base,
        httpx.AsyncClient(base_url=base) as http,
        running_gateway(database_url, tmp_path, base) as gateway,
    ):
        yield Lab(gateway, base, http)


async def refused(lab, n: int) -> None:
    """`n` completions of a module that TEMIS does not know."""
    await lab.http.put(MODULE, json={"known": False})
    await lab.send(*(viettel(i) for i in range(n)))
    await lab.until_settled()
    assert await lab.states() == {"dead": n}


async def over(lab, job_id: int):
    async def ended():
        job = await lab.gateway.jobs.find(job_id)
        return job if job.is_over else None

    return await until(ended)


async def test_what_was_refused_is_delivered_once_it_is_mended(lab):
    """Plan, canary, run, report; TEMIS created each record once, and the first error stays in the log."""
    g = lab.gateway
    await refused(lab, 30)
    await lab.http.put(MODULE, json={"known": True})
    plan = await g.planner.plan(DEAD, verify_again=False, rate_per_s=100)
    assert (plan.total, plan.groups[0].sampled, plan.groups[0].forecast) == (30, 30, {"sends": 30})
    assert await lab.states() == {"dead": 30}, "a plan changes nothing"
    job = await g.replaying.begin(DEAD, Options(canary=5, rate_per_s=1_000), "an.operator")
    assert (await over(lab, job.id)).state is JobState.DONE
    await lab.until_settled()
    assert await lab.states() == {"delivered": 30}
    assert sorted(write["op"] for write in await lab.writes()) == ["created"] * 30
    seen = await replays.fared(g.db, job.id)
    assert (seen.delivered, seen.failed, seen.pending) == (30, 0, 0)
    async with g.db.read() as tx:
        rows = await tx.rows(
            "SELECT outcome FROM attempts WHERE delivery_id = 1 AND stage IN ('deliver', 'replay') ORDER BY id"
        )
    assert [row.outcome for row in rows][:2] == ["temis.module_unknown", "replayed"]
    assert (await balance(g.db)).closes


async def test_a_canary_that_is_refused_again_leaves_the_rest_alone(lab):
    """Nothing was mended: five are tried, twenty-five are not."""
    g = lab.gateway
    await refused(lab, 30)
    job = await g.replaying.begin(DEAD, Options(canary=5, rate_per_s=1_000), "an.operator")
    stopped = await over(lab, job.id)
    assert (stopped.state, stopped.note) == (JobState.FAILED, "replay.too_many_failed")
    assert await replays.set_going_count(g.db, job.id) == 5
    assert await lab.states() == {"dead": 30}


async def test_live_results_are_delivered_while_a_replay_waits_for_its_rate(lab):
    """A slow replay holds up nobody: what a vendor sends meanwhile goes through at once."""
    g = lab.gateway
    await refused(lab, 20)
    await lab.http.put(MODULE, json={"known": True})
    job = await g.replaying.begin(DEAD, Options(canary=0, rate_per_s=1), "an.operator")
    [receipt] = await lab.send(viettel(35))
    await wait_for(lab, "evt-35", "delivered")
    assert receipt.status == "accepted"
    assert not (await g.jobs.find(job.id)).is_over
    assert await g.jobs.cancel(job.id)
    assert (await lab.states())["dead"] > 0
