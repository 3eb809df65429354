"""What vendors meet: the real HTTP floor on a socket, over a real database of each engine."""

import asyncio
import gzip
import io
import random
import unicodedata
from urllib.parse import unquote

import orjson
import pytest
import pytest_asyncio
import structlog
from yarl import URL

from gateway.queue.vendors import OVERLAP_MS, add_vendor, rotate_secret
from gateway.security.signatures import new_secret
from tests.conftest import ENGINES
from tests.listening import POST_PATH, Desk, a_database, an_item, open_desk, until

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=ENGINES)
async def desk(request, tmp_path_factory):
    """One gateway for the whole file: tests use event ids of their own and compare counts."""
    folder = tmp_path_factory.mktemp("api")
    url = await a_database(request.param, folder, lambda: request.getfixturevalue("postgres_url"))
    async with open_desk(url, folder) as desk:
        yield desk


async def test_one_item_is_answered_by_a_receipt_after_its_commit(desk: Desk):
    """202 means committed: the row is there for another connection when the answer arrives."""
    answer = await desk.post(an_item("one"))
    assert answer.status == 202
    [receipt] = answer.json()["receipts"]
    assert receipt == {"event_id": "one", "status": "accepted", "delivery_id": receipt["delivery_id"]}
    assert receipt["delivery_id"].isdigit()
    assert await desk.count("one") == 1


async def test_one_bad_item_of_500_costs_no_other(desk: Desk):
    """Receipts stand in the order of the items; the bad one names every fault of its own."""
    batch = [an_item(f"batch-{n}") for n in range(500)]
    batch[250] |= {"eventId": "bad", "occurredAt": "yesterday", "user": {}}
    answer = await desk.post(batch)
    assert answer.status == 202
    receipts = answer.json()["receipts"]
    assert [r["event_id"] for r in receipts] == [item["eventId"] for item in batch]
    assert [n for n, r in enumerate(receipts) if r["status"] != "accepted"] == [250]
    assert receipts[250]["status"] == "invalid"
    assert "delivery_id" not in receipts[250]
    assert {(e["path"], e["code"]) for e in receipts[250]["errors"]} == {
        ("$.occurredAt", "time.not_epoch_ms"),
        ("$.user.userId", "field.missing"),
    }


async def test_each_status_of_a_receipt(desk: Desk):
    """What the vendor sent before decides; nothing is counted twice and nothing is dropped."""
    before = await desk.arrived()
    await desk.post([an_item("known"), an_item("fixed", revision=2)])
    other = an_item("known", result={"passed": False})
    stale, corrected = an_item("fixed"), an_item("known", revision=2)
    started = an_item("started", eventType="COURSE_STARTED")
    answer = await desk.post([an_item("known"), other, stale, corrected, started, 7])
    assert answer.status == 202
    assert [r["status"] for r in answer.json()["receipts"]] == [
        "duplicate", "conflict", "stale", "corrected", "unsupported", "invalid",
    ]  # fmt: skip
    after = await desk.arrived()
    assert {kind: n - before.get(kind, 0) for kind, n in after.items() if n - before.get(kind, 0)} == {
        "received": 3, "duplicate": 1, "conflict": 1, "stale": 1, "unsupported": 1, "invalid": 1,
    }  # fmt: skip


async def test_messages_are_in_the_language_asked_for(desk: Desk):
    """Vietnamese unless the sender prefers English; codes stay the same."""
    bad = an_item(user={})
    told = {}
    for header in ("en-US, vi;q=0.5", "vi", None):
        answer = await desk.post([bad, an_item()], headers={"Accept-Language": header} if header else {})
        told[header] = answer.json()["receipts"][0]["errors"][0]
        assert answer.headers["Content-Language"] == ("en" if header == "en-US, vi;q=0.5" else "vi")
    assert told["en-US, vi;q=0.5"]["message"] == "A required field is missing. Add it and send again."
    assert told[None] == told["vi"]
    assert told["vi"]["message"].startswith("Thiếu trường bắt buộc")
    assert len({error["code"] for error in told.values()}) == 1


