"""contracts/temis/: our client and the sandbox over real sockets, and the documents that describe both."""

import json

import httpx
import jsonschema
import orjson
import pytest
from openapi_spec_validator import validate

from gateway.model.errors import (
    CredentialsRefused,
    Failing,
    Garbled,
    NotSent,
    RefusedWhole,
    Throttled,
    Unanswered,
)
from gateway.outbound import exchange
from gateway.outbound.http import Caller
from gateway.temis.client import TemisClient
from gateway.temis.contract import (
    BATCH_ANSWER,
    BATCH_REQUEST,
    QUERY_ANSWER,
    QUERY_REQUEST,
    NaturalKey,
    RefusalCode,
)
from gateway.temis.mapping import same_content
from gateway.temis.push import push
from gateway.temis.schemas import schemas
from tests.generated import ROOT, check
from tests.records import a_sector_id, an_item
from tests.sandboxed import sandboxed

SAMPLES = {
    "batch_request": BATCH_REQUEST,
    "batch_answer": BATCH_ANSWER,
    "query_request": QUERY_REQUEST,
    "query_answer": QUERY_ANSWER,
}


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(exchange, "RETRY_WAIT_S", 0)


@pytest.fixture
async def box(clock):
    async with sandboxed(clock=clock) as box:
        yield box


def again(item, **fields):
    """The same record with another revision or content."""
    return type(item)(**(item.model_dump() | fields))


async def statuses(box, *items):
    return [answer.code or answer.status.value for answer in await box.temis.push(items)]


async def nothing():
    return None


# --- records -------------------------------------------------------------------------------------------------


async def test_a_new_record_is_created_and_can_be_read_back(box):
    """What was pushed stands in TEMIS under its key, with our revision and TEMIS's id."""
    item = an_item(certificate_no="CN-1", delivery="7")
    [answer] = await box.temis.push([item])
    assert (answer.status, answer.revision, answer.key) == ("created", 1, item.key)
    found = (await box.temis.query([item.key]))[item.key]
    assert same_content(item, found)
    assert (found.revision, found.record_id) == (1, answer.record_id)


async def test_the_same_content_again_is_unchanged_and_no_write(box):
    """A send repeated after an unknown outcome doubles nothing; a higher revision is remembered."""
    item = an_item()
    assert await statuses(box, item) == ["created"]
    assert await statuses(box, item) == ["unchanged"]
    assert await statuses(box, again(item, revision=5)) == ["unchanged"]
    assert await statuses(box, again(item, revision=4, score=9.0)) == ["stale"]
    assert [write["op"] for write in await box.writes()] == ["created"]


async def test_a_higher_revision_replaces_a_lower_one_is_stale(box):
    """Order does not matter: the highest revision wins whenever it arrives."""
    item = an_item()
    assert await statuses(box, again(item, revision=2, score=9.0)) == ["created"]
    assert await statuses(box, item) == ["stale"]
    assert await statuses(box, again(item, revision=3, score=9.5)) == ["updated"]
    [found] = (await box.temis.query([item.key])).values()
    assert (found.score, found.revision) == (9.5, 3)


async def test_a_stale_answer_names_the_revision_that_stands(box):
    """Whoever was overtaken learns by what."""
    item = an_item(revision=7)
    await box.temis.push([item])
    [answer] = await box.temis.push([again(item, revision=2, score=1.0)])
    assert (answer.status, answer.revision) == ("stale", 7)


async def test_a_record_is_withdrawn_once_and_may_come_back(box):
    """Withdrawing is a write of its own; repeated it is unchanged; a higher revision restores the record."""
    item = an_item()
    await box.temis.push([item])
    gone = again(item, revision=2, withdrawn=True)
    assert await statuses(box, gone) == ["withdrawn"]
    assert await statuses(box, gone) == ["unchanged"]
    assert (await box.temis.query([item.key]))[item.key].withdrawn
    assert await statuses(box, again(item, revision=3)) == ["updated"]
    assert [write["op"] for write in await box.writes()] == ["created", "withdrawn", "updated"]


async def test_a_withdrawal_that_overtakes_its_record_keeps_it_out(box):
    """The record that arrives late is stale; a later revision is then the first created one."""
    item = an_item()
    assert await statuses(box, again(item, revision=2, withdrawn=True)) == ["withdrawn"]
    assert await statuses(box, item) == ["stale"]
    assert await statuses(box, again(item, revision=3)) == ["created"]


async def test_one_key_is_person_module_and_school_year(box):
    """Records that differ in any part of the key are different records."""
    item = an_item()
    others = [
        again(item, sector_id=a_sector_id()),
        again(item, module_code="GVPT04"),
        again(item, school_year="2024-2025"),
    ]
    assert await statuses(box, item, *others) == ["created"] * 4


