"""What vendors read of their completions: over a socket, with a token, on a database of each engine."""

import orjson
import pytest

from gateway.identity.vendor_view import fold
from gateway.model.clock import DAY_MS
from gateway.model.reasons import REASONS
from gateway.queue.moves import newest_mark, publish
from gateway.queue.vendors import add_vendor
from gateway.storage.leases import acquire, release
from tests.listening import Desk, an_item, open_desk

BASE = "/v1/vendors/viettel"


@pytest.fixture
async def desk(database_url, tmp_path):
    async with open_desk(database_url, tmp_path) as desk:
        yield desk


async def token(desk: Desk) -> str:
    answer = await desk.post({"purpose": "read"}, path=f"{BASE}/tokens")
    assert answer.status == 201
    assert answer.headers["Cache-Control"] == "no-store"
    return str(answer.json()["token"])


async def read(desk: Desk, path: str, **headers: str):
    bearer = {"Authorization": f"Bearer {await token(desk)}"}
    return await desk.ask("GET", f"{BASE}/{path}", headers=bearer | headers)


async def move(desk: Desk, event: str, state: str, outcome: str, *, stage: str = "verify", reason=None) -> int:
    """What a stage would have written of one delivery. Returns: its id."""

    async def in_tx(tx):
        now = desk.clock.now_ms()
        [row] = await tx.rows(
            "UPDATE deliveries SET state = :s, reason = :r, changed_at_ms = :now WHERE event_id = :e "
            "RETURNING id",
            s=state, r=reason, e=event, now=now,
        )  # fmt: skip
        await tx.run(
            "INSERT INTO attempts (delivery_id, at_ms, stage, trigger, outcome, to_state) "
            "VALUES (:id, :now, :stage, 'automatic', :outcome, :state)",
            id=row.id, now=now, stage=stage, outcome=outcome, state=state,
        )  # fmt: skip
        return row.id

    return await desk.gateway.db.write(in_tx)


async def publish_moves(desk: Desk) -> int:
    """The leader's turn, as often as PostgreSQL needs it."""
    lease = await acquire(desk.gateway.db, desk.clock, "leader", "test", 30_000)
    assert lease is not None
    for _ in range(3):
        mark = await publish(desk.gateway.db, lease, desk.clock.now_ms(), 30_000)
    await release(desk.gateway.db, lease)
    return mark


# --- tokens -----------------------------------------------------------------------------------------------


async def test_nothing_is_read_without_a_token_of_this_vendor(desk):
    """No token, another's, one that has expired, an unknown vendor: each is 401 and says which, or hides it."""
    await add_vendor(desk.gateway.db, desk.gateway.vault, desk.clock, "vnpt", "vnpt")
    desk.clock.advance(s=3)
    good = {"Authorization": f"Bearer {await token(desk)}"}
    for path in ("completions", "completions/x", "changes", "balance"):
        bare = await desk.ask("GET", f"{BASE}/{path}")
        assert (bare.status, bare.code) == (401, "token.missing")
        assert bare.headers["WWW-Authenticate"] == "Bearer"
        for vendor in ("vnpt", "nobody"):
            other = await desk.ask("GET", f"/v1/vendors/{vendor}/{path}", headers=good)
            assert (other.status, other.code) == (401, "token.invalid")
    assert (await desk.ask("GET", f"{BASE}/changes", headers=good)).status == 200
    desk.clock.advance(s=900)
    late = await desk.ask("GET", f"{BASE}/changes", headers=good)
    assert (late.status, late.code) == (401, "token.expired")


async def test_a_token_is_opened_by_a_signature_only(desk):
    """Whoever cannot sign gets none, and a body that names no purpose opens none."""
    body = b'{"purpose":"read"}'
    unsigned = await desk.ask("POST", f"{BASE}/tokens", data=body, headers={"Content-Type": "application/json"})
    assert unsigned.code == "signature.missing_header"
    assert (await desk.post({"purpose": "write"}, path=f"{BASE}/tokens")).code == "body.not_contract"
    assert (await desk.post(an_item(), path=f"{BASE}/tokens")).code == "body.not_contract"


# --- one event ----------------------------------------------------------------------------------------------


