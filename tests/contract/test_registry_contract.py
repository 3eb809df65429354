"""contracts/registry/: our client and the sandbox over real sockets, and the documents that describe both."""

import asyncio
import json
from datetime import date

import httpx
import jsonschema
import msgspec
import orjson
import pytest
from openapi_spec_validator import validate

from gateway.identity.registry import RegistryClient
from gateway.identity.registry_contract import (
    CHANGES_ANSWER,
    LOOKUP_ANSWERS,
    LOOKUP_REQUEST,
    SEARCH_ANSWER,
    SEARCH_REQUEST,
)
from gateway.identity.registry_schemas import schemas
from gateway.model.errors import (
    CredentialsRefused,
    Failing,
    Garbled,
    NotSent,
    RefusedWhole,
    Throttled,
    Unanswered,
)
from gateway.model.person import IdentifierType, LookupKey
from gateway.outbound import exchange
from gateway.outbound.http import Caller
from tests.generated import ROOT, check
from tests.records import a_person
from tests.sandboxed import sandboxed

SAMPLES = {
    "lookup_request": LOOKUP_REQUEST,
    "lookup_answers": LOOKUP_ANSWERS,
    "search_request": SEARCH_REQUEST,
    "search_answer": SEARCH_ANSWER,
    "changes_answer": CHANGES_ANSWER,
}
HOA = a_person()
BINH = a_person(
    full_name="Trần Văn Bình",
    birth_date="",
    gender="",
    citizen_id="031234567",
    unit_code="",
    unit_name="",
    role="Nhân viên",
    status="Đã nghỉ hưu",
    status_since="",
)
TWIN = a_person(full_name="Lê Thị Mai", citizen_id="031185009999")
OTHER_TWIN = a_person(full_name="Lê Thị Mai", citizen_id="031185009999")
CLASS = [a_person(full_name=f"Học viên {n}", citizen_id="") for n in range(250)]
ROSTER = [HOA, BINH, TWIN, OTHER_TWIN, *CLASS]


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(exchange, "RETRY_WAIT_S", 0)


@pytest.fixture
async def box(clock):
    async with sandboxed(ROSTER, clock=clock) as box:
        yield box


def sector(person):
    return LookupKey(IdentifierType.SECTOR, person.sector_id)


# --- look-up -------------------------------------------------------------------------------------------------


async def test_a_person_is_found_with_everything_on_file(box):
    """The snapshot says what the file says, the status word for word."""
    [snapshot] = (await box.registry.lookup([sector(HOA)]))[sector(HOA)]
    assert msgspec.structs.asdict(snapshot) == {
        "sector_id": HOA.sector_id,
        "full_name": "Nguyễn Thị Hòa",
        "birth_date": date(1985, 2, 3),
        "gender": "Nữ",
        "unit_code": "31000717",
        "unit_name": "THPT An Dương",
        "role": "GV",
        "status": "Đang làm việc",
        "status_since": date(2020, 9, 1),
    }


async def test_what_a_file_lacks_is_nothing(box):
    """Empty columns are None; a role that BDTX does not know is no role; the status stays as written."""
    [snapshot] = (await box.registry.lookup([sector(BINH)]))[sector(BINH)]
    assert (snapshot.birth_date, snapshot.unit_code, snapshot.status_since, snapshot.role) == (None,) * 4
    assert snapshot.status == "Đã nghỉ hưu"


@pytest.mark.parametrize(
    ("kind", "value", "person"),
    [
        (IdentifierType.PERSONAL, HOA.citizen_id, HOA),
        (IdentifierType.OLD_CARD, BINH.citizen_id, BINH),
    ],
)
async def test_each_kind_of_identifier_finds_its_person(box, kind, value, person):
    """A personal number and an old identity card find the file as well."""
    key = LookupKey(kind, value)
    assert [hit.sector_id for hit in (await box.registry.lookup([key]))[key]] == [person.sector_id]


async def test_the_type_of_an_identifier_counts(box):
    """The same digits under another type are another question."""
    key = LookupKey(IdentifierType.PERSONAL, HOA.sector_id)
    assert await box.registry.lookup([key]) == {key: ()}


async def test_not_found_is_an_answer(box):
    """Every key asked is a key of the answer; nobody is an empty tuple."""
    key = LookupKey(IdentifierType.SECTOR, "9999999999")
    assert await box.registry.lookup([key]) == {key: ()}


