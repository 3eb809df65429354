"""gateway/temis/mapping.py: our words in TEMIS's words."""

from decimal import Decimal

import pytest

from gateway.model.completion import Course, Result
from gateway.model.errors import PayloadInvalid
from gateway.temis.contract import StoredRecord
from gateway.temis.mapping import content_digest, same_content, to_item
from tests.records import a_completion, an_item

KEY = {"sector_id": "3100000001", "module_code": "GVPT03", "school_year": "2025-2026"}


def stored(item, **fields):
    """The record that TEMIS keeps of an item."""
    return StoredRecord(**(item.model_dump(exclude={"delivery"}) | {"record_id": "b-1"} | fields))


def test_every_field_of_a_record_comes_from_its_place():
    """Key, module and revision are ours; score, result, date, vendor and certificate are the completion's."""
    completion = a_completion(result=Result(passed=True, score_hundredths=829, certificate_no="CN-12/2026"))
    item = to_item(completion, **KEY, revision=4, programme="03", periods=30, delivery="77")
    assert item.model_dump() == {
        **KEY,
        "programme": "03",
        "periods": 30,
        "score": 8.29,
        "result": "passed",
        "completed_at": "2026-03-09T12:00:00.000+07:00",
        "vendor": "viettel",
        "certificate_no": "CN-12/2026",
        "withdrawn": False,
        "delivery": "77",
        "revision": 4,
    }


def test_no_score_is_ever_rounded():
    """All 1001 scores leave as the number with two decimals that they are."""
    for hundredths in range(1001):
        completion = a_completion(result=Result(passed=True, score_hundredths=hundredths))
        sent = to_item(completion, **KEY, revision=1).model_dump_json(include={"score"})
        number = sent.removeprefix('{"score":').removesuffix("}")
        assert Decimal(number) == Decimal(hundredths).scaleb(-2)


def test_a_result_without_a_score_has_none():
    """A missing score is not zero."""
    completion = a_completion(result=Result(passed=False))
    item = to_item(completion, **KEY, revision=1)
    assert (item.score, item.result) == (None, "not_passed")


def test_the_vendors_periods_stand_in_for_the_catalogues():
    """Without a figure of the catalogue the vendor's is sent; zero is a figure."""
    completion = a_completion(course=Course(course_id="c", periods=40))
    assert to_item(completion, **KEY, revision=1).periods == 40
    assert to_item(completion, **KEY, revision=1, periods=0).periods == 0


def test_an_unstated_result_is_never_sent():
    """No result becomes a pass, or a fail, by being mapped."""
    with pytest.raises(PayloadInvalid) as caught:
        to_item(a_completion(result=Result(score_hundredths=900)), **KEY, revision=1)
    assert caught.value.errors[0].code == "result.unstated"


def test_what_temis_could_not_take_is_named_without_its_value():
    """A mapping that fails names the fields, all of them, and quotes nothing."""
    completion = a_completion(result=Result(passed=True, certificate_no="C" * 300))
    with pytest.raises(PayloadInvalid) as caught:
        to_item(completion, **(KEY | {"sector_id": "99"}), revision=1)
    assert [fault.path for fault in caught.value.errors] == ["$.sector_id", "$.certificate_no"]
    assert "CCC" not in str(caught.value)


def test_what_is_stored_as_sent_is_the_same_content():
    """Read back, a record that was applied is recognised."""
    item = an_item()
    assert same_content(item, stored(item))
    assert content_digest(item) == content_digest(stored(item))


@pytest.mark.parametrize(
    "spelled", ["2026-03-09T05:00:00Z", "2026-03-09T12:00:00+07:00", "2026-03-09T05:00:00.000000Z"]
)
def test_an_instant_is_the_same_in_every_spelling(spelled):
    """TEMIS may store times in UTC."""
    item = an_item()
    assert same_content(item, stored(item, completed_at=spelled))


def test_revision_and_references_are_no_content():
    """The same result under another revision is the same content."""
    item = an_item(delivery="1")
    assert same_content(item, stored(item, revision=9))
    assert content_digest(item) == content_digest(an_item(delivery="2", revision=3))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("programme", "QLPT"),
        ("periods", 41),
        ("score", 8.51),
        ("score", None),
        ("result", "not_passed"),
        ("completed_at", "2026-03-09T12:00:00.001+07:00"),
        ("vendor", "vnpt"),
        ("certificate_no", "1"),
        ("withdrawn", True),
    ],
)
def test_every_field_of_the_content_tells_records_apart(field, value):
    """A stored record that differs in one field was not this send."""
    item = an_item()
    assert not same_content(item, stored(item, **{field: value}))
    assert content_digest(item) != content_digest(stored(item, **{field: value}))


def test_two_withdrawals_of_one_record_are_the_same():
    """What a withdrawn record once said does not matter."""
    assert same_content(an_item(withdrawn=True), stored(an_item(withdrawn=True, score=3.0)))