async def test_two_hundred_items_are_taken_and_more_are_refused_whole(box):
    """The contract's limit, in records and in keys."""
    items = [an_item() for _ in range(201)]
    assert await statuses(box, *items[:200]) == ["created"] * 200
    with pytest.raises(RefusedWhole) as caught:
        await box.temis.push(items)
    assert caught.value.status == 413
    assert len(await box.temis.query([item.key for item in items])) == 200


async def test_an_absent_record_is_left_out(box):
    """A query tells what is there; a key without a record is no error."""
    assert await box.temis.query([an_item().key]) == {}


# --- refusals of one item ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("missing", RefusalCode.ACCOUNT_MISSING),
        ("stopped", RefusalCode.ACCOUNT_STOPPED),
        ("unit_missing", RefusalCode.UNIT_MISSING),
        ("self_reported", RefusalCode.SELF_REPORTED),
    ],
)
async def test_a_curable_refusal_concerns_one_item_and_is_cured_outside(box, state, code):
    """The neighbours are stored; once the account is in order the same item is taken."""
    item, other = an_item(), an_item()
    await box.set(f"/_control/temis/accounts/{item.sector_id}", state=state)
    assert await statuses(box, item, other) == [code, "created"]
    await box.set(f"/_control/temis/accounts/{item.sector_id}", state="active")
    assert await statuses(box, item) == ["created"]


async def test_an_unknown_module_is_refused(box):
    """A module TEMIS does not know concerns each of its items and no other."""
    await box.set("/_control/temis/modules/GVPT99", known=False)
    item = an_item()
    assert await statuses(box, again(item, module_code="GVPT99"), item) == ["module_unknown", "created"]


async def test_a_malformed_item_is_refused_alone(box):
    """Items that are not the contract's are answered one by one; the good one among them is stored."""
    good = an_item()
    bad = [good.model_dump() | {"score": 8.555}, {"sector_id": "1"}, 7, None, []]
    token = await box.token.get()
    answer = await box.control.post(
        "/temis/bdtx/records:batch",
        json={"items": [*bad, good.model_dump()]},
        headers={"authorization": f"Bearer {token}"},
    )
    answers = BATCH_ANSWER.validate_json(answer.content).answers
    assert [a.code or a.status.value for a in answers] == ["malformed"] * 5 + ["created"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"<xml/>", 400),
        (b"[]", 400),
        (b'{"items":7}', 400),
        (b'{"items":[]}', 422),
        (b'{"items":[' + b"0," * 200 + b"0]}", 413),
    ],
)
async def test_a_wrong_envelope_is_refused_whole(box, body, status):
    """The statuses that the contract names for a call as a whole; nothing is applied."""
    with pytest.raises(RefusedWhole) as caught:
        await box.temis_caller.post("/bdtx/records:batch", body, orjson.loads)
    assert caught.value.status == status
    assert await box.writes() == []


# --- credentials ---------------------------------------------------------------------------------------------


async def test_without_a_token_nothing_is_answered(box):
    """Both calls of the contract ask for a bearer token."""
    bare = Caller(f"{box.address}/temis")
    with pytest.raises(CredentialsRefused):
        await TemisClient(bare).push([an_item()])
    await bare.aclose()


async def test_wrong_credentials_are_told_as_such(clock):
    """An unknown client or a wrong secret pauses the destination and blames no record."""
    async with sandboxed(clock=clock, clients={"gateway": "other"}) as box:
        with pytest.raises(CredentialsRefused):
            await box.temis.push([an_item()])


async def test_a_token_that_ended_early_is_renewed_within_the_call(box):
    """One 401 costs a second call and nobody a try."""
    await box.temis.push([an_item()])
    await box.faults({"target": "temis", "mode": "token_expired", "remaining": 1})
    assert await statuses(box, an_item()) == ["created"]
    assert (await box.stats())["tokens_issued"] == 2


async def test_tokens_that_never_hold_are_our_credentials(box):
    """A fresh token that is refused as well is not the record's fault."""
    await box.faults({"target": "temis", "mode": "token_expired"})
    with pytest.raises(CredentialsRefused):
        await box.temis.push([an_item()])


async def test_an_ended_token_is_replaced_before_the_call(box, clock):
    """The sandbox's tokens end; a gateway that lost track of time meets a 401 and goes on."""
    await box.temis.push([an_item()])
    clock.advance(s=3601)
    assert await statuses(box, an_item()) == ["created"]


