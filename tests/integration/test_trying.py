"""Trying out: what completions and a class would come to, with nothing stored."""

import pytest

from gateway.bdtx.courses import read_courses
from tests.integration.test_identities_api import OUTAGE, claim_of, school  # noqa: F401 - a fixture
from tests.listening import POST_PATH, an_item, open_desk

CHECK = f"{POST_PATH}:check"
PREFLIGHT = "/v1/vendors/viettel/preflight"
COURSE = {"course_id": "course-1", "course_code": "GVPT 03", "school_year": "2025-2026"}


@pytest.fixture
async def desk(tmp_path):
    async with open_desk(f"sqlite:///{tmp_path / 'gateway.db'}", tmp_path) as found:
        yield found


async def test_a_dry_run_answers_like_the_real_thing_and_stores_nothing(desk):
    """Every receipt is the one that sending would get; neither rows nor the ledger know of it."""
    await desk.post([an_item("known"), an_item("corrected"), an_item("stale", revision=3)])
    before = await desk.arrived()
    body = [
        an_item("new"),
        an_item("new"),
        an_item("known"),
        an_item("known", course={"courseId": "another"}),
        an_item("corrected", revision=2),
        an_item("stale", revision=2),
        {"eventId": "bad", "eventType": "COURSE_COMPLETED"},
        {"eventId": "other", "eventType": "LOGIN"},
    ]
    answer = await desk.post(body, path=CHECK)
    assert answer.status == 200
    foreseen = answer.json()["receipts"]
    assert [one["status"] for one in foreseen] == [
        "accepted", "duplicate", "duplicate", "conflict", "corrected", "stale", "invalid", "unsupported",
    ]  # fmt: skip
    assert "delivery_id" not in foreseen[0] | foreseen[1]
    assert "delivery_id" in foreseen[2]
    assert len(foreseen[6]["errors"]) == 3
    assert await desk.arrived() == before
    assert await desk.count("new") == 0
    async with desk.gateway.db.read() as tx:
        assert not await tx.rows("SELECT 1 FROM quarantine")
    sent = (await desk.post(body)).json()["receipts"]
    assert [one["status"] for one in sent] == [one["status"] for one in foreseen]


async def test_a_body_that_cannot_be_read_is_told_and_not_kept(desk):
    """The same problem as sending it, but no quarantine: it was only tried."""
    answer = await desk.post(b"[{", path=CHECK)
    assert (answer.status, answer.code) == (400, "body.not_json")
    assert await desk.arrived() == {}


async def test_a_class_is_foreseen_learner_by_learner(school):  # noqa: F811
    """Who is right is credited, who is not learns why, and nobody is linked or noted."""
    wrong = claim_of(1, full_name="Lê Văn Khác")
    learners = [claim_of(0), wrong, {"identifier": "1"}]
    answer = await school.desk.post({"course": COURSE, "learners": learners}, path=PREFLIGHT)
    assert answer.status == 200, answer.body
    told = answer.json()
    assert told["course"] == {"reasons": [], "module": "GVPT03", "school_year": "2025-2026"}
    first, second, third = told["learners"]
    assert first == {"lms_user_id": "account-0", "outcome": "will_be_credited"}
    assert second["outcome"] == "will_be_held"
    assert [one["code"] for one in second["reasons"]] == ["attribute.name_mismatch"]
    assert all(one["message"] and one["remedy"] for one in second["reasons"])
    assert (third["outcome"], third["errors"][0]["path"]) == ("invalid", "$.lms_user_id")
    assert await read_courses(school.desk.gateway.db) == []
    assert await school.desk.arrived() == {}


async def test_a_course_that_nobody_mapped_holds_the_whole_class(school):  # noqa: F811
    """What the operator must do is told beside each learner, before it is too late."""
    course = {"course_id": "c-9", "course_code": "KHAC", "title": "Khóa khác"}
    body = {"course": course, "ends_on": "2026-07-01", "learners": [claim_of(0)]}
    told = (await school.desk.post(body, path=PREFLIGHT)).json()
    codes = ["course.unmapped", "course.school_year_unclear"]
    assert [one["code"] for one in told["course"]["reasons"]] == codes
    assert [one["code"] for one in told["learners"][0]["reasons"]] == codes
    assert told["learners"][0]["outcome"] == "will_be_held"


async def test_a_silent_sector_database_is_pending(school):  # noqa: F811
    """An outage says nothing of anybody: neither credited nor held."""
    await school.faults(OUTAGE)
    told = (await school.desk.post({"course": COURSE, "learners": [claim_of(0)]}, path=PREFLIGHT)).json()
    assert told["learners"] == [{"lms_user_id": "account-0", "outcome": "pending"}]


@pytest.mark.parametrize(
    "body",
    [{}, {"course": COURSE, "learners": []}, {"course": {}, "learners": [{}]}, [1],
     {"course": COURSE, "learners": [{}] * 101}, {"course": COURSE, "learners": [{}], "ends_on": "soon"}],
)  # fmt: skip
async def test_a_class_list_that_is_none_is_refused(desk, body):
    """More than 100 are sent in pages; the body says course and learners."""
    answer = await desk.post(body, path=PREFLIGHT)
    assert (answer.status, answer.code) == (422, "body.not_contract")