# --- signatures -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ({"headers": {"webhook-id": None}}, "signature.missing_header"),
        ({"headers": {"webhook-timestamp": None}}, "signature.missing_header"),
        ({"headers": {"webhook-signature": None}}, "signature.missing_header"),
        ({"headers": {"webhook-id": "a.b"}}, "signature.bad_id"),
        ({"headers": {"webhook-timestamp": "1773032400000"}}, "signature.bad_timestamp"),
        ({"headers": {"webhook-signature": "v2,AAAA"}}, "signature.bad_format"),
        ({"secret": new_secret()}, "signature.no_match"),
        ({"headers": {"webhook-id": "another"}}, "signature.no_match"),
    ],
)
async def test_a_bad_signature_is_refused_by_name(desk: Desk, how, code):
    """The problem names the fault and tells the server's time; nothing is stored."""
    before = await desk.arrived()
    answer = await desk.post(an_item(), **how)
    assert (answer.status, answer.code) == (401, code)
    assert answer.json()["server_time"] == "2026-03-09T05:00:00Z"
    assert answer.headers["WWW-Authenticate"] == "StandardWebhooks"
    assert await desk.arrived() == before


@pytest.mark.parametrize(("off_s", "words"), [(301, "nhanh hơn"), (-3600, "chậm hơn")])
async def test_a_wrong_clock_is_told_by_how_much(desk: Desk, off_s, words):
    """The engineer reads seconds and direction, and does not have to guess; 300 s either way are allowed."""
    answer = await desk.post(an_item(), at_s=desk.clock.now_ms() // 1000 + off_s)
    assert answer.code == "signature.clock_off"
    assert f"{abs(off_s)} giây" in answer.json()["detail"]
    assert words in answer.json()["detail"]
    edge = await desk.post(an_item(), at_s=desk.clock.now_ms() // 1000 + (300 if off_s > 0 else -300))
    assert edge.status == 202


async def test_a_body_changed_after_signing_is_refused(desk: Desk):
    """Every byte counts; where the change is a known one, the answer says which."""
    item = an_item()
    headers = desk.signed(orjson.dumps(item))
    for body, code in (
        (orjson.dumps(item, option=orjson.OPT_INDENT_2), "signature.body_changed"),
        (orjson.dumps(item | {"result": {"passed": False}}), "signature.no_match"),
    ):
        answer = await desk.ask("POST", POST_PATH, data=body, headers=headers)
        assert (answer.status, answer.code) == (401, code)
    assert await desk.count(item["eventId"]) == 0


async def test_an_unknown_vendor_is_answered_like_an_unknown_key(desk: Desk):
    """Nobody learns from the answers which vendors exist."""
    known = await desk.post(an_item(), secret=new_secret())
    unknown = await desk.post(an_item(), path="/v1/vendors/nobody/completions")
    own_key = await desk.post(an_item(), path="/v1/vendors/nobody/completions", secret=new_secret())
    told = [{k: v for k, v in a.json().items() if k != "instance"} for a in (known, unknown, own_key)]
    assert told[0] == told[1] == told[2]
    assert known.code == "signature.no_match"


async def test_a_signature_counts_for_its_own_vendor_alone(desk: Desk):
    """What one vendor signed is refused at another's address, whatever it is."""
    gateway = desk.gateway
    other = await add_vendor(gateway.db, gateway.vault, desk.clock, "other", "viettel")
    desk.clock.advance(s=2)
    item, path = an_item("bound"), "/v1/vendors/other/completions"
    assert (await desk.post(item, path=path)).code == "signature.no_match"
    assert (await desk.post(item, secret=other)).code == "signature.no_match"
    assert (await desk.post(item, path=path, secret=other)).status == 202


async def test_both_secrets_are_live_after_a_rotation_and_one_a_day_later(desk: Desk):
    """A rotation interrupts nobody; the old secret, once expired, is refused as such."""
    old = desk.secret
    new = await rotate_secret(desk.gateway.db, desk.gateway.vault, desk.clock, "viettel")
    desk.clock.advance(s=2)
    assert [(await desk.post(an_item(), secret=secret)).status for secret in (old, new)] == [202, 202]
    desk.clock.advance(ms=OVERLAP_MS)
    assert (await desk.post(an_item(), secret=new)).status == 202
    assert (await desk.post(an_item(), secret=old)).code == "signature.expired_key"
    desk.secret = new
    desk.clock.advance(ms=-OVERLAP_MS - 2000)


async def test_a_captured_request_cannot_be_sent_again_later(desk: Desk):
    """An inbound signature has a time window; within it the same request is a duplicate and changes nothing."""
    body = orjson.dumps(an_item("captured"))
    headers = desk.signed(body)
    statuses = [
        (await desk.ask("POST", POST_PATH, data=body, headers=headers)).json()["receipts"][0]["status"]
        for _ in range(2)
    ]
    assert statuses == ["accepted", "duplicate"]
    desk.clock.advance(s=301)
    again = await desk.ask("POST", POST_PATH, data=body, headers=headers)
    assert (again.status, again.code) == (401, "signature.clock_off")
    desk.clock.advance(s=-301)
    assert await desk.count("captured") == 1


async def test_an_idempotency_key_never_hides_another_body(desk: Desk):
    """The same webhook-id with other items is judged by the items; the same event with other content is 409."""
    first = await desk.post(an_item("key-1"), message_id="same")
    second = await desk.post(an_item("key-2"), message_id="same")
    assert first.json()["receipts"] != second.json()["receipts"]
    assert (await desk.count("key-1"), await desk.count("key-2")) == (1, 1)
    answer = await desk.post(an_item("key-1", result={"passed": False}), message_id="same")
    assert (answer.status, answer.code) == (409, "completion.conflict")
    [receipt] = answer.json()["receipts"]
    assert (receipt["status"], receipt["delivery_id"]) == (
        "conflict", first.json()["receipts"][0]["delivery_id"],
    )  # fmt: skip


# --- bodies ---------------------------------------------------------------------------------------------------

ITEM = orjson.dumps(an_item("body"))
NAMED = orjson.dumps(an_item("named", user={"userId": "u", "fullName": "@"}))


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "body.empty"),
        (b" \r\n", 400, "body.empty"),
        (b"not json", 400, "body.not_json"),
        (ITEM[:-1], 400, "body.not_json"),
        (b"[" + ITEM + b",", 400, "body.not_json"),
        (ITEM.replace(b"body", b"\xff\xfe"), 400, "body.not_utf8"),
        (ITEM.decode().encode("utf-16"), 400, "body.not_utf8"),
        (gzip.compress(ITEM), 400, "body.not_utf8"),
        (b"[" * 100_000, 400, "body.not_json"),
        (b'"text"', 422, "body.not_items"),
        (b"3.14", 422, "body.not_items"),
        (b"null", 422, "body.not_items"),
        (b"[]", 422, "body.no_items"),
        (b"[" + b",".join([b"{}"] * 501) + b"]", 413, "body.too_many_items"),
    ],
    ids=lambda value: repr(value[:12]) if isinstance(value, bytes) else None,
)
async def test_a_body_that_cannot_be_read_is_a_clear_problem_and_kept(desk: Desk, body, status, code):
    """It was authenticated, so it is in quarantine and in the balance."""
    before = (await desk.arrived()).get("quarantined", 0)
    answer = await desk.post(body)
    assert (answer.status, answer.code) == (status, code)
    assert (await desk.arrived())["quarantined"] == before + 1


