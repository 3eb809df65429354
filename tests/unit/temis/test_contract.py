"""gateway/temis/contract.py: what may cross the border."""

import pytest
from pydantic import ValidationError

from gateway.temis.contract import BATCH_ANSWER, BATCH_REQUEST, BatchRequest, RecordItem
from tests.records import an_item


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sector_id", "310000000"),
        ("sector_id", "31000000001"),
        ("sector_id", "31000 0000"),
        ("sector_id", "٣١٠٠٠٠٠٠٠٠"),
        ("sector_id", 3100000000),
        ("module_code", ""),
        ("school_year", "2025"),
        ("school_year", "2025-2026\n"),
        ("score", 8.555),
        ("score", 10.01),
        ("score", -0.01),
        ("score", float("nan")),
        ("score", float("inf")),
        ("score", "8.5"),
        ("result", "excellent"),
        ("result", True),
        ("completed_at", "2026-03-09"),
        ("completed_at", "2026-03-09T12:00:00"),
        ("completed_at", "2026-02-30T12:00:00Z"),
        ("completed_at", 1773032400000),
        ("periods", -1),
        ("revision", 0),
        ("revision", 2**53),
        ("revision", 1.5),
        ("withdrawn", "yes"),
        ("full_name", "nobody asked"),
    ],
)
def test_an_item_outside_the_contract_is_never_built(field, value):
    """Each field has its form; nothing is coerced and nothing is added."""
    with pytest.raises(ValidationError):
        RecordItem(**(an_item().model_dump() | {field: value}))


@pytest.mark.parametrize("score", [None, 0, 10, 5, 7.25, 8.29, 0.07, 9.99])
def test_scores_have_at_most_two_decimals(score):
    """Every hundredth of the 10-point scale survives the journey as a JSON number."""
    sent = BATCH_REQUEST.dump_json(BatchRequest(items=[an_item(score=score)]))
    assert BATCH_REQUEST.validate_json(sent).items[0].score == score


def test_a_batch_has_1_to_200_items():
    """The contract's limit is part of the model."""
    for size in (0, 201):
        with pytest.raises(ValidationError):
            BatchRequest(items=[an_item()] * size)


@pytest.mark.parametrize(
    "answer",
    [
        '{"status":"refused"}',
        '{"status":"created","code":"malformed"}',
        '{"status":"done"}',
        '{"status":null}',
        '{"status":"created","revision":"1"}',
    ],
)
def test_an_item_answer_outside_the_contract_does_not_parse(answer):
    """Nothing is concluded from an answer that says two things, or nothing."""
    key = '"sector_id":"3100000001","module_code":"GVPT03","school_year":"2025-2026",'
    with pytest.raises(ValidationError):
        BATCH_ANSWER.validate_json('{"answers":[{' + key + answer.removeprefix("{") + "]}")


def test_more_in_an_answer_than_we_read_is_ignored():
    """TEMIS may add fields without breaking us."""
    key = '"sector_id":"3100000001","module_code":"GVPT03","school_year":"2025-2026"'
    answers = BATCH_ANSWER.validate_json(
        '{"answers":[{' + key + ',"status":"created","new":1}],"server":"a"}'
    ).answers
    assert answers[0].status == "created"
