"""xAPI over a real socket: what LMSs' own libraries send ends as TEMIS records, and nothing is taken twice."""

import asyncio
import base64
import copy
import uuid
from pathlib import Path

import httpx
import orjson
import pytest
from ralph.backends.data.lrs import LRSDataBackend
from tincan import (
    Activity,
    ActivityDefinition,
    Agent,
    AgentAccount,
    Context,
    LanguageMap,
    RemoteLRS,
    Score,
    Statement,
    Verb,
)
from tincan import Result as XResult

from gateway.api.app import make_app
from gateway.api.context import Drain
from gateway.api.server import listening
from gateway.cli.serving.process import context_of
from gateway.connectors.xapi import OURS, SECTOR
from gateway.queue.vendors import add_vendor, rotate_secret
from gateway.sandbox.app import make_sandbox
from gateway.sandbox.server import serving
from tests.integration.test_pipeline import ROSTER, Lab, running_gateway, wait_for
from tests.listening import Answer, Desk, open_desk

GOLDEN = Path(__file__).parents[2] / "contracts" / "vendors" / "xapi" / "golden"
SAMPLE = orjson.loads((GOLDEN.parent / "samples" / "completion.json").read_bytes())
COMPLETED = "http://adlnet.gov/expapi/verbs/completed"
PASSED = "http://adlnet.gov/expapi/verbs/passed"
VOIDED = "http://adlnet.gov/expapi/verbs/voided"


def a_statement(**changes):
    return {**copy.deepcopy(SAMPLE), "id": str(uuid.uuid4()), **changes}


def a_void(target: str, **changes):
    about = {"objectType": "StatementRef", "id": target}
    return a_statement(verb={"id": VOIDED}, object=about, **changes)


class Lms:
    """A source that speaks xAPI, in front of a desk."""

    def __init__(self, desk: Desk, secret: str) -> None:
        self.desk = desk
        self.secret = secret

    def headers(self, **headers: str | None) -> dict[str, str]:
        pair = base64.b64encode(f"moodle:{self.secret}".encode()).decode()
        basic = {
            "Authorization": f"Basic {pair}",
            "X-Experience-API-Version": "1.0.3",
            "Content-Type": "application/json",
        }
        return {name: value for name, value in {**basic, **headers}.items() if value is not None}

    async def send(self, content, *, method="POST", query="", **headers) -> Answer:
        body = content if isinstance(content, bytes) else orjson.dumps(content)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.desk.ask(method, f"/xapi/statements{query}", data=body, headers=self.headers(**named))

    async def get(self, query: str) -> Answer:
        return await self.desk.ask("GET", f"/xapi/statements{query}", headers=self.headers())

    async def state(self, statement_id: str) -> tuple[str, str | None] | None:
        async with self.desk.gateway.db.read() as tx:
            rows = await tx.rows("SELECT state, reason FROM deliveries WHERE event_id = :e", e=statement_id)
        return (rows[0].state, rows[0].reason) if rows else None


@pytest.fixture
async def lms(database_url, tmp_path):
    async with open_desk(database_url, tmp_path) as desk:
        secret = await add_vendor(desk.gateway.db, desk.gateway.vault, desk.clock, "moodle", "xapi")
        desk.clock.advance(s=3)
        yield Lms(desk, secret)


# --- storing --------------------------------------------------------------------------------------------------


async def test_statements_are_answered_by_their_ids_after_the_commit(lms):
    """One or a batch; the version stands on every answer."""
    one, two, three = a_statement(), a_statement(), a_statement()
    answer = await lms.send(one)
    assert (answer.status, answer.json()) == (200, [one["id"]])
    assert answer.headers["X-Experience-API-Version"] == "1.0.3"
    assert (await lms.send([two, three])).json() == [two["id"], three["id"]]
    assert await lms.state(three["id"]) == ("accepted", None)
    assert (await lms.send([])).json() == []


async def test_an_equal_statement_is_skipped_and_another_under_its_id_refused(lms):
    """Sent again it is 200 (or 204) and not counted; other content is 409 and the batch is not taken."""
    one = a_statement()
    await lms.send(one)
    assert (await lms.send({**one, "version": "1.0.0", "stored": "2020-01-01T00:00:00Z"})).json() == [one["id"]]
    assert (await lms.send(one, method="PUT", query=f"?statementId={one['id']}")).status == 204
    other, fresh = {**one, "result": {"success": False}}, a_statement()
    conflict = await lms.send([fresh, other])
    assert (conflict.status, conflict.code) == (409, "xapi.conflict")
    assert await lms.state(fresh["id"]) is None
    assert (await lms.desk.arrived())["received"] == 1
    assert (await lms.send(other, method="PUT", query=f"?statementId={one['id']}")).code == "xapi.conflict"