async def test_several_files_are_all_returned(box):
    """The client never chooses between two files with one identifier."""
    key = LookupKey(IdentifierType.PERSONAL, TWIN.citizen_id)
    hits = (await box.registry.lookup([key]))[key]
    assert {hit.sector_id for hit in hits} == {TWIN.sector_id, OTHER_TWIN.sector_id}


async def test_no_answer_carries_a_personal_number(box):
    """What is never needed is never fetched."""
    asked = {"identifiers": [{"type": "sector_id", "value": HOA.sector_id}]}
    answer = await box.registry_caller.post("/staff:lookup", asked, bytes)
    assert HOA.sector_id.encode() in answer
    assert HOA.citizen_id.encode() not in answer


async def test_many_identifiers_go_in_chunks_of_100(box):
    """250 people are three calls, each person once, also when asked twice."""
    keys = [sector(person) for person in CLASS]
    found = await box.registry.lookup([*keys, keys[0]])
    assert [found[key][0].sector_id for key in keys] == [person.sector_id for person in CLASS]
    assert (await box.stats())["registry"]["asked"]["identifiers"] == 250


async def test_nothing_asked_is_nothing_called(box):
    """An empty question makes no call."""
    assert await box.registry.lookup([]) == {}
    assert (await box.stats())["tokens_issued"] == 0


async def test_more_than_100_in_one_call_are_refused_whole(box):
    """The contract's limit, as the sector database states it."""
    asked = {"identifiers": [{"type": "sector_id", "value": "1"}] * 101}
    with pytest.raises(RefusedWhole) as caught:
        await box.registry_caller.post("/staff:lookup", asked, LOOKUP_ANSWERS.validate_json)
    assert caught.value.status == 413


# --- search and changes --------------------------------------------------------------------------------------


async def test_search_finds_by_name_and_birth_date(box):
    """Case, spacing and composed or decomposed letters do not matter; the birth date does."""
    for name in ("Nguyễn Thị Hòa", "NGUYỄN  THỊ HÒA", "Nguye\u0302\u0303n Thi\u0323 Ho\u0300a"):
        hits = await box.registry.search(name, date(1985, 2, 3))
        assert [hit.sector_id for hit in hits] == [HOA.sector_id]
    assert await box.registry.search("Nguyễn Thị Hòa", date(1985, 3, 2)) == ()
    assert await box.registry.search("Nguyễn Thị Hoa", date(1985, 2, 3)) == ()


async def test_a_changed_person_is_found_changed_and_told_by_the_feed(box, clock):
    """A corrected file answers at once, and the feed names every identifier it has and had."""
    answer = await box.control.patch(
        f"/_control/registry/staff/{HOA.sector_id}",
        json={"birth_date": "1985-03-02", "citizen_id": "031185000001"},
    )
    assert answer.status_code == 200
    [snapshot] = (await box.registry.lookup([sector(HOA)]))[sector(HOA)]
    assert snapshot.birth_date == date(1985, 3, 2)
    [change] = (await box.registry.changes("")).changes
    assert set(change.keys) == {
        sector(HOA),
        LookupKey(IdentifierType.PERSONAL, HOA.citizen_id),
        LookupKey(IdentifierType.PERSONAL, "031185000001"),
    }
    assert change.changed_at_ms == clock.now_ms()


async def test_a_new_identifier_wakes_who_waits_for_the_old_and_the_new(box):
    """A corrected sector identifier is a change of both; the old one finds nobody any more."""
    await box.control.patch(f"/_control/registry/staff/{HOA.sector_id}", json={"sector_id": "3199999991"})
    new = LookupKey(IdentifierType.SECTOR, "3199999991")
    found = await box.registry.lookup([sector(HOA), new])
    assert found[sector(HOA)] == ()
    assert found[new][0].full_name == HOA.full_name
    [change] = (await box.registry.changes("")).changes
    assert {sector(HOA), new} <= set(change.keys)


