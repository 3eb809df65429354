"""gateway/temis/client.py: answers that do not line up are no answers."""

import httpx
import orjson
import pytest
import respx

from gateway.model.errors import Garbled, Unanswered
from gateway.outbound.http import Caller
from gateway.temis.client import TemisClient
from tests.records import an_item

URL = "https://temis.example/temis"


@pytest.fixture
def router():
    return respx.Router(assert_all_called=False)


@pytest.fixture
async def client(router, clock):
    caller = Caller(URL, transport=httpx.MockTransport(router.async_handler), clock=clock)
    yield TemisClient(caller)
    await caller.aclose()


def answered(items):
    return {"answers": [item.key._asdict() | {"status": "created", "record_id": "b"} for item in items]}


def stored(item):
    return item.model_dump(exclude={"delivery"}) | {"record_id": "b"}


async def test_answers_come_in_the_order_of_the_items(router, client):
    """The n-th answer is about the n-th item."""
    items = [an_item() for _ in range(3)]
    router.post(f"{URL}/bdtx/records:batch").respond(json=answered(items))
    assert [answer.key for answer in await client.push(items)] == [item.key for item in items]


async def test_an_item_is_sent_without_what_it_does_not_state(router, client):
    """No nulls travel; what is sent is the contract's item."""
    route = router.post(f"{URL}/bdtx/records:batch")
    item = an_item(score=None)
    route.respond(json=answered([item]))
    await client.push([item])
    sent = orjson.loads(route.calls.last.request.content)["items"][0]
    assert sent == item.model_dump(exclude_none=True)
    assert "score" not in sent


@pytest.mark.parametrize("spoil", ["fewer", "more", "swapped", "other"])
async def test_answers_that_do_not_line_up_are_garbled(router, client, spoil):
    """A missing, surplus or exchanged answer must never credit one person with another's result."""
    items = [an_item(), an_item()]
    answers = {
        "fewer": items[:1],
        "more": [*items, an_item()],
        "swapped": items[::-1],
        "other": [items[0], an_item()],
    }[spoil]
    router.post(f"{URL}/bdtx/records:batch").respond(json=answered(answers))
    with pytest.raises(Garbled):
        await client.push(items)


async def test_a_query_tells_stored_from_absent(router, client):
    """null is an absence; the key is then left out."""
    here, gone = an_item(), an_item()
    router.post(f"{URL}/bdtx/records:query").respond(json={"records": [stored(here), None]})
    found = await client.query([here.key, gone.key])
    assert list(found) == [here.key]
    assert found[here.key].record_id == "b"


@pytest.mark.parametrize("records", [[], [None], [None, None, None]])
async def test_a_short_or_long_read_back_is_no_absence(router, client, records):
    """Records that do not line up with the keys prove nothing, least of all that a record is missing."""
    router.post(f"{URL}/bdtx/records:query").respond(json={"records": records})
    with pytest.raises(Garbled):
        await client.query([an_item().key, an_item().key])


async def test_another_record_than_asked_for_is_garbled(router, client):
    """A read-back of somebody else's record settles nothing."""
    router.post(f"{URL}/bdtx/records:query").respond(json={"records": [stored(an_item())]})
    with pytest.raises(Garbled):
        await client.query([an_item().key])


async def test_a_query_goes_in_pages_of_200_and_asks_no_key_twice(router, client):
    """450 keys are three calls; a key given twice is asked once."""
    route = router.post(f"{URL}/bdtx/records:query")
    route.side_effect = lambda request: httpx.Response(
        200, json={"records": [None] * len(orjson.loads(request.content)["keys"])}
    )
    keys = [an_item().key for _ in range(450)]
    assert await client.query([*keys, keys[0]]) == {}
    assert [len(orjson.loads(c.request.content)["keys"]) for c in route.calls] == [200, 200, 50]


async def test_a_read_back_that_fails_on_its_second_page_is_no_answer(router, client):
    """Half a read-back must not turn the other half into absences."""
    route = router.post(f"{URL}/bdtx/records:query")
    route.side_effect = [httpx.Response(200, json={"records": [None] * 200}), httpx.ReadTimeout("x")]
    with pytest.raises(Unanswered):
        await client.query([an_item().key for _ in range(201)])