async def test_a_batch_is_taken_as_a_whole_or_not_at_all(lms):
    """The same id twice, or something that is no statement: 400, and each fault has its place."""
    good, bad = a_statement(), a_statement(timestamp="yesterday")
    assert (await lms.send([good, {**good, "id": good["id"].upper()}])).code == "xapi.repeated_id"
    answer = await lms.send([good, bad, 7])
    assert (answer.status, answer.code) == (400, "xapi.invalid")
    assert [receipt["status"] for receipt in answer.json()["receipts"]] == ["accepted", "invalid", "invalid"]
    assert answer.json()["receipts"][1]["errors"][0]["path"] == "$.timestamp"
    assert await lms.state(good["id"]) is None
    assert await lms.desk.arrived() == {"invalid": 2}  # kept, for whoever has to mend them
    assert (await lms.send(good)).status == 200


async def test_put_stores_one_statement_under_the_id_of_the_address(lms):
    """Without an id of its own it gets that one; with another it is refused."""
    id_ = str(uuid.uuid4())
    bare = a_statement()
    del bare["id"]
    assert (await lms.send(bare, method="PUT", query=f"?statementId={id_.upper()}")).status == 204
    assert await lms.state(id_) == ("accepted", None)
    assert (await lms.send(a_statement(), method="PUT", query=f"?statementId={id_}")).code == "xapi.other_id"
    two = [a_statement(), a_statement()]
    assert (await lms.send(two, method="PUT", query=f"?statementId={id_}")).code == "xapi.one_statement"
    assert (await lms.send(bare, method="PUT")).code == "query.invalid"


async def test_what_moodle_really_sends_is_taken_once_and_never_as_a_pass(lms):
    """No id, no result: the same completion sent twice is one, and it states no result."""
    moodle = orjson.loads((GOLDEN / "08-moodle-course-completed.in.json").read_bytes())
    first, again = await lms.send([moodle]), await lms.send([moodle])
    assert first.json() == again.json()
    assert await lms.desk.arrived() == {"received": 1, "duplicate": 1}
    by_mail = orjson.loads((GOLDEN / "09-moodle-by-mail.in.json").read_bytes())
    assert (await lms.send(by_mail)).status == 200


async def test_a_statement_without_a_time_happened_when_it_was_received(lms):
    """`stored` is ours; what a sender says of it is not believed."""
    bare = a_statement(stored="2019-01-01T00:00:00Z")
    del bare["timestamp"]
    await lms.send(bare)
    told = (await lms.get(f"?statementId={bare['id']}")).json()
    assert told["stored"] == told["timestamp"] == "2026-03-09T05:00:03Z"


async def test_other_statements_are_answered_and_set_aside(lms):
    """An LMS sends everything it logs; what is no completion of a course is kept and not read."""
    videos = [a_statement(verb={"id": "http://adlnet.gov/expapi/verbs/experienced"}) for _ in range(3)]
    block = orjson.loads((GOLDEN / "12-open-edx-block-is-no-course.in.json").read_bytes())
    answer = await lms.send([*videos, block])
    assert answer.json() == [*(one["id"] for one in videos), block["id"]]
    assert await lms.desk.arrived() == {"unsupported": 4}


# --- voiding and reading --------------------------------------------------------------------------------------


async def test_voiding_withdraws_and_the_statement_is_found_as_voided_only(lms):
    """A correction is a void and a new statement."""
    one = a_statement()
    await lms.send(one)
    assert (await lms.get(f"?statementId={one['id']}")).json()["actor"] == one["actor"]
    void = a_void(one["id"])
    assert (await lms.send(void)).json() == [void["id"]]
    assert await lms.state(one["id"]) == ("voided", "withdrawn")
    assert (await lms.get(f"?statementId={one['id']}")).code == "not_found"
    voided = (await lms.get(f"?voidedStatementId={one['id']}")).json()
    assert (voided["id"], voided["result"]) == (one["id"], one["result"])
    assert (await lms.send(one)).status == 200
    assert await lms.state(one["id"]) == ("voided", "withdrawn")


async def test_a_void_may_arrive_before_its_statement_or_with_it(lms):
    """It is remembered and takes effect; unknown ones are no error."""
    early, same = a_statement(), a_statement()
    assert (await lms.send(a_void(early["id"].upper()))).status == 200
    await lms.send(early)
    assert await lms.state(early["id"]) == ("voided", "withdrawn")
    await lms.send([a_void(same["id"]), same])
    assert await lms.state(same["id"]) == ("voided", "withdrawn")