async def test_an_added_person_is_found_and_told_by_the_feed(box):
    """A file that was missing and is added wakes the completions that wait for it."""
    await box.set("/_control/registry/staff/3199999992", full_name="Phạm Văn Mới", birth_date="1990-01-02")
    key = LookupKey(IdentifierType.SECTOR, "3199999992")
    [snapshot] = (await box.registry.lookup([key]))[key]
    assert (snapshot.full_name, snapshot.status) == ("Phạm Văn Mới", "Đang làm việc")
    assert [change.keys for change in (await box.registry.changes("")).changes] == [(key,)]


async def test_the_feed_goes_on_from_its_cursor(box):
    """Pages join without gap or repetition, and an idle feed gives the cursor back."""
    for person in CLASS[:5]:
        await box.control.patch(f"/_control/registry/staff/{person.sector_id}", json={"gender": "Nam"})
    first = await box.registry.changes("", limit=3)
    second = await box.registry.changes(first.next, limit=3)
    third = await box.registry.changes(second.next)
    assert (first.more, second.more, third.more) == (True, False, False)
    told = [change.keys[0] for page in (first, second, third) for change in page.changes]
    assert told == [sector(person) for person in CLASS[:5]]
    assert third.next == second.next


async def test_the_lag_of_the_feed_is_measured_by_our_clock(box, clock):
    """Snapshots may be kept long only while the feed keeps up, so its lag must be known."""
    assert (await box.registry.changes("")).lag_ms == 0

    class Ahead:
        def now_ms(self):
            return clock.now_ms() + 61_000

    late = RegistryClient(box.registry_caller, Ahead())
    assert (await late.changes("")).lag_ms == 61_000


async def test_a_cursor_of_another_feed_is_refused(box):
    """A cursor is never guessed at."""
    with pytest.raises(RefusedWhole):
        await box.registry.changes("abc")


# --- an outage is never a verdict ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"mode": "status", "status": 302}, Failing),
        ({"mode": "status", "status": 403}, CredentialsRefused),
        ({"mode": "status", "status": 404}, Failing),
        ({"mode": "status", "status": 429, "retry_after_s": 2}, Throttled),
        ({"mode": "status", "status": 500}, Failing),
        ({"mode": "status", "status": 503}, Throttled),
        ({"mode": "reset"}, Unanswered),
        ({"mode": "silent"}, Unanswered),
        ({"mode": "garbage"}, Garbled),
        ({"mode": "token_expired"}, CredentialsRefused),
    ],
)
@pytest.mark.parametrize("call", ["lookup", "search", "changes"])
async def test_every_fault_is_an_error_and_never_an_empty_answer(box, fault, error, call):
    """Nobody is told `not found` because the sector database was down."""
    ask = {
        "lookup": lambda: box.registry.lookup([sector(HOA)]),
        "search": lambda: box.registry.search(HOA.full_name, date(1985, 2, 3)),
        "changes": lambda: box.registry.changes(""),
    }[call]
    await ask()  # the connection is open already
    await box.faults({"target": "registry", **fault})
    # The transport repeats a GET whose connection broke, which is safe; it then fails the same way.
    with pytest.raises(error) as caught:
        await ask()
    assert type(caught.value) is error


async def test_one_failing_chunk_fails_the_look_up(box):
    """A part of an answer is no answer: the other 200 people must not look like the only ones."""
    await box.faults({"target": "registry", "mode": "status", "status": 500, "remaining": 1})
    with pytest.raises(Failing):
        await box.registry.lookup([sector(person) for person in CLASS])


async def test_a_slow_registry_is_unanswered(clock):
    """Our own time limit ends the wait; that is an outage, not an answer."""
    async with sandboxed(ROSTER, clock=clock, timeout_s=0.1) as box:
        await box.registry.lookup([sector(HOA)])
        await box.faults({"target": "registry", "mode": "latency", "latency_ms": 300})
        with pytest.raises(Unanswered):
            await box.registry.lookup([sector(HOA)])