@pytest.mark.parametrize(
    ("body", "path", "code"),
    [
        (b"[1]", "$", "item.not_object"),
        (b"[[]]", "$", "item.not_object"),
        (ITEM.replace(b'"user":{', b'"user":[{').replace(b'},"course"', b'}],"course"'), "$.user",
         "field.not_object"),
        (ITEM.replace(b"1773032400000", b'"1773032400000"'), "$.occurredAt", "time.not_epoch_ms"),
        (b'{"eventId":"d",' + ITEM[1:], "$.eventId", "item.repeated_key"),
        (ITEM.replace(b"8.5", b"NaN"), "$.result.score", "item.not_finite"),
        (NAMED.replace(b"@", b"\\ud800"), "$.user.fullName", "text.not_unicode"),
        (NAMED.replace(b"@", b"\\u0000"), "$.user.fullName", "text.nul"),
        (b'[{"a":' * 100_000 + b"1" + b"}]" * 100_000, "$", "item.too_deep"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "$", "item.too_deep"),
    ],
    ids=lambda value: value.split(".")[-1] if isinstance(value, str) else None,
)  # fmt: skip
async def test_an_item_that_cannot_be_taken_is_a_clear_problem_and_kept(desk: Desk, body, path, code):
    """Nothing valid is 422 with the receipts all the same; what was sent is in the balance as invalid."""
    before = (await desk.arrived()).get("invalid", 0)
    answer = await desk.post(body)
    assert (answer.status, answer.code) == (422, "completions.invalid")
    [receipt] = answer.json()["receipts"]
    assert receipt["status"] == "invalid"
    assert [(e["path"], e["code"]) for e in receipt["errors"]] == [(path, code)]
    assert (await desk.arrived())["invalid"] == before + 1