async def test_only_single_statements_of_the_source_itself_are_read(lms):
    """No queries, nothing of others."""
    theirs = await lms.desk.post({"eventId": "x"})
    assert theirs.status == 202
    assert (await lms.get("")).code == "xapi.no_queries"
    assert (
        await lms.get(f"?statementId={uuid.uuid4()}&voidedStatementId={uuid.uuid4()}")
    ).code == "xapi.no_queries"
    assert (await lms.get("?statementId=x")).code == "query.invalid"
    assert (await lms.get(f"?statementId={uuid.uuid4()}")).code == "not_found"
    other = await add_vendor(lms.desk.gateway.db, lms.desk.gateway.vault, lms.desk.clock, "second", "xapi")
    lms.desk.clock.advance(s=3)
    one = a_statement()
    await lms.send(one)
    pair = base64.b64encode(f"second:{other}".encode()).decode()
    query = f"/xapi/statements?statementId={one['id']}"
    answer = await lms.desk.ask("GET", query, headers=lms.headers(Authorization=f"Basic {pair}"))
    assert answer.code == "not_found"


# --- credentials and forms ------------------------------------------------------------------------------------


async def test_credentials_are_a_sources_name_and_any_live_secret(lms):
    """Wrong name, wrong secret, another connector: answered alike; both secrets of a rotation work."""
    desk = lms.desk
    for pair in (
        "moodle:wrong",
        f"nobody:{lms.secret}",
        f"viettel:{desk.secret}",
        "moodle",
        "moodle:",
        ":",
        "đ:đ",
    ):
        basic = "Basic " + base64.b64encode(pair.encode()).decode()
        answer = await lms.send(a_statement(), Authorization=basic)
        assert (answer.status, answer.code) == (401, "credentials.refused"), pair
        assert answer.headers["WWW-Authenticate"].startswith("Basic")
    for header in (None, "Bearer x", "Basic", "Basic %%%"):
        answer = await lms.send(a_statement(), Authorization=header)
        assert answer.status == 401
    assert await desk.arrived() == {}
    new = await rotate_secret(desk.gateway.db, desk.gateway.vault, desk.clock, "moodle")
    desk.clock.advance(s=3)
    assert (await lms.send(a_statement())).status == 200
    lms.secret = new
    assert (await lms.send(a_statement())).status == 200


@pytest.mark.parametrize("version", [None, "", "0.95", "2.0.0", "1.0.3\t"])
async def test_the_version_is_asked_for(lms, version):
    """Other versions mean other things: 400 names the one that is spoken."""
    answer = await lms.send(a_statement(), X_Experience_API_Version=version)
    if version == "1.0.3\t":  # white space around a header is none of its value
        assert answer.status == 200
        return
    assert (answer.status, answer.code) == (400, "xapi.version")
    assert answer.headers["X-Experience-API-Version"] == "1.0.3"


@pytest.mark.parametrize("version", ["1.0", "1.0.0", "1.0.1", "1.0.2"])
async def test_older_patch_versions_are_spoken(lms, version):
    """logstore_xapi says 1.0.0; patches change nothing of what is read."""
    assert (await lms.send(a_statement(), X_Experience_API_Version=version)).status == 200


async def test_what_is_not_offered_is_said(lms):
    """Attachments and the alternate syntax have answers of their own, and nothing is stored."""
    parts = await lms.send(b"--x\r\n", Content_Type="multipart/mixed; boundary=x")
    assert (parts.status, parts.code) == (415, "xapi.attachments")
    assert (await lms.send(b"a=b", query="?method=PUT")).code == "xapi.alternate_syntax"
    assert (await lms.send(b"<x/>", Content_Type="text/xml")).code == "media_type.unsupported"
    assert (await lms.send(b"nonsense")).code == "body.not_json"
    assert (await lms.send(b"")).code == "body.empty"
    assert (await lms.send([a_statement() for _ in range(501)])).code == "body.too_many_items"
    about = await lms.desk.ask("GET", "/xapi/about")
    assert (about.status, about.json()) == (200, {"version": ["1.0.3"]})
    assert await lms.desk.arrived() == {}


# --- the libraries of others, to the end ----------------------------------------------------------------------


class Store:
    """The whole gateway with a source `moodle`, its worker running, and its address."""

    def __init__(self, lab: Lab, address: str, secret: str) -> None:
        self.lab = lab
        self.address = address
        self.secret = secret