# --- faults --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (302, Failing),
        (400, RefusedWhole),
        (403, CredentialsRefused),
        (404, Failing),
        (413, RefusedWhole),
        (422, RefusedWhole),
        (429, Throttled),
        (500, Failing),
        (502, Failing),
        (503, Throttled),
        (504, Failing),
    ],
)
async def test_the_fault_status_stores_nothing(box, status, error):
    """Every status arrives as its error, and the record is not in TEMIS."""
    await box.faults({"target": "temis", "mode": "status", "status": status})
    with pytest.raises(error) as caught:
        await box.temis.push([an_item()])
    assert type(caught.value) is error
    assert await box.writes() == []


async def test_a_status_may_hide_that_the_records_were_stored(box):
    """A 500 after the work: why 5xx leaves an outcome unknown, and a read-back finds the record."""
    item = an_item()
    await box.faults({"target": "temis", "mode": "status", "status": 500, "stores": True, "remaining": 1})
    with pytest.raises(Failing):
        await box.temis.push([item])
    assert same_content(item, (await box.temis.query([item.key]))[item.key])


async def test_retry_after_arrives(box):
    """The time that TEMIS names reaches the breaker."""
    await box.faults({"target": "temis", "mode": "status", "status": 503, "retry_after_s": 5})
    with pytest.raises(Throttled) as caught:
        await box.temis.push([an_item()])
    assert caught.value.retry_after_s == 5


async def test_the_fault_reset_is_unanswered(box):
    """A reset after the request was taken is unknown to the client; here nothing was stored."""
    await box.temis.push([an_item()])  # the connection is open already: the reset comes after sending
    await box.faults({"target": "temis", "mode": "reset"})
    with pytest.raises(Unanswered):
        await box.temis.push([an_item()])
    assert len(await box.writes()) == 1


async def test_the_fault_silent_stores_and_says_nothing(box):
    """The worst case: applied, and nobody knows. Sent again it is unchanged, so nothing doubles."""
    item = an_item()
    await box.faults({"target": "temis", "mode": "silent", "remaining": 1})
    with pytest.raises(Unanswered):
        await box.temis.push([item])
    assert same_content(item, (await box.temis.query([item.key]))[item.key])
    assert await statuses(box, item) == ["unchanged"]
    assert [write["op"] for write in await box.writes()] == ["created"]


async def test_the_fault_latency_beyond_the_limit_is_unanswered(clock):
    """A slow TEMIS ends by our own time limit; the outcome is unknown."""
    async with sandboxed(clock=clock, timeout_s=0.1) as box:
        await box.temis.query([an_item().key])
        await box.faults({"target": "temis", "mode": "latency", "latency_ms": 300})
        with pytest.raises(Unanswered):
            await box.temis.push([an_item()])


async def test_a_bearable_latency_is_only_slow(box):
    """Latency lets the call go on."""
    await box.faults({"target": "temis", "mode": "latency", "latency_ms": 5})
    assert await statuses(box, an_item()) == ["created"]


async def test_the_fault_garbage_is_garbled(box):
    """A maintenance page with status 200 is no answer."""
    await box.faults({"target": "temis", "mode": "garbage"})
    with pytest.raises(Garbled) as caught:
        await box.temis.push([an_item()])
    assert caught.value.excerpt.startswith(b"<html>")


async def test_a_poison_is_isolated_and_the_rest_is_stored_once(box):
    """One person's record breaks every batch it is in: 199 are delivered, in at most 17 calls."""
    items = [an_item() for _ in range(200)]
    await box.faults({"target": "temis", "mode": "poison", "sector_id": items[123].sector_id, "status": 500})
    results = await push(box.temis, items, recently_succeeded=lambda: True, before_call=nothing)
    assert [i for i, result in enumerate(results) if result.poison] == [123]
    assert [i for i, result in enumerate(results) if result.answer is None] == [123]
    assert len(await box.writes()) == 199
    assert (await box.stats())["faults_struck"]["temis.poison"] <= 9


async def test_no_connection_is_not_sent(clock):
    """Nobody listens: nothing was sent, and that is known."""
    async with sandboxed(clock=clock) as box:
        address = box.address
    caller = Caller(f"{address}/temis")
    with pytest.raises(NotSent):
        await TemisClient(caller).push([an_item()])
    await caller.aclose()


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"mode": "status", "status": 500}, NotSent),
        ({"mode": "status", "status": 503, "retry_after_s": 3}, Throttled),
        ({"mode": "status", "status": 400}, CredentialsRefused),
        ({"mode": "reset"}, NotSent),
        ({"mode": "silent"}, NotSent),
        ({"mode": "garbage"}, NotSent),
    ],
)
async def test_a_failing_token_service_leaves_no_outcome_unknown(box, fault, error):
    """Without a token the records have not been sent."""
    await box.faults({"target": "token", **fault})
    with pytest.raises(error) as caught:
        await box.temis.push([an_item()])
    assert type(caught.value) is error