async def test_an_item_with_a_fault_of_form_keeps_its_event_id(desk: Desk):
    """The receipt says which event it was, as far as that can be read; nothing of it is taken."""
    answer = await desk.post(b'{"result":1,' + orjson.dumps(an_item("twice"))[1:])
    assert answer.json()["receipts"][0]["event_id"] == "twice"
    assert await desk.count("twice") == 0


@pytest.mark.parametrize(
    "body",
    [
        unicodedata.normalize("NFD", orjson.dumps(an_item("nfd")).decode()).encode(),
        b"\xef\xbb\xbf" + orjson.dumps(an_item("bom")),
        b"\r\n" + orjson.dumps([an_item("space")], option=orjson.OPT_INDENT_2) + b"\n",
        orjson.dumps(an_item("huge-number", extra=1)).replace(b'"extra":1', b'"extra":1e400'),
    ],
    ids=["nfd", "bom", "space", "huge-number"],
)
async def test_unusual_and_legal_bodies_are_taken(desk: Desk, body):
    """What RFC 8259 allows is no reason to refuse."""
    answer = await desk.post(body)
    assert answer.status == 202
    assert answer.json()["receipts"][0]["status"] == "accepted"


async def test_damaged_bodies_never_meet_a_500(desk: Desk):
    """Bytes cut, repeated and replaced at random places: each body gets receipts or a problem of its own."""
    chance = random.Random(20260309)
    seed = orjson.dumps([an_item("fuzz"), an_item("fuzz-2")])
    bodies = []
    for _ in range(80):
        body = bytearray(seed)
        for _ in range(chance.randint(1, 4)):
            at, size = chance.randrange(len(body)), chance.randint(0, 8)
            body[at : at + size] = chance.choice(
                [b"", b"\0", b'"', b"{", b"]", b"\\ud800", b"\xff", body[:size]]
            )
        bodies.append(bytes(body))
    answers = await asyncio.gather(*(desk.post(body) for body in bodies))
    assert {answer.status for answer in answers} <= {202, 400, 409, 422}
    assert all(answer.status == 202 or answer.code for answer in answers)
    assert len({answer.status for answer in answers}) > 1


@pytest.mark.parametrize("is_chunked", [False, True], ids=["stated", "chunked"])
async def test_ten_megabytes_are_too_large(desk: Desk, is_chunked):
    """Refused before it is read when the length is stated, and at the limit when it is not."""
    body = b"x" * 10_000_000

    async def pieces():
        for start in range(0, len(body), 65_536):
            yield body[start : start + 65_536]

    data = pieces() if is_chunked else io.BytesIO(body)
    answer = await desk.ask("POST", POST_PATH, data=data, headers=desk.signed(body))
    assert (answer.status, answer.code) == (413, "body.too_large")
    assert "1048576" in answer.json()["detail"]


