"""Outages of hours, on a clock that a test moves: what waited is delivered soon after, once each, none is dead.

The large ones (make test-large) have the sizes of the acceptance criteria; the small ones the same shape.
"""

import pytest

from tests.faults.standing import MODULES, people, standing

LARGE = pytest.mark.large
HALF_HOUR_S = 1_800
DOWN = {"target": "temis", "mode": "status", "status": 503}


@pytest.mark.parametrize("n", [600, pytest.param(10_000, marks=LARGE)])
async def test_silent_for_an_hour_with_thousands_in_flight(tmp_path, clock, n):
    """TEMIS takes what is sent and never answers: read-back settles it all, and nothing is written twice."""
    url = f"sqlite:///{tmp_path / 'gateway.db'}"
    async with standing(url, tmp_path, clock, people(n // MODULES + 1)) as place:
        await place.send(0, n)
        await place.drain_verification()
        await place.faults({"target": "temis", "mode": "silent"})
        for _ in range(120):
            await place.deliver()
            await place.pass_s(30)
        assert "delivered" not in await place.states()
        taken = len(await place.writes())
        assert taken > 0  # it did take some of them
        await place.faults()
        await place.drain(within_s=HALF_HOUR_S)
        assert await place.states() == {"delivered": n}
        assert await place.writes() == ["created"] * n
        [read_back] = await place.rows("SELECT COUNT(*) AS n FROM attempts WHERE outcome = 'read_back'")
        assert read_back.n == taken
        assert (
            await place.rows("SELECT 1 FROM deliveries WHERE tries > 0 OR unknown_since_ms IS NOT NULL") == []
        )


@pytest.mark.parametrize(
    ("n", "down_s", "flapping_s"),
    [(600, 2_400, 600), pytest.param(150_000, 8 * 3_600, 2 * 3_600, marks=LARGE)],
)
async def test_down_for_hours_then_flapping(tmp_path, clock, n, down_s, flapping_s):
    """A night's outage, a restless morning: all is delivered within half an hour of the end, none is dead."""
    url = f"sqlite:///{tmp_path / 'gateway.db'}"
    async with standing(url, tmp_path, clock, people(n // MODULES + 1)) as place:
        await place.faults(DOWN)
        await place.send(0, n)
        await place.drain_verification()
        for _ in range(down_s // 30):
            await place.deliver()
            await place.pass_s(30)
        assert await place.states() == {"verified": n}
        for step in range(flapping_s // 30):
            # Two answers in three are refusals, drop the connection or are no answer at all.
            modes = ({"mode": "status", "status": 502}, {"mode": "reset"}, {"mode": "silent"})
            await place.faults({"target": "temis", "probability": 0.67, **modes[step % 3]})
            await place.deliver()
            await place.pass_s(30)
        await place.faults()
        took_s = await place.drain(within_s=HALF_HOUR_S)
        assert took_s <= HALF_HOUR_S
        assert await place.states() == {"delivered": n}
        assert await place.writes() == ["created"] * n
        assert await place.rows("SELECT 1 FROM deliveries WHERE tries > 0 LIMIT 1") == []


async def test_after_an_outage_calls_ease_in(tmp_path, clock):
    """What has just come back is not run over: in the first seconds a tenth of the rate, then ever more."""
    url = f"sqlite:///{tmp_path / 'gateway.db'}"
    env = {"GATEWAY_TEMIS_BATCH_ITEMS": "1", "GATEWAY_TEMIS_RATE_PER_S": "4"}
    async with standing(url, tmp_path, clock, people(9), **env) as place:
        await place.send(0, 120)
        await place.drain_verification()
        await place.faults(DOWN)
        for _ in range(10):
            await place.deliver()
        await place.faults()
        took_s = await place.drain(within_s=HALF_HOUR_S)
        # At the whole rate 120 calls take 30 s; eased in they take about 50, after a probe within 30.
        assert 40 <= took_s <= 95
        assert await place.states() == {"delivered": 120}
