"""gateway/outbound/limiter.py: how hard a destination may be called."""

import asyncio

import pytest

from gateway.outbound.limiter import Limiter


class Seconds:
    """A clock that sleeping moves: nothing really waits."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += seconds
        await asyncio.sleep(0)


@pytest.fixture
def now() -> Seconds:
    return Seconds()


async def test_the_rate_holds_over_time(now):
    """After the burst, calls start no faster than the rate."""
    limiter = Limiter(rate_per_s=10, burst=1, concurrency=100, now=now, sleep=now.sleep)
    starts = []
    for _ in range(21):
        async with limiter.slot():
            starts.append(now.at)
    assert starts[0] == 0
    assert starts[-1] == pytest.approx(2.0)


async def test_a_rest_allows_a_burst_and_no_more(now):
    """Unused time is saved up to the burst only."""
    limiter = Limiter(rate_per_s=10, burst=3, concurrency=100, now=now, sleep=now.sleep)
    now.at = 1000.0
    starts = []
    for _ in range(5):
        async with limiter.slot():
            starts.append(round(now.at - 1000, 6))
    assert starts == [0, 0, 0, 0.1, 0.2]


async def test_a_cost_above_the_burst_runs_into_debt(now):
    """An expensive call is not starved; those after it pay."""
    limiter = Limiter(rate_per_s=10, burst=1, concurrency=100, now=now, sleep=now.sleep)
    async with limiter.slot(cost=20):
        assert now.at == 0
    async with limiter.slot():
        assert now.at == pytest.approx(2.0)


async def test_without_a_rate_only_concurrency_counts(now):
    """`rate_per_s=None` never waits."""
    limiter = Limiter(rate_per_s=None, concurrency=2, now=now, sleep=now.sleep)
    for _ in range(1000):
        async with limiter.slot():
            pass
    assert now.at == 0


async def test_no_more_calls_at_once_than_allowed(now):
    """The third of three callers gets its slot when one of the first two is done."""
    limiter = Limiter(rate_per_s=None, concurrency=2, now=now, sleep=now.sleep)
    inside, release = [], asyncio.Event()

    async def call(name: int) -> None:
        async with limiter.slot():
            inside.append(name)
            await release.wait()

    async with asyncio.TaskGroup() as group:
        for name in range(3):
            group.create_task(call(name))
        for _ in range(5):
            await asyncio.sleep(0)
        assert inside == [0, 1]
        release.set()
    assert inside == [0, 1, 2]


async def test_first_come_first_served(now):
    """A cheap call never overtakes an expensive one that asked before it."""
    limiter = Limiter(rate_per_s=1, burst=1, concurrency=1, now=now, sleep=now.sleep)
    order = []

    async def call(name: str, cost: float) -> None:
        async with limiter.slot(cost):
            order.append(name)

    async with asyncio.TaskGroup() as group:
        for name, cost in (("a", 1), ("dear", 50), ("b", 0.1), ("c", 0.1)):
            group.create_task(call(name, cost))
    assert order == ["a", "dear", "b", "c"]


async def test_a_caller_that_gives_up_frees_its_place(now):
    """Cancelled while waiting for the rate, a caller takes neither slot nor turn with it."""
    limiter = Limiter(rate_per_s=1, burst=1, concurrency=1, now=now, sleep=lambda _: asyncio.Event().wait())
    async with limiter.slot():
        pass
    waiting = asyncio.create_task(limiter.slot().__aenter__())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    now.at += 10
    async with limiter.slot():
        assert now.at == 10


async def test_the_rate_may_change_while_calls_wait(now):
    """A drain rate that an operator sets holds from the next look at the clock."""
    limiter = Limiter(rate_per_s=1, burst=1, concurrency=1, now=now, sleep=now.sleep)
    async with limiter.slot():
        pass
    limiter.rate_per_s = 100
    async with limiter.slot():
        assert now.at == pytest.approx(0.01)


async def test_after_an_outage_the_rate_eases_in(now):
    """What waited is spread over a minute: a tenth of the rate at first, the whole after it, never more."""
    limiter = Limiter(rate_per_s=100, concurrency=100, now=now, sleep=now.sleep)
    now.at = 1000.0
    limiter.ease_in(60)
    starts = []
    while now.at < 1070:
        async with limiter.slot():
            starts.append(now.at - 1000)
    first = sum(at < 6 for at in starts)
    last = sum(60 <= at < 70 for at in starts)
    assert 6 * 10 <= first <= 6 * 20
    assert 990 <= last <= 1_110
    assert sum(at < 60 for at in starts) == pytest.approx(60 * 55, rel=0.05)


async def test_another_rate_holds_at_once(now):
    """A rate chosen by an operator, or the share of one process of several, changes the running limiter."""
    limiter = Limiter(rate_per_s=10, concurrency=100, now=now, sleep=now.sleep)
    limiter.rate_per_s = 2
    now.at = 1000.0
    for _ in range(6):
        async with limiter.slot():
            pass
    assert now.at - 1000 == pytest.approx(2.0)