async def test_the_largest_body_allowed_is_taken(desk: Desk):
    """The limit itself is allowed."""
    item = orjson.dumps(an_item("largest"))
    body = item + b" " * (desk.context.max_body_bytes - len(item))
    answer = await desk.ask("POST", POST_PATH, data=io.BytesIO(body), headers=desk.signed(body))
    assert answer.status == 202


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Content-Type": None}, "media_type.unsupported"),
        ({"Content-Type": "text/plain"}, "media_type.unsupported"),
        ({"Content-Type": "application/x-www-form-urlencoded"}, "media_type.unsupported"),
        ({"Content-Encoding": "gzip"}, "encoding.unsupported"),
    ],
)
async def test_another_content_type_or_encoding_is_415(desk: Desk, headers, code):
    """The answer says what to send instead."""
    body = gzip.compress(ITEM) if "Content-Encoding" in headers else ITEM
    skip = ["Content-Type"] if headers.get("Content-Type", "") is None else []
    answer = await desk.ask(
        "POST", POST_PATH, data=body, headers=desk.signed(body, headers=headers), skip_auto_headers=skip
    )
    assert (answer.status, answer.code) == (415, code)
    assert answer.headers["Accept-Encoding" if "Content-Encoding" in headers else "Accept"] in (
        "identity", "application/json",
    )  # fmt: skip


@pytest.mark.parametrize("value", ["application/json; charset=utf-8", "Application/JSON;charset=UTF-8"])
async def test_parameters_of_the_content_type_do_not_matter(desk: Desk, value):
    """Many clients add the charset."""
    assert (await desk.post(an_item(), headers={"Content-Type": value})).status == 202


# --- withdrawal -----------------------------------------------------------------------------------------------


async def test_a_completion_is_withdrawn_once_and_by_its_own_vendor(desk: Desk):
    """Doing it twice is no error and changes nothing; an event nobody sent is 404."""
    delivery_id = (await desk.post(an_item("mistake"))).json()["receipts"][0]["delivery_id"]
    first = await desk.delete("mistake")
    assert (first.status, first.json()) == (200, {"event_id": "mistake", "withdrawn": [delivery_id]})
    assert (await desk.delete("mistake")).json() == {"event_id": "mistake", "withdrawn": []}
    unsigned = await desk.delete("mistake", secret=new_secret())
    assert (unsigned.status, unsigned.code) == (401, "signature.no_match")


@pytest.mark.parametrize(
    ("event_id", "status", "code"),
    [
        ("never-sent", 404, "not_found"),
        ("M%C3%A3%20s%E1%BB%91", 404, "not_found"),
        ("a%2Fb", 404, "not_found"),
        ("%00", 404, "not_found"),
        ("x" * 200, 404, "not_found"),
        ("%FF", 422, "withdrawal.mismatch"),  # no JSON can name these two
        ("%ED%A0%80", 422, "withdrawal.mismatch"),
    ],
)
async def test_an_event_that_was_never_sent_is_404(desk: Desk, event_id, status, code):
    """Also for ids that no event can have; none of them reaches the database as it stands."""
    body = orjson.dumps({"event_id": unquote(event_id)})
    path = URL(f"{desk.address}{POST_PATH}/{event_id}", encoded=True)
    async with desk._session.delete(path, data=body, headers=desk.signed(body)) as answer:
        assert answer.status == status
        assert (await answer.json(content_type=None))["code"] == code