async def test_a_story_tells_state_reason_history_and_a_text_for_the_learner(desk):
    """The vendor's engineer reads why it waits and who acts; the learner is told what to do."""
    await desk.post(an_item("e1"))
    desk.clock.advance(s=1)
    id_ = await move(desk, "e1", "held", "format.missing", reason="format.missing")
    story = (await read(desk, "completions/e1")).json()
    assert (story["state"], story["revision"], story["delivery_id"]) == ("held", 1, str(id_))
    assert story["received_at"] == "2026-03-09T12:00:00.000+07:00"
    assert story["changed_at"] == "2026-03-09T12:00:01.000+07:00"
    assert (story["reason"]["code"], story["reason"]["owner"]) == ("format.missing", "learner")
    assert "Hoàn thành" in story["reason"]["remedy"]  # the place in this vendor's LMS
    assert story["learner_text"]["vi"] == f"{story['reason']['message']} {story['reason']['remedy']}"
    assert story["learner_text"]["en"].startswith("No sector identifier was sent.")
    assert story["history"] == [
        {"at": story["changed_at"], "revision": 1, "state": "held", "code": "format.missing"}
    ]
    assert story["earlier"] == []
    english = (await read(desk, "completions/e1", **{"Accept-Language": "en"})).json()
    assert english["reason"]["message"] == "No sector identifier was sent."


async def test_a_corrected_event_shows_its_revisions(desk):
    """The newest revision stands first; the older one says what replaced it."""
    await desk.post(an_item("e1"))
    await desk.post(an_item("e1", revision=2))
    story = (await read(desk, "completions/e1")).json()
    assert (story["revision"], story["state"]) == (2, "accepted")
    [old] = story["earlier"]
    assert (old["state"], old["gone"], old["superseded_by"]) == ("voided", "replaced", story["delivery_id"])
    assert [(h["revision"], h["state"], h.get("gone")) for h in story["history"]] == [(1, "voided", "replaced")]


@pytest.mark.parametrize("code", sorted(REASONS))
async def test_no_code_tells_more_than_a_vendor_may_know(desk, code):
    """Every reason leaves folded, in the story, the list and the history alike, and has words for everybody."""
    await desk.post(an_item("e1"))
    await move(desk, "e1", "held", code, reason=code)
    story = (await read(desk, "completions/e1")).json()
    [listed] = (await read(desk, "completions")).json()["completions"]
    assert story["reason"]["code"] == listed["reason"]["code"] == story["history"][0]["code"] == fold(code)
    assert all("{" not in text and text for text in story["learner_text"].values())
    if fold(code) != code:
        assert code not in orjson.dumps([story, listed]).decode()
        assert (await read(desk, f"completions?reason={code}")).json()["completions"] == []
        assert len((await read(desk, f"completions?reason={fold(code)}")).json()["completions"]) == 1


async def test_codes_of_our_own_machinery_are_told_by_what_they_mean(desk):
    """A retry is an interruption that nobody has to mend; an exhausted schedule is the operators' work."""
    await desk.post([an_item("a"), an_item("b")])
    await move(desk, "a", "verified", "verified", reason="upstream.failing")
    await move(desk, "b", "dead", "temis.code_unknown", stage="deliver", reason="temis.code_unknown")
    assert (await read(desk, "completions/a")).json()["reason"]["code"] == "upstream.waiting"
    dead = (await read(desk, "completions/b")).json()
    assert dead["reason"]["code"] == dead["history"][0]["code"] == "temis.schedule_exhausted"
    assert "Vận hành cổng kết nối" in dead["learner_text"]["vi"]


async def test_another_vendors_event_is_not_found(desk):
    """Events of others look like events that never were."""
    await add_vendor(desk.gateway.db, desk.gateway.vault, desk.clock, "vnpt", "vnpt")
    await desk.post(an_item("mine"))

    async def give_away(tx):
        await tx.run("UPDATE deliveries SET vendor_id = 2")

    await desk.gateway.db.write(give_away)
    assert (await read(desk, "completions/mine")).code == "not_found"
    assert (await read(desk, "completions")).json()["completions"] == []
    assert (await read(desk, "completions/%00")).code == "not_found"


# --- lists --------------------------------------------------------------------------------------------------


async def test_a_list_is_read_page_by_page_and_then_waits_for_more(desk):
    """Each completion is on exactly one page; the last cursor goes on with what comes later."""
    await desk.post([an_item(f"e{n}") for n in range(7)])
    seen, after, more = [], "0", True
    while more:
        page = (await read(desk, f"completions?limit=3&after={after}")).json()
        assert len(page["completions"]) <= 3
        seen += [one["event_id"] for one in page["completions"]]
        after, more = page["next"], page["more"]
    assert seen == [f"e{n}" for n in range(7)]
    await desk.post(an_item("later"))
    page = (await read(desk, f"completions?after={after}")).json()
    assert [one["event_id"] for one in page["completions"]] == ["later"]