async def test_no_connection_is_an_outage(clock):
    """Nobody listens."""
    async with sandboxed(clock=clock) as box:
        address = box.address
    caller = Caller(f"{address}/registry")
    with pytest.raises(NotSent):
        await RegistryClient(caller, clock).lookup([sector(HOA)])
    await caller.aclose()


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"answers": []},
        {"answers": None},
        {"answers": [{"type": "sector_id", "value": "OTHER", "hits": []}]},
        {"answers": [{"type": "personal_number", "value": "KEY", "hits": []}]},
        {"answers": [{"type": "sector_id", "value": "KEY"}]},
        {"answers": [{"type": "sector_id", "value": "KEY", "hits": None}]},
        {"answers": [{"type": "sector_id", "value": "KEY", "hits": [{"full_name": "A"}]}]},
        {
            "answers": [
                {
                    "type": "sector_id",
                    "value": "KEY",
                    "hits": [{"sector_id": "1", "full_name": "A", "status": "x", "birth_date": "03/02/1985"}],
                }
            ]
        },
        {"answers": [{"type": "sector_id", "value": "KEY", "hits": []}] * 2},
    ],
)
async def test_a_malformed_single_answer_is_garbled(clock, answer):
    """One answer that is missing, exchanged or unreadable makes the look-up an outage, not a `not found`."""
    body = orjson.dumps(answer).replace(b"KEY", HOA.sector_id.encode())
    caller = Caller(
        "https://r.example", transport=httpx.MockTransport(lambda _: httpx.Response(200, content=body))
    )
    with pytest.raises(Garbled):
        await RegistryClient(caller, clock).lookup([sector(HOA)])
    await caller.aclose()


async def test_look_ups_at_once_are_bounded(clock):
    """A thousand people are not ten calls at once."""
    at_once = most = 0

    async def answer(request):
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        for _ in range(5):
            await asyncio.sleep(0)
        at_once -= 1
        asked = orjson.loads(request.content)["identifiers"]
        return httpx.Response(200, json={"answers": [one | {"hits": []} for one in asked]})

    caller = Caller("https://r.example", transport=httpx.MockTransport(answer))
    client = RegistryClient(caller, clock, concurrency=2)
    keys = [LookupKey(IdentifierType.SECTOR, str(n)) for n in range(1000)]
    assert len(await client.lookup(keys)) == 1000
    assert most == 2
    await caller.aclose()


# --- control -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("3199999999", {"gender": "Nam"}, 404),
        (HOA.sector_id, {"shoe_size": "38"}, 422),
        (HOA.sector_id, {"birth_date": "03/02/1985"}, 422),
        (HOA.sector_id, {"birth_date": 1985}, 422),
        (HOA.sector_id, {"full_name": ""}, 422),
        (HOA.sector_id, {"sector_id": None}, 422),
        (HOA.sector_id, [], 422),
    ],
)
async def test_a_change_that_makes_no_sense_changes_nothing(box, path, body, status):
    """The feed tells only of changes that were made."""
    answer = await box.control.patch(f"/_control/registry/staff/{path}", json=body)
    assert answer.status_code == status
    assert (await box.registry.changes("")).changes == ()


# --- documents -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(schemas()))
def test_the_documents_are_the_models(name):
    """contracts/registry/ is written from the models."""
    check(f"contracts/registry/{name}", json.dumps(schemas()[name], indent=2, ensure_ascii=False) + "\n")


def test_the_openapi_document_is_valid():
    """Any OpenAPI 3.1 tool can read it."""
    validate(schemas()["openapi.json"])


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_the_samples_fit_model_and_schema(name):
    """A reader may copy a sample: the models and the published schemas both take it."""
    text = (ROOT / f"contracts/registry/samples/{name}.json").read_bytes()
    SAMPLES[name].validate_json(text)
    validator = jsonschema.Draft202012Validator(schemas()[f"schemas/{name}.json"])
    validator.validate(orjson.loads(text))


async def test_what_the_sandbox_answers_fits_the_published_schemas(box):
    """The sandbox keeps to the documents that the real sector database would be held against."""
    await box.control.patch(f"/_control/registry/staff/{BINH.sector_id}", json={"gender": "Nam"})
    asked = {"identifiers": [{"type": "sector_id", "value": p.sector_id} for p in (HOA, BINH)]}
    found = {
        "lookup_answers": await box.registry_caller.post("/staff:lookup", asked, orjson.loads),
        "search_answer": await box.registry_caller.post(
            "/staff:search", {"full_name": HOA.full_name, "birth_date": HOA.birth_date}, orjson.loads
        ),
        "changes_answer": await box.registry_caller.get("/changes", orjson.loads, {"since": ""}),
    }
    for name, answer in found.items():
        jsonschema.Draft202012Validator(schemas()[f"schemas/{name}.json"]).validate(answer)