async def test_an_event_id_of_any_letters_is_withdrawn(desk: Desk):
    """What was accepted as an id can be named in the address, percent-encoded."""
    await desk.post(an_item("Mã số 1/2"))
    assert (await desk.delete("M%C3%A3%20s%E1%BB%91%201%2F2")).json()["event_id"] == "Mã số 1/2"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "body.empty"),
        (b"event_id=kept", 400, "body.not_json"),
        (b"[]", 422, "withdrawal.mismatch"),
        (b"{}", 422, "withdrawal.mismatch"),
        (b'{"event_id":null}', 422, "withdrawal.mismatch"),
        (b'{"event_id":"Kept"}', 422, "withdrawal.mismatch"),
        (b'{"event_id":"kept","score":9}', 422, "withdrawal.mismatch"),
    ],
)
async def test_a_withdrawal_names_its_event_in_the_signed_body(desk: Desk, body, status, code):
    """Anything else withdraws nothing, and the answer says what to send."""
    await desk.post(an_item("kept"))
    answer = await desk.ask("DELETE", f"{POST_PATH}/kept", data=body, headers=desk.signed(body))
    assert (answer.status, answer.code) == (status, code)
    assert code == "body.not_json" or '{"event_id": "…"}' in answer.json()["detail"]


async def test_an_overheard_request_withdraws_no_other_event(desk: Desk):
    """A signature covers neither method nor address, and is good for 300 s: what it signs must say it all."""
    await desk.post([an_item("chosen"), an_item("victim")])
    withdrawal = orjson.dumps({"event_id": "chosen"})
    completion = orjson.dumps({**an_item("chosen"), "event_id": "victim"})
    codes = []
    for body in (withdrawal, completion, b""):
        answer = await desk.ask("DELETE", f"{POST_PATH}/victim", data=body, headers=desk.signed(body))
        codes.append(answer.code)
    assert codes == ["withdrawal.mismatch", "withdrawal.mismatch", "body.empty"]
    assert len((await desk.delete("victim")).json()["withdrawn"]) == 1


# --- edge -----------------------------------------------------------------------------------------------------


async def test_what_the_server_refuses_itself_is_a_problem_too(desk: Desk):
    """404 and 405 look like every other problem."""
    missing = await desk.ask("GET", "/v1/nothing")
    assert (missing.status, missing.code) == (404, "route.not_found")
    wrong = await desk.ask("PUT", POST_PATH)
    assert (wrong.status, wrong.code, wrong.headers["Allow"]) == (405, "method.not_allowed", "GET, HEAD, POST")


async def test_a_trace_is_carried_on_and_answered(desk: Desk):
    """The sender's trace id is the correlation id; without one, each request gets its own."""
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    header = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    assert (await desk.post(an_item(), headers=header)).headers["X-Correlation-Id"] == trace
    made = {(await desk.ask("GET", "/healthz")).headers["X-Correlation-Id"] for _ in range(3)}
    assert len(made) == 3


async def test_a_request_leaves_one_line_without_personal_values(desk: Desk):
    """Who, what, how much, how long and which trace; never a name, an identifier or the address as sent."""
    with structlog.testing.capture_logs() as lines:
        await desk.post([an_item("logged"), an_item("logged-2", user={})])
        await desk.delete("0310000000199")
        await desk.ask("GET", "/healthz")
    requests = [line for line in lines if line["event"] == "request" and line["log_level"] == "info"]
    assert len(requests) == 2
    assert requests[0] | {"ms": 0, "message": "", "bytes": 0} == {
        "event": "request", "log_level": "info", "method": "POST", "route": "/v1/vendors/{vendor}/completions",
        "status": 202, "vendor": "viettel", "receipts": {"accepted": 1, "invalid": 1},
        "ms": 0, "message": "", "bytes": 0,
    }  # fmt: skip
    assert (requests[1]["status"], requests[1]["code"]) == (404, "not_found")
    assert "Hòa" not in str(lines)
    assert "31000000" not in str(lines)


