"""Redaction: no personal value and no secret reaches a log, by field name, by shape or through an exception."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from gateway.model.errors import KeyMissing, Unanswered
from gateway.observe.redaction import HIDDEN, describe, mask_digits, redact

NAME = "Nguyễn Thị Hòa"


@pytest.mark.parametrize(
    "field",
    [
        "full_name", "fullName", "ho_ten", "birth_date", "ngay_sinh", "identifier", "sector_id", "sectorCode",
        "ma_dinh_danh", "citizen_id", "learner_full_name", "body", "payload", "secret", "old_secret", "token",
        "access_token", "client_secret", "password", "Authorization", "webhook-signature", "Set-Cookie",
        "certificate_no", "master_key", "email", "phone", "snapshot", "claim", "params",
    ],
)  # fmt: skip
def test_a_personal_or_secret_field_loses_its_value(field):
    """The spelling of the field name does not matter, nor how deep it stands."""
    assert redact({field: NAME})[field] == HIDDEN
    assert redact({"got": [{field: NAME}]}) == {"got": [{field: HIDDEN}]}


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("lookup of 3300012345 failed", "lookup of [10 digits] failed"),
        ("03300012345", "[11 digits]"),
        ("033000123456,330001234", "[12 digits],[9 digits]"),
        ("id=3300012345&x", "id=[10 digits]&x"),
        ("GV3300012345", "GV[10 digits]"),
        ("３３０００１２３４５", "[10 digits]"),
        ("12345678", "12345678"),
        ("1790000000123", "1790000000123"),
        ("2026-11-22T08:50:00.123456Z", "2026-11-22T08:50:00.123456Z"),
    ],
)
def test_runs_of_nine_to_twelve_digits_are_masked(text, kept):
    """An identifier that slipped into a sentence is hidden; dates, milliseconds and school codes stay."""
    assert mask_digits(text) == kept
    assert redact({"event": text})["event"] == kept


def test_what_an_operator_needs_stays():
    """Numbers, codes and our own ids are kept as they are."""
    event = {
        "event": "attempt",
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "delivery_id": "123456789012",
        "vendor": "viettel",
        "status": 503,
        "took_ms": 12.5,
        "late": False,
        "reason": None,
    }
    assert redact(event) == event


def test_bytes_and_objects_are_told_by_size_and_type():
    """A body or a model in a field is a body or a model in the log, whatever the field is called."""

    class Person:
        def __repr__(self) -> str:
            return NAME

    assert redact({"got": b"1234", "who": Person()})["got"] == "[4 bytes]"
    assert NAME not in json.dumps(redact({"who": Person(), "all": [Person()]}))


def test_nesting_without_end_is_cut():
    """A field that contains itself cannot hang the logger."""
    loop: dict[str, Any] = {}
    loop["again"] = loop
    assert "nested too deeply" in str(redact(loop))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@given(st.dictionaries(st.text(max_size=8), values, max_size=4), st.integers(10**8, 10**12 - 1).map(str))
def test_no_event_lets_an_identifier_through(event, identifier):
    """Whatever is logged beside it, the digits do not appear."""
    shown = redact(event | {"note": f"for {identifier}", "list": [f"x{identifier}y"]})
    assert identifier not in shown["note"] + shown["list"][0]


def raised(error: Exception) -> dict[str, Any]:
    try:
        raise error
    except Exception as caught:
        return describe(caught)


def test_our_own_errors_keep_their_message():
    """They name fields and never values, so an operator may read them."""
    assert raised(KeyMissing("data key 7 has not been loaded"))["message"] == "data key 7 has not been loaded"
    assert "3300012345" not in raised(Unanswered("no answer for 3300012345"))["message"]


def test_foreign_errors_lose_what_they_quote():
    """Drivers and parsers quote the value that broke them."""
    sql = (
        "(sqlite3.IntegrityError) failed near 'Hòa' [parameters: ('3300012345', 'Hòa')]\nDETAIL: Key (x)=(Hòa)"
    )
    told = raised(ValueError(sql))
    assert told["message"] == "(sqlite3.IntegrityError) failed near '…' "
    assert raised(KeyError("Hòa"))["message"] == "'…'"


def test_a_validation_error_names_fields_and_not_their_input():
    """pydantic prints the input of every field that failed."""

    class Item(BaseModel):
        full_name: int

    with pytest.raises(ValueError, match="full_name") as failed:
        Item.model_validate({"full_name": NAME})
    assert describe(failed.value)["message"] == "full_name: int_parsing"


def test_causes_and_groups_are_told_without_values():
    """The root of a failure is found, and its message is cleaned like any other."""
    try:
        try:
            raise ValueError(f"bad '{NAME}'")
        except ValueError as cause:
            raise Unanswered("no answer") from cause
    except Unanswered as error:
        told = describe(error)
    assert told["cause"]["type"] == "ValueError"
    assert NAME not in json.dumps(told, ensure_ascii=False)
    assert any("test_redaction.py" in frame for frame in told["frames"])
    group = describe(ExceptionGroup("several", [ValueError("a"), KeyError("b")]))
    assert [member["type"] for member in group["group"]] == ["ValueError", "KeyError"]


def test_a_chain_that_returns_to_itself_ends():
    """A cycle of causes cannot hang the logger."""
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    assert json.dumps(describe(one)).count("ValueError") == 6
