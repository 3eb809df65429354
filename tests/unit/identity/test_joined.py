"""Questions that come together are one call; whoever asks, fails or leaves harms none of the others."""

import asyncio

import pytest

from gateway.identity.joined import FULL, Joined
from gateway.identity.snapshots import Known
from gateway.model.errors import NotSent, StorageBusy
from gateway.model.person import Answer, IdentifierType, LookupKey

LONG_S = 3600.0  # a pace that no test lives to see the end of


def key_of(n: int) -> LookupKey:
    return LookupKey(IdentifierType.SECTOR, f"{n:010d}")


class Source:
    """Notes each call; answers when it may, or fails."""

    def __init__(self) -> None:
        self.calls: list[list[LookupKey]] = []
        self.ended = 0
        self.error: Exception | None = None
        self.called, self.may_answer = asyncio.Event(), asyncio.Event()
        self.may_answer.set()

    async def ask(self, keys):
        self.calls.append(list(keys))
        self.called.set()
        try:
            await self.may_answer.wait()
        finally:
            self.ended += 1
        if self.error is not None:
            raise self.error
        return {key: Known(Answer(hits=(), fetched_at_ms=len(self.calls)), {}) for key in keys}


@pytest.fixture
def source():
    return Source()


async def settled() -> None:
    """Lets everything run that can run without an answer or a clock."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_questions_that_come_together_are_one_call(source):
    """Forty questions at the same moment cost one call, and each gets its own answer and no other."""
    joined = Joined(source.ask, turns=4)
    told = await asyncio.gather(*(joined.ask({key_of(n)}) for n in range(40)))
    assert source.calls == [[key_of(n) for n in range(40)]]
    assert [list(one.answers) for one in told] == [[key_of(n)] for n in range(40)]


async def test_the_first_question_after_a_quiet_moment_waits_for_nobody(source):
    """Little traffic pays nothing for joining; what follows within the pace gathers."""
    joined = Joined(source.ask, turns=4, pace_s=LONG_S)
    await joined.ask({key_of(1)})
    later = [asyncio.create_task(joined.ask({key_of(n)})) for n in (2, 3)]
    await settled()
    assert source.calls == [[key_of(1)]] and not any(task.done() for task in later)
    for task in later:
        task.cancel()
    await asyncio.gather(*later, return_exceptions=True)


async def test_after_the_pace_what_gathered_leaves_together(source):
    """Two calls of few questions do not follow each other closer than the pace."""
    pace_s, loop = 0.02, asyncio.get_running_loop()
    joined = Joined(source.ask, turns=4, pace_s=pace_s)
    started_s = loop.time()
    await joined.ask({key_of(1)})
    await asyncio.gather(joined.ask({key_of(2)}), joined.ask({key_of(3)}))
    assert source.calls == [[key_of(1)], [key_of(2), key_of(3)]]
    assert loop.time() - started_s >= pace_s * 0.9


async def test_while_all_turns_are_taken_questions_gather(source):
    """A slow sector database is asked larger questions, never more calls at once than it bears."""
    joined = Joined(source.ask, turns=1, pace_s=0)
    source.may_answer.clear()
    tasks = [asyncio.create_task(joined.ask({key_of(0)}))]
    await settled()
    for n in range(1, 6):
        tasks.append(asyncio.create_task(joined.ask({key_of(n)})))
        await settled()
    assert source.calls == [[key_of(0)]]
    source.may_answer.set()
    await asyncio.gather(*tasks)
    assert source.calls == [[key_of(0)], [key_of(n) for n in range(1, 6)]]


async def test_a_call_holds_no_more_than_the_registry_takes(source):
    """Joining never makes a call of more than 100; a full one waits for no pace and no turn."""
    joined = Joined(source.ask, turns=1, pace_s=LONG_S)
    source.may_answer.clear()
    many = {key_of(n) for n in range(FULL)}
    tasks = [asyncio.create_task(joined.ask(keys)) for keys in ({key_of(900)}, many, {key_of(901)})]
    await settled()
    assert [len(call) for call in source.calls] == [1, FULL]
    source.may_answer.set()
    assert (await tasks[1]).answers.keys() == many
    tasks[2].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_equal_questions_under_way_are_asked_once(source):
    """Who asks for what is on its way gets that answer and is told that it was another's."""
    joined = Joined(source.ask, turns=4, pace_s=0)
    source.may_answer.clear()
    first = asyncio.create_task(joined.ask({key_of(1)}))
    await source.called.wait()
    second = asyncio.create_task(joined.ask({key_of(1), key_of(2)}))
    await settled()
    source.may_answer.set()
    assert ((await first).joined, (await second).joined) == (0, 1)
    assert (await second).answers.keys() == {key_of(1), key_of(2)}
    assert source.calls == [[key_of(1)], [key_of(2)]]


async def test_a_failure_reaches_everybody_in_the_call(source):
    """An outage is told to each asker as an error, never as an empty answer; the next question is asked."""
    joined = Joined(source.ask, turns=4, pace_s=0)
    source.error = NotSent("no connection")
    told = await asyncio.gather(*(joined.ask({key_of(n)}) for n in range(3)))
    assert [(one.answers, one.error) for one in told] == [({}, source.error)] * 3
    assert len(source.calls) == 1
    source.error = None
    assert (await joined.ask({key_of(1)})).answers.keys() == {key_of(1)}


async def test_an_error_of_our_own_is_raised_for_each_of_them(source):
    """Storage that fails under a joined call fails every question in it, and the call holds no turn after."""
    joined = Joined(source.ask, turns=1, pace_s=0)
    source.error = StorageBusy("not in five runs")
    raised = await asyncio.gather(*(joined.ask({key_of(n)}) for n in range(3)), return_exceptions=True)
    assert raised == [source.error] * 3
    source.error = None
    assert (await joined.ask({key_of(1)})).answers.keys() == {key_of(1)}


async def test_an_asker_who_leaves_harms_none(source):
    """The one who brought the call about is cancelled; the one who joined it has his answer all the same."""
    joined = Joined(source.ask, turns=4, pace_s=0)
    source.may_answer.clear()
    leaving, staying = (asyncio.create_task(joined.ask({key_of(n)})) for n in (1, 2))
    await source.called.wait()
    leaving.cancel()
    await settled()
    assert leaving.cancelled() and source.ended == 0
    source.may_answer.set()
    assert (await staying).answers.keys() == {key_of(2)}
    assert len(source.calls) == 1


async def test_a_call_ends_with_its_last_asker_and_nobody_joins_its_end(source):
    """When all have left, nothing goes on; who asks at that very moment gets a call of his own."""
    joined = Joined(source.ask, turns=1, pace_s=0)
    source.may_answer.clear()
    asker = asyncio.create_task(joined.ask({key_of(1)}))
    await source.called.wait()
    asker.cancel()
    await asyncio.sleep(0)
    source.may_answer.set()
    assert (await joined.ask({key_of(1)})).answers.keys() == {key_of(1)}
    assert asker.cancelled() and source.calls == [[key_of(1)]] * 2 and source.ended == 2
