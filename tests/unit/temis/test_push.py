"""gateway/temis/push.py: one bad item never fails a batch, and an outage is nobody's fault."""

from math import ceil, log2

import httpx
import orjson
import pytest

from gateway.model.errors import (
    CredentialsRefused,
    Failing,
    Garbled,
    LeaseLost,
    NotSent,
    RefusedWhole,
    Throttled,
    Unanswered,
)
from gateway.outbound import exchange
from gateway.outbound.http import Caller
from gateway.temis.client import TemisClient
from gateway.temis.push import push
from tests.records import an_item

ITEMS = [an_item() for _ in range(200)]


class Temis:
    """A TEMIS by rule: `rule(ids, call)` gives the status of a call, or None for an answer to each item."""

    def __init__(self, rule) -> None:
        self.rule = rule
        self.calls = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        items = orjson.loads(request.content)["items"]
        ids = [item["sector_id"] for item in items]
        self.calls.append(ids)
        said = self.rule(ids, len(self.calls))
        if isinstance(said, Exception):
            raise said
        if isinstance(said, httpx.Response):
            return said
        if said is not None:
            return httpx.Response(said)
        names = ("sector_id", "module_code", "school_year")
        answers = [{n: item[n] for n in names} | {"status": "created"} for item in items]
        return httpx.Response(200, json={"answers": answers})


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(exchange, "RETRY_WAIT_S", 0)


async def attempt(temis, items, *, recently=False, before_call=None, is_answering=False):
    async def nothing():
        return None

    caller = Caller("https://temis.example", transport=httpx.MockTransport(temis))
    try:
        return await push(
            TemisClient(caller),
            items,
            recently_succeeded=lambda: recently,
            before_call=before_call or nothing,
            is_answering=is_answering,
        )
    finally:
        await caller.aclose()


def holds(*bad, status):
    """Answers `status` to every call that holds one of the bad items."""
    ids = {item.sector_id for item in bad}
    return lambda sent, _: status if ids & set(sent) else None


async def test_a_good_batch_is_one_call():
    """Nothing is split that works."""
    temis = Temis(lambda ids, call: None)
    results = await attempt(temis, ITEMS)
    assert len(temis.calls) == 1
    assert [r.answer.key for r in results] == [item.key for item in ITEMS]
    assert all(r.sent and not r.unknown and not r.poison and r.error is None for r in results)