async def test_filters_narrow_a_list(desk):
    """State, reason and time of receipt; everything given must hold."""
    await desk.post([an_item("a"), an_item("b")])
    desk.clock.advance(s=3600 * 5)
    await desk.post([an_item("c"), an_item("d")])
    await move(desk, "b", "held", "format.missing", reason="format.missing")
    await move(desk, "d", "held", "result.unstated", reason="result.unstated")

    async def found(query: str) -> list[str]:
        return [one["event_id"] for one in (await read(desk, f"completions?{query}")).json()["completions"]]

    assert await found("state=held") == ["b", "d"]
    assert await found("state=held&reason=result.unstated") == ["d"]
    assert await found("reason=format.missing") == ["b"]
    assert await found("since=2026-03-09T14:00:00%2B07:00") == ["c", "d"]
    assert await found("until=2026-03-09T14:00:00%2B07:00&state=held") == ["b"]
    assert await found("since=2026-03-09T12:00:00Z") == []


@pytest.mark.parametrize(
    "query",
    ["state=gone", "reason=none.such", "limit=0", "limit=501", "after=-1", "after=x", "since=2026-03-09",
     "since=yesterday", f"after={2**63}", "limit=%D9%A3"],
)  # fmt: skip
async def test_a_parameter_of_the_wrong_form_is_named(desk, query):
    """Nothing is guessed: the answer says which parameter cannot be read."""
    answer = await read(desk, f"completions?{query}", **{"Accept-Language": "en"})
    assert (answer.status, answer.code) == (400, "query.invalid")
    assert query.partition("=")[0] in answer.json()["detail"]


# --- the balance of a day ------------------------------------------------------------------------------------


async def test_the_balance_of_a_day_closes_and_knows_only_that_day(desk):
    """A vendor compares its own totals with ours, day by day."""
    await desk.post([an_item("a"), an_item("a"), 7])
    desk.clock.advance(ms=DAY_MS)
    await desk.post([an_item("b"), an_item("c")])
    await move(desk, "b", "held", "format.missing", reason="format.missing")
    first = (await read(desk, "balance?day=2026-03-09")).json()
    assert (first["received"], first["duplicate"], first["invalid"], first["accepted"]) == (1, 1, 1, 1)
    today = (await read(desk, "balance")).json()
    assert (today["day"], today["received"], today["held"], today["closes"]) == ("2026-03-10", 2, 1, True)

    async def lose(tx):
        await tx.run("DELETE FROM deliveries WHERE event_id = 'c'")

    await desk.gateway.db.write(lose)
    short = (await read(desk, "balance")).json()
    assert (short["difference"], short["closes"]) == (1, False)


# --- the change feed -----------------------------------------------------------------------------------------


async def test_the_feed_tells_each_change_once_in_order(desk):
    """Nothing is told before the leader has published it, and nothing is told twice."""
    await desk.post([an_item("a"), an_item("b")])
    await move(desk, "a", "held", "registry.near_miss", reason="registry.near_miss")
    assert (await read(desk, "changes")).json() == {"changes": [], "next": "0", "more": False}
    await publish_moves(desk)
    first = (await read(desk, "changes?limit=1")).json()
    [held] = first["changes"]
    assert (held["event_id"], held["state"], held["code"]) == ("a", "held", "registry.not_found")
    assert held["events"] == ["completion.held", "identity.failed"]
    await move(desk, "a", "verified", "verified")
    await move(desk, "b", "verified", "verified")
    await move(desk, "a", "delivered", "temis.created", stage="deliver")
    await desk.delete("b")
    await publish_moves(desk)
    later = (await read(desk, f"changes?after={first['next']}")).json()
    assert [(c["event_id"], c["state"], c["events"], c.get("gone")) for c in later["changes"]] == [
        ("a", "verified", ["identity.verified"], None),
        ("b", "verified", ["identity.verified"], None),
        ("a", "delivered", ["completion.delivered"], None),
        ("b", "voided", [], "withdrawn"),
    ]
    assert later["more"] is False
    assert (await read(desk, f"changes?after={later['next']}")).json()["changes"] == []


async def test_the_mark_never_passes_a_transaction_under_way(desk):
    """A change that commits late is told all the same: the cursor has not gone past its number."""
    db = desk.gateway.db
    if db.dialect != "postgresql":
        pytest.skip("SQLite has one writer: its ids are in the order of commits")
    await desk.post([an_item("slow"), an_item("quick")])
    row = (
        "INSERT INTO attempts (delivery_id, at_ms, stage, trigger, outcome, to_state) "
        "SELECT id, 0, 'verify', 'automatic', 'verified', 'verified' FROM deliveries WHERE event_id = '{}'"
    )
    async with db.engine.connect() as late:
        await late.exec_driver_sql(row.format("slow"))
        async with db.engine.begin() as quick:
            await quick.exec_driver_sql(row.format("quick"))
        before = await publish_moves(desk)
        assert (await read(desk, "changes")).json()["changes"] == []
        await late.commit()
    assert await publish_moves(desk) > before
    told = (await read(desk, "changes")).json()["changes"]
    assert [one["event_id"] for one in told] == ["slow", "quick"]
    assert await newest_mark(db) == int(told[-1]["seq"])