async def test_metrics_count_what_was_answered(desk: Desk):
    """Items by receipt status, refusals by code, commits; in the form the scraper asks for."""
    await desk.post([an_item("counted"), an_item("counted")])
    await desk.post(an_item(), secret=new_secret())
    plain = await desk.ask("GET", "/metrics")
    text = plain.body.decode()
    assert 'gateway_accepted_total{status="duplicate",vendor="viettel"}' in text
    assert 'gateway_refused_total{fault="signature.no_match",vendor="viettel"}' in text
    assert 'gateway_refused_total{fault="signature.no_match",vendor="-"}' in text
    assert "gateway_commit_seconds_count" in text
    assert 'gateway_last_accepted_timestamp_seconds{vendor="viettel"} 1.77303' in text
    assert plain.headers["Content-Type"].startswith("text/plain")
    openmetrics = await desk.ask("GET", "/metrics", headers={"Accept": "application/openmetrics-text"})
    assert openmetrics.headers["Content-Type"].startswith("application/openmetrics-text")
    assert openmetrics.body.endswith(b"# EOF\n")


# --- bytes on the wire ----------------------------------------------------------------------------------------


async def raw(desk: Desk, *parts: bytes, until: bytes = b"") -> bytes:
    """Sends bytes as they are and reads until the mark, or without one to the end."""
    reader, writer = await asyncio.open_connection(*place(desk))
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        return await asyncio.wait_for(reader.readuntil(until) if until else reader.read(), 10)
    finally:
        writer.close()
        await writer.wait_closed()


def place(desk: Desk) -> tuple[str, int]:
    host, _, port = desk.address.removeprefix("http://").partition(":")
    return host, int(port)


def head(desk: Desk, body: bytes, *more: str) -> bytes:
    lines = [f"POST {POST_PATH} HTTP/1.1", "Host: gateway", "Connection: close", *more]
    lines += [f"{name}: {value}" for name, value in desk.signed(body).items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def test_a_body_in_broken_chunks_is_400(desk: Desk):
    """Refused by the route or, when all arrives at once, by the server; nothing of it is stored."""
    body = orjson.dumps(an_item("chunks"))
    got = await raw(desk, head(desk, body, "Transfer-Encoding: chunked"), b"2\r\n{}\r\n", b"zz\r\n" + body)
    assert got.startswith((b"HTTP/1.0 400 ", b"HTTP/1.1 400 "))
    assert b"Traceback" not in got
    assert await desk.count("chunks") == 0


async def test_a_sender_who_goes_away_harms_nobody(desk: Desk):
    """Half a body and a closed connection leave a line 499 and no error; the next request is served."""
    body = orjson.dumps(an_item("half"))
    with structlog.testing.capture_logs() as lines:
        _, writer = await asyncio.open_connection(*place(desk))
        writer.write(head(desk, body, f"Content-Length: {len(body)}") + body[:100])
        await until(lambda: desk.context.drain.is_busy)
        writer.close()
        await writer.wait_closed()
        await until(lambda: lines)
    assert [(line["log_level"], line["status"]) for line in lines] == [("info", 499)]
    assert (await desk.post(an_item())).status == 202
    assert await desk.count("half") == 0


@pytest.mark.parametrize("length", [10, 10_000_000])
async def test_a_sender_may_ask_before_it_sends(desk: Desk, length):
    """`Expect: 100-continue` saves sending a body that would be refused; curl asks so for large bodies."""
    asks = head(desk, b"", f"Content-Length: {length}", "Expect: 100-continue")
    got = await raw(desk, asks, b"x" * 10, until=b'"code":')
    said = b"100 Continue\r\n\r\nHTTP/1.1 401" if length == 10 else b"413"
    assert got.startswith(b"HTTP/1.1 " + said)


async def test_bytes_that_are_no_http_get_no_trace(desk: Desk):
    """The server's own answer: 400 without a stack trace, and the process goes on."""
    for garbage in (b"\x16\x03\x01\x02\0\x01\0\0", b"GET /\0 HTTP/1.1\r\n\r\n", b"A" * 20_000 + b"\r\n\r\n"):
        got = await raw(desk, garbage + b"\r\n\r\n")
        assert got.startswith((b"HTTP/1.0 400 ", b"HTTP/1.1 400 ")), got[:80]
        assert b"Traceback" not in got
    assert (await desk.ask("GET", "/healthz")).status == 200
