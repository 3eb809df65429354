"""gateway/temis/outcomes.py: the outcome table, row by row."""

import pytest

from gateway.model import errors
from gateway.model.errors import (
    CredentialsRefused,
    Failing,
    Garbled,
    NotSent,
    RefusedWhole,
    Throttled,
    Unanswered,
    Untrusted,
    UpstreamError,
)
from gateway.model.reasons import REASONS
from gateway.temis.contract import ItemAnswer, RefusalCode
from gateway.temis.outcomes import ROWS, for_answer, for_error
from gateway.temis.outcomes_page import as_markdown
from tests.generated import check

SETTLED, OPEN = True, False
BURNS, FREE = True, False

ANSWERS = [
    ("created", None, "created", "success", SETTLED, FREE),
    ("updated", None, "updated", "success", SETTLED, FREE),
    ("unchanged", None, "unchanged", "success", SETTLED, FREE),
    ("withdrawn", None, "withdrawn", "success", SETTLED, FREE),
    ("stale", None, "stale", "stale", SETTLED, FREE),
    ("refused", "account_missing", "refused.account_missing", "curable", SETTLED, FREE),
    ("refused", "account_stopped", "refused.account_stopped", "curable", SETTLED, FREE),
    ("refused", "unit_missing", "refused.unit_missing", "curable", SETTLED, FREE),
    ("refused", "self_reported", "refused.self_reported", "curable", SETTLED, FREE),
    ("refused", "module_unknown", "refused.module_unknown", "refuse", SETTLED, BURNS),
    ("refused", "malformed", "refused.malformed", "refuse", SETTLED, BURNS),
    ("refused", "quota", "refused.other", "destination_fault", SETTLED, FREE),
    ("refused", "other", "refused.other", "destination_fault", SETTLED, FREE),
]
ERRORS = [
    (NotSent("x"), False, "not_sent", "retry", SETTLED, FREE),
    (Untrusted("x"), False, "untrusted", "destination_fault", SETTLED, FREE),
    (Unanswered("x"), False, "unanswered", "unknown", OPEN, FREE),
    (Garbled("x", status=200), False, "garbled", "unknown", OPEN, FREE),
    (Throttled("x", status=429), False, "throttled", "throttle", SETTLED, FREE),
    (Throttled("x", status=503, retry_after_s=5), False, "throttled", "throttle", SETTLED, FREE),
    (CredentialsRefused("x", status=401), False, "credentials", "destination_fault", SETTLED, FREE),
    (CredentialsRefused("x", status=403), False, "credentials", "destination_fault", SETTLED, FREE),
    (RefusedWhole("x", status=400), False, "refused_whole", "destination_fault", SETTLED, FREE),
    (RefusedWhole("x", status=413), False, "refused_whole", "destination_fault", SETTLED, FREE),
    (RefusedWhole("x", status=422), False, "refused_whole", "destination_fault", SETTLED, FREE),
    (Failing("x", status=500), False, "failing.5xx", "destination_fault", OPEN, FREE),
    (Failing("x", status=502), False, "failing.5xx", "destination_fault", OPEN, FREE),
    (Failing("x", status=504), False, "failing.5xx", "destination_fault", OPEN, FREE),
    (Failing("x"), False, "failing.5xx", "destination_fault", OPEN, FREE),
    (Failing("x", status=408), False, "failing.unsettled", "destination_fault", OPEN, FREE),
    (Failing("x", status=409), False, "failing.unsettled", "destination_fault", OPEN, FREE),
    (Failing("x", status=425), False, "failing.unsettled", "destination_fault", OPEN, FREE),
    (Failing("x", status=302), False, "failing.other", "destination_fault", SETTLED, FREE),
    (Failing("x", status=404), False, "failing.other", "destination_fault", SETTLED, FREE),
    (Failing("x", status=410), False, "failing.other", "destination_fault", SETTLED, FREE),
    (UpstreamError("x"), False, "unanswered", "unknown", OPEN, FREE),
    (RefusedWhole("x", status=422), True, "poison.refused_whole", "retry", SETTLED, BURNS),
    (Failing("x", status=500), True, "poison.failing", "retry", OPEN, BURNS),
]


def an_answer(status, code):
    return ItemAnswer.model_validate_json(
        f'{{"sector_id":"3100000001","module_code":"M","school_year":"2025-2026","status":"{status}"'
        + (f',"code":"{code}"}}' if code else "}")
    )


@pytest.mark.parametrize(("status", "code", "seen", "kind", "settles", "burns"), ANSWERS)
def test_each_answer_to_an_item(status, code, seen, kind, settles, burns):
    """Every answer proves what became of the record; only what nobody outside can cure burns a try."""
    row = for_answer(an_answer(status, code))
    assert (row.seen, row.kind, row.clears_unknown, row.burns_try) == (seen, kind, settles, burns)


@pytest.mark.parametrize(("error", "poison", "seen", "kind", "settles", "burns"), ERRORS)
def test_each_failure_of_a_call(error, poison, seen, kind, settles, burns):
    """A call-level failure burns no try but a poison's; what may have been applied stays unknown."""
    row = for_error(error, poison=poison)
    assert (row.seen, row.kind, row.clears_unknown, row.burns_try) == (seen, kind, settles, burns)


def test_every_row_is_reached_by_the_cases_above():
    """A row without a test is a row nobody has thought about."""
    assert {row.seen for row in ROWS} == {case[2] for case in (*ANSWERS, *ERRORS)}


def test_every_refusal_code_and_every_upstream_error_has_its_own_row():
    """A new code or error class cannot slip through to a default."""
    seen = {row.seen for row in ROWS}
    assert {f"refused.{code}" for code in RefusalCode} <= seen
    classes = {cls for cls in vars(errors).values() if isinstance(cls, type)}
    assert {cls for cls in classes if issubclass(cls, UpstreamError)} == {type(case[0]) for case in ERRORS}


def test_every_curable_refusal_has_a_reason_with_an_owner():
    """Who is asked to cure something must exist among the reasons."""
    curable = [row.reason for row in ROWS if row.kind == "curable"]
    assert all(REASONS[reason].owner for reason in curable)


def test_the_page_is_the_table():
    """docs/outcomes.md is printed from the rows."""
    check("docs/outcomes.md", as_markdown())