@pytest.fixture
async def store(database_url, tmp_path):
    async with (
        serving(make_sandbox(ROSTER)) as base,
        httpx.AsyncClient(base_url=base) as http,
        running_gateway(database_url, tmp_path, base) as gateway,
    ):
        secret = await add_vendor(gateway.db, gateway.vault, gateway.clock, "moodle", "xapi")
        async with (
            listening(make_app(context_of(gateway, None, Drain())), "127.0.0.1", 0) as address,
            httpx.AsyncClient(base_url=address, auth=("moodle", secret)) as lms,
        ):
            async with asyncio.timeout(10):  # vendors are read again every two seconds
                version = {"X-Experience-API-Version": "1.0.3"}
                while (await lms.get("/xapi/statements", headers=version)).status_code == 401:
                    await asyncio.sleep(0.1)
            yield Store(Lab(gateway, base, http), address, secret)


def extensions(n: int) -> dict[str, object]:
    """What the sector needs to know of person `n` of the roster."""
    person = ROSTER[n]
    return {
        f"{OURS}full_name": person.full_name,
        f"{OURS}birth_date": person.birth_date,
        f"{OURS}school_year": "2025-2026",
        f"{OURS}course_code": "GVPT 03",
        f"{OURS}role": "GV",
    }


async def shown(store: Store, n: int) -> dict:
    """TEMIS's record of person `n`."""
    [record] = [r for r in await store.lab.records() if r["sector_id"] == ROSTER[n].sector_id]
    return record


async def test_statements_of_tincan_end_as_records_of_temis(store):
    """The library that Open edX posts with: the account is the sector identifier, the result is stated."""
    lrs = RemoteLRS(
        endpoint=f"{store.address}/xapi/", version="1.0.1", username="moodle", password=store.secret
    )
    statement = Statement(
        actor=Agent(name=ROSTER[1].full_name, account=AgentAccount(home_page=SECTOR, name=ROSTER[1].sector_id)),
        verb=Verb(id=PASSED, display=LanguageMap({"en": "passed"})),
        object=Activity(
            id="https://lms.example.vn/course/5",
            definition=ActivityDefinition(
                type="http://adlnet.gov/expapi/activities/course", name=LanguageMap({"vi": "GVPT03"})
            ),
        ),
        result=XResult(score=Score(scaled=0.85, raw=85, min=0, max=100), success=True, completion=True),
        context=Context(extensions=extensions(1)),
        timestamp="2026-03-09T09:26:53+07:00",
    )
    answer = await asyncio.to_thread(lrs.save_statement, statement)
    assert answer.success, answer.data
    statement_id = str(answer.content.id)
    await wait_for(store.lab, statement_id, "delivered")
    record = await shown(store, 1)
    assert (record["result"], record["score"]) == ("passed", 8.5)
    found = await asyncio.to_thread(lrs.retrieve_statement, statement_id)
    assert found.success
    assert found.content.actor.account.name == ROSTER[1].sector_id
    again = await asyncio.to_thread(lrs.save_statement, answer.content)
    assert again.success


async def test_statements_of_ralphs_client_end_as_records_of_temis(store):
    """Ralph's client posts batches; Open edX's 0 and 1 are a result, a bare `completed` is none."""
    settings = LRSDataBackend.settings_class(
        BASE_URL=store.address, USERNAME="moodle", PASSWORD=store.secret,
        HEADERS={"X_EXPERIENCE_API_VERSION": "1.0.3", "CONTENT_TYPE": "application/json"},
    )  # fmt: skip
    client = LRSDataBackend(settings)
    edx = [
        a_statement(
            actor={"account": {"homePage": SECTOR, "name": ROSTER[n].sector_id}},
            verb={"id": COMPLETED},
            result=result,
            context={"extensions": extensions(n)},
        )
        for n, result in (
            (2, {"score": {"scaled": 0.92, "raw": 92}, "success": 1, "completion": 1}),
            (3, {"score": {"scaled": 0.3}, "success": 0, "completion": 1}),
            (4, {"score": {"scaled": 0.99}, "completion": True}),
        )
    ]
    written = await asyncio.to_thread(client.write, edx, "/xapi/statements")
    await asyncio.to_thread(client.close)
    assert written == 3
    await wait_for(store.lab, edx[0]["id"], "delivered")
    await wait_for(store.lab, edx[1]["id"], "delivered")
    await wait_for(store.lab, edx[2]["id"], "held")
    assert (await shown(store, 2))["result"] == "passed"
    assert (await shown(store, 3))["result"] == "not_passed"
    assert await store.lab.reason(edx[2]["id"]) == ("held", "result.unstated")