@pytest.mark.parametrize("status", [409, 422, 500])
async def test_one_poison_is_isolated_within_its_bound(status):
    """Wherever it stands among 200, the culprit is found in 2·⌈log2 n⌉ + 1 calls and the rest is delivered."""
    for place in range(200):
        temis = Temis(holds(ITEMS[place], status=status))
        results = await attempt(temis, ITEMS, recently=True)
        assert len(temis.calls) <= 2 * ceil(log2(200)) + 1 == 17
        assert [i for i, r in enumerate(results) if r.poison] == [place]
        assert [i for i, r in enumerate(results) if r.answer is None] == [place]
        assert results[place].row.burns_try


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 64, 65, 199])
async def test_the_bound_holds_for_every_size(size):
    """First, middle and last place, in batches that do not halve evenly."""
    for place in {0, size // 2, size - 1}:
        temis = Temis(holds(ITEMS[place], status=422))
        results = await attempt(temis, ITEMS[:size], recently=True)
        assert len(temis.calls) <= 2 * ceil(log2(size)) + 1
        assert [i for i, r in enumerate(results) if r.poison] == [place]


async def test_several_poisons_are_found_in_one_attempt():
    """Neighbours and strangers alike stand alone at the end."""
    bad = [0, 1, 77, 199]
    temis = Temis(holds(*(ITEMS[i] for i in bad), status=422))
    results = await attempt(temis, ITEMS)
    assert [i for i, r in enumerate(results) if r.poison] == bad
    assert sum(r.answer is not None for r in results) == 196


async def test_a_batch_refused_whole_is_split_even_without_other_success():
    """400, 413 and 422 applied nothing: splitting is safe and may show the culprit."""
    temis = Temis(holds(ITEMS[3], status=413))
    results = await attempt(temis, ITEMS[:8], recently=False)
    assert [i for i, r in enumerate(results) if r.poison] == [3]


async def test_a_5xx_is_not_split_while_nothing_succeeds():
    """An outage costs one call a batch, not seventeen."""
    temis = Temis(lambda ids, call: 500)
    results = await attempt(temis, ITEMS, recently=False)
    assert len(temis.calls) == 1
    assert all(type(r.error) is Failing and r.unknown and not r.poison for r in results)


async def test_a_poison_among_a_few_is_found_without_other_traffic():
    """TEMIS answers questions, so a 5xx may be one item's; a lone one is not blamed while nothing succeeds."""
    temis = Temis(holds(ITEMS[2], status=500))
    results = await attempt(temis, ITEMS[:6], is_answering=True)
    assert [i for i, r in enumerate(results) if r.poison] == [2]
    assert [i for i, r in enumerate(results) if r.answer is None] == [2]
    [alone] = await attempt(temis, ITEMS[2:3], is_answering=True)
    assert not alone.poison


async def test_both_halves_failing_is_an_outage():
    """A 5xx that takes both halves as well is the destination's: three calls, nobody's fault."""
    temis = Temis(lambda ids, call: 500)
    results = await attempt(temis, ITEMS, recently=True)
    assert len(temis.calls) == 3
    assert not any(r.poison or r.row.burns_try for r in results)


async def test_two_items_that_both_fail_are_an_outage_as_well():
    """Even when the halves are single items: no try is burnt."""
    results = await attempt(Temis(lambda ids, call: 502), ITEMS[:2], recently=True)
    assert not any(r.poison for r in results)


async def test_a_passing_5xx_is_no_poison():
    """A single 500 that does not come back leaves nothing behind."""
    temis = Temis(lambda ids, call: 500 if call == 1 else None)
    results = await attempt(temis, ITEMS, recently=True)
    assert all(r.answer is not None and not r.unknown for r in results)


async def test_a_lone_item_is_poison_only_when_others_succeed():
    """Alone in its batch, an item is to blame only if TEMIS answers other batches."""
    for recently in (True, False):
        [result] = await attempt(Temis(lambda ids, call: 422), ITEMS[:1], recently=recently)
        assert result.poison is recently
        assert result.row.burns_try is recently


async def test_when_everything_is_refused_nobody_is_to_blame():
    """TEMIS turned stricter over night: after 15 calls without a success it ends, no try is burnt."""
    temis = Temis(lambda ids, call: 422)
    results = await attempt(temis, ITEMS, recently=True)
    assert len(temis.calls) == 15
    assert all(type(r.error) is RefusedWhole and not r.poison and not r.unknown for r in results)


async def test_many_poisons_have_an_end():
    """Every other item bad: the attempt stops at its budget, and what is proven stays proven."""
    temis = Temis(holds(*ITEMS[1::2], status=422))
    results = await attempt(temis, ITEMS, recently=True)
    assert len(temis.calls) <= 1 + 16 * ceil(log2(200)) + 1
    assert all(r.answer is None for r in results[1::2])


@pytest.mark.parametrize(
    ("said", "error", "unknown"),
    [
        (httpx.ReadTimeout("x"), Unanswered, True),
        (httpx.ConnectError("x"), NotSent, False),
        (httpx.Response(200, text="<html>"), Garbled, True),
        (401, CredentialsRefused, False),
        (404, Failing, False),
        (429, Throttled, False),
        (503, Throttled, False),
    ],
)
async def test_any_other_failure_is_the_whole_batchs(said, error, unknown):
    """What splitting cannot explain is not split, whatever else succeeds."""
    temis = Temis(lambda ids, call: said)
    results = await attempt(temis, ITEMS, recently=True)
    assert len({tuple(ids) for ids in temis.calls}) == 1
    assert {type(r.error) for r in results} == {error}
    assert {r.unknown for r in results} == {unknown}
    assert {r.sent for r in results} == {error is not NotSent}


async def test_a_throttle_in_the_middle_keeps_what_was_open_open():
    """An item that was in a batch answered 500 may be stored, though the call after it said 429."""
    temis = Temis(lambda ids, call: {1: 500, 2: None}.get(call, 429))
    results = await attempt(temis, ITEMS[:4], recently=True)
    assert [r.answer is not None for r in results] == [True, True, False, False]
    assert [type(r.error) for r in results[2:]] == [Throttled, Throttled]
    assert all(r.row.clears_unknown and r.unknown for r in results[2:])


async def test_a_throttle_after_a_refusal_leaves_nothing_open():
    """A 422 applied nothing and a 429 applied nothing: no read-back is needed."""
    temis = Temis(lambda ids, call: 422 if call == 1 else 429)
    results = await attempt(temis, ITEMS[:4])
    assert not any(r.unknown for r in results)
    assert {type(r.error) for r in results} == {Throttled}


async def test_the_lease_is_renewed_before_each_call():
    """`before_call` runs once for each call, the first one too."""
    temis, renewed = Temis(holds(ITEMS[0], status=422)), []

    async def before_call():
        renewed.append(len(temis.calls))

    await attempt(temis, ITEMS[:8], before_call=before_call)
    assert renewed == list(range(len(temis.calls)))


async def test_a_lost_lease_ends_the_attempt():
    """Whoever lost its lease makes no further call."""
    temis = Temis(lambda ids, call: 422)

    async def before_call():
        if len(temis.calls) == 2:
            raise LeaseLost("taken over")

    with pytest.raises(LeaseLost):
        await attempt(temis, ITEMS[:8], before_call=before_call)
    assert len(temis.calls) == 2


async def test_a_refused_item_is_an_answer_like_any_other():
    """One item refused by TEMIS leaves its 199 neighbours alone."""

    async def temis(request):
        items = orjson.loads(request.content)["items"]
        names = ("sector_id", "module_code", "school_year")
        answers = [{n: item[n] for n in names} | {"status": "created"} for item in items]
        answers[5] |= {"status": "refused", "code": "account_missing"}
        return httpx.Response(200, json={"answers": answers})

    results = await attempt(temis, ITEMS)
    assert [i for i, r in enumerate(results) if r.row.kind == "curable"] == [5]
    assert sum(r.row.kind == "success" for r in results) == 199