async def test_chance_and_countdown_of_faults(box):
    """Half of the calls means about half; `remaining` ends a fault by itself; DELETE ends all."""
    await box.faults({"target": "temis", "mode": "status", "status": 500, "probability": 0.5})
    failed = 0
    for _ in range(60):
        try:
            await box.temis.query([an_item().key])
        except Failing:
            failed += 1
    assert 15 < failed < 45
    await box.faults({"target": "temis", "mode": "status", "status": 500, "remaining": 1})
    with pytest.raises(Failing):
        await box.temis.query([an_item().key])
    await box.temis.query([an_item().key])
    await box.faults({"target": "temis", "mode": "status"})
    await box.control.delete("/_control/faults")
    await box.temis.query([an_item().key])


async def test_a_fault_of_the_other_target_does_not_strike(box):
    """TEMIS goes on while the sector database is down."""
    await box.faults({"target": "registry", "mode": "status"})
    assert await statuses(box, an_item()) == ["created"]


# --- control -------------------------------------------------------------------------------------------------


async def test_the_log_of_writes_tells_doubles(box):
    """Each applied write has its operation, key, both digests and revision; equal content has equal digests."""
    item = an_item()
    for pushed in (item, again(item, revision=2, score=1.0), again(item, revision=3)):
        await box.temis.push([pushed])
    first, second, third = await box.writes()
    assert first.keys() >= {"op", "key", "old_digest", "new_digest", "revision", "seq", "at_ms"}
    assert [w["op"] for w in (first, second, third)] == ["created", "updated", "updated"]
    assert first["old_digest"] is None
    assert second["old_digest"] == first["new_digest"] == third["new_digest"] != second["new_digest"]
    assert {w["key"] for w in (first, second, third)} == {"/".join(item.key)}


async def test_all_records_are_listed(box):
    """Every record once, as stored; more than one write to the wire."""
    items = [an_item() for _ in range(1100)]
    for start in range(0, 1100, 200):
        await box.temis.push(items[start : start + 200])
    records = await box.lines("/_control/temis/records")
    assert {NaturalKey(r["sector_id"], r["module_code"], r["school_year"]) for r in records} == {
        item.key for item in items
    }
    assert records[0]["score"] == 8.5
    assert (await box.stats())["temis"]["records"] == 1100


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/_control/faults", {"target": "temis"}),
        ("PUT", "/_control/faults", [{"target": "temis", "mode": "slow"}]),
        ("PUT", "/_control/faults", [{"target": "temis", "mode": "status", "chance": 1}]),
        ("PUT", "/_control/temis/accounts/1", {"state": "gone"}),
        ("PUT", "/_control/temis/accounts/1", []),
        ("PUT", "/_control/temis/modules/M", {"known": "no"}),
    ],
)
async def test_the_control_refuses_what_it_does_not_understand(box, method, path, body):
    """A misspelled fault must not pass as none."""
    assert (await box.control.request(method, path, json=body)).status_code == 422
    assert (await box.control.get("/_control/faults")).json() == []


# --- documents -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(schemas()))
def test_the_documents_are_the_models(name):
    """contracts/temis/ is written from the models."""
    check(f"contracts/temis/{name}", json.dumps(schemas()[name], indent=2, ensure_ascii=False) + "\n")


def test_the_openapi_document_is_valid():
    """Any OpenAPI 3.1 tool can read it."""
    validate(schemas()["openapi.json"])


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_the_samples_fit_model_and_schema(name):
    """A reader may copy a sample: the models and the published schemas both take it."""
    text = (ROOT / f"contracts/temis/samples/{name}.json").read_bytes()
    SAMPLES[name].validate_json(text)
    validator = jsonschema.Draft202012Validator(schemas()[f"schemas/{name}.json"])
    validator.validate(orjson.loads(text))


async def test_the_sandbox_answers_the_sample(box):
    """The sample request, sent as it stands, is answered by the contract."""
    sample = (ROOT / "contracts/temis/samples/batch_request.json").read_bytes()
    answers = (await box.temis_caller.post("/bdtx/records:batch", sample, BATCH_ANSWER.validate_json)).answers
    assert {answer.status for answer in answers} <= {"created", "withdrawn"}


async def test_what_the_sandbox_answers_fits_the_published_schema(box):
    """The sandbox keeps to the same documents that a vendor of TEMIS would read."""
    token = await box.token.get()
    item = an_item()
    for path, body, schema in (
        ("batch", {"items": [item.model_dump()]}, "batch_answer"),
        ("query", {"keys": [item.key._asdict(), an_item().key._asdict()]}, "query_answer"),
    ):
        answer: httpx.Response = await box.control.post(
            f"/temis/bdtx/records:{path}", json=body, headers={"authorization": f"Bearer {token}"}
        )
        jsonschema.Draft202012Validator(schemas()[f"schemas/{schema}.json"]).validate(answer.json())
