"""Bodies into slices: nothing but PayloadInvalid for any bytes, and one damaged item never costs another."""

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.connectors import exact
from gateway.connectors.exact import NumberText
from gateway.connectors.slicing import slice_body
from gateway.model.errors import PayloadInvalid

GOOD = b'{"id":"a","n":[1,2.5],"t":"\xc4\x90\xe1\xba\xa1t"}'
DAMAGED = {
    b'{"id":"b","x":NaN}': ("$.x", "item.not_finite"),
    b'{"id":"b","x":[0,{"y":-Infinity}]}': ("$.x[1].y", "item.not_finite"),
    b'{"id":"b","x":"\\ud83d"}': ("$.x", "text.not_unicode"),
    b'{"id":"b","x":"a\\u0000b"}': ("$.x", "text.nul"),
    b'{"id":"b","a\\u0000b":1}': ("$.*", "text.nul"),
    b'{"id":"b","x":"a\x00b"}': ("$", "item.not_json"),
    b'{"id":"b","x":1,"x":1}': ("$.x", "item.repeated_key"),
    b'{"id":"b","x":1,"\\u0078":"\\u0022"}': ("$.x", "item.repeated_key"),
    b'{"id":"b","u":{"x":1,"x":1e5}}': ("$.u.x", "item.repeated_key"),
    b'{"id":"b","Nguy\xe1\xbb\x85n An":1,"Nguy\xe1\xbb\x85n An":2}': ("$.*", "item.repeated_key"),
    b'{"id":"b","x":1,}': ("$", "item.not_json"),
    b'{"id":"b","x":01}': ("$", "item.not_json"),
    b"{'id':'b'}": ("$", "item.not_json"),
    b'{"id":"b","x":' + b"[" * 32 + b"]" * 32 + b"}": ("$", "item.too_deep"),
    b'{"id":"b","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}": ("$", "item.too_deep"),
    b"17": ("$", "item.not_object"),
    b'"text"': ("$", "item.not_object"),
    b"[]": ("$", "item.not_object"),
    b"null": ("$", "item.not_object"),
}
WHOLE = {
    b"": "body.empty",
    b" \r\n\t": "body.empty",
    b"\xef\xbb\xbf": "body.empty",
    b"[]": "body.no_items",
    b" [ ] ": "body.no_items",
    b"17": "body.not_items",
    b'"text"': "body.not_items",
    b"null": "body.not_items",
    b"hello": "body.not_json",
    b"NaN": "body.not_json",
    b"<html></html>": "body.not_json",
    b'{"a":1': "body.not_json",
    b'{"a":1} x': "body.not_json",
    b'{"a":1}{"b":2}': "body.not_json",
    b"{'a':1}": "body.not_json",
    b'[{"a":1}': "body.not_json",
    b'[{"a":1},': "body.not_json",
    b'[{"a":1},]': "body.not_json",
    b"[,]": "body.not_json",
    b'[{"a":1},,{"a":2}]': "body.not_json",
    b'[{"a":1}]]': "body.not_json",
    b'[{"a":1}},{"b":1}]': "body.not_json",
    b'[{"a":1}] x': "body.not_json",
    b'[{"a":"x},{"b":1}]': "body.not_json",
    b"[" * 100_000: "body.not_json",
    b'["\\' + b'"\\' * 100_000: "body.not_json",
    b'[{"a":"\xff"}]': "body.not_utf8",
    b'[{"a":"\xff"},NaN]': "body.not_utf8",
    b'{"a":"\xed\xa0\x80"}': "body.not_utf8",
    b"\xff": "body.not_utf8",
    '[{"a":1}]'.encode("utf-16"): "body.not_utf8",
}

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(("body", "code"), WHOLE.items(), ids=lambda value: str(value)[:30])
def test_a_body_that_cannot_be_cut_is_refused_once_and_whole(body, code):
    """What is no object and no array of objects gets one stable code at $, and no crash."""
    with pytest.raises(PayloadInvalid) as refused:
        slice_body(body)
    [error] = refused.value.errors
    assert (error.path, error.code) == ("$", code)


@pytest.mark.parametrize(("damaged", "expected"), DAMAGED.items(), ids=lambda value: str(value)[:30])
def test_one_damaged_item_is_refused_alone(damaged, expected):
    """The items before and after it are taken, with their own bytes."""
    before, broken, after = slice_body(b"[" + GOOD + b",\n " + damaged + b" , " + GOOD + b"]")
    assert before == after == (GOOD, json.loads(GOOD), None)
    assert broken.raw == damaged
    assert (broken.fault.path, broken.fault.code) == expected


@pytest.mark.parametrize(
    "damaged", [one for one in DAMAGED if b'"x":NaN' in one or b"ud83d" in one or b"u0000" in one]
)
def test_a_damaged_item_still_tells_its_id(damaged):
    """So that the receipt `invalid` can name the event."""
    [piece] = slice_body(b"[" + damaged + b"]")
    assert piece.item["id"] == "b"


@pytest.mark.parametrize("body", [b'{"a":' * 100_000, b'{"a":' * 100_000 + b"1" + b"}" * 100_000])
def test_a_lone_item_nested_too_deep_is_told_so(body):
    """A hundred thousand brackets end in a receipt, whether they close or not."""
    [piece] = slice_body(body)
    assert (piece.item, piece.fault.code) == (None, "item.too_deep")


def test_a_repeated_id_is_not_told():
    """Of two values for one key neither is chosen."""
    [piece] = slice_body(b'{"id":"b","id":"c","x":1}')
    assert (piece.item, piece.fault.path) == ({"x": 1}, "$.id")


@pytest.mark.parametrize(
    "literal", ["3.3E+09", "1e400", "12345678901234567890123", "9" * 5000, "0.12345678901234567890"]
)
def test_a_number_that_a_float_would_change_keeps_its_text(literal):
    """A spreadsheet's 3.3E+09 must be recognised as such, never looked up as 3300000000."""
    [piece] = slice_body(b'{"a":"x","code":' + literal.encode() + b"}")
    assert piece.fault is None
    assert piece.item["code"] == literal
    assert type(piece.item["code"]) is NumberText


@pytest.mark.parametrize("value", [0, 8.5, -1, 2**63, 2**64 - 1, -(2**63), 0.1, 1773455213000])
def test_an_ordinary_number_stays_a_number(value):
    """Only what would be changed is kept as text."""
    [piece] = slice_body(json.dumps({"n": value}).encode())
    assert (piece.item["n"], type(piece.item["n"])) == (value, type(value))


def test_the_limits_are_arguments():
    """At most max_items items and max_depth levels; the message states the limit in force."""
    assert len(slice_body(b"[{},{}]", max_items=2)) == 2
    for body in (b"[{},{},{}]", b"[{},{},NaN,NaN,NaN"):
        with pytest.raises(PayloadInvalid) as refused:
            slice_body(body, max_items=2)
        assert refused.value.errors[0].code == "body.too_many_items"
        assert "More than 2 items" in refused.value.errors[0].message
    assert slice_body(b'{"a":[[]]}', max_depth=3)[0].fault is None
    assert slice_body(b'{"a":[[]]}', max_depth=2)[0].fault.code == "item.too_deep"


def test_brackets_inside_texts_are_no_depth():
    """A long title full of brackets is an ordinary title."""
    item = {"title": "[{" * 40, "b": {"c": '\\"}]'}}
    assert slice_body(json.dumps(item).encode())[0] == (json.dumps(item).encode(), item, None)


def test_escaped_letters_are_ordinary_text():
    """Senders that escape all Vietnamese letters are not refused, nor is a text that shows an escape."""
    body = json.dumps([{"t": 'Đạt "tốt"', "u": "\\u0000 \\u0022"}]).encode()
    assert slice_body(body)[0].item == {"t": 'Đạt "tốt"', "u": "\\u0000 \\u0022"}


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_any_bytes_give_slices_or_payload_invalid(body):
    """No bytes a vendor can send make the server answer 500."""
    check(body)


@given(
    st.lists(
        st.sampled_from([*b'[]{},:"\\ eE+-.017tn', b"null", b'{"a":1}', b"\\u00", b'"k":', b"NaN", b"\xc4\x90"])
    )
    .map(lambda parts: b"".join(part if isinstance(part, bytes) else bytes([part]) for part in parts))
    .map(lambda inner: b"[" + inner + b"]")
)
@settings(max_examples=500, deadline=None)
def test_any_json_like_bytes_give_slices_or_payload_invalid(body):
    """Random bytes rarely look like JSON; these do."""
    check(body)


def check(body):
    pieces, refused = [], None
    try:
        pieces = slice_body(body)
    except PayloadInvalid as error:
        refused = error
    assert bool(pieces) != (refused is not None and [error.path for error in refused.errors] == ["$"])
    for piece in pieces:
        assert piece.raw in body
        assert piece.fault or json.loads(piece.raw) is not None
        assert piece.fault or isinstance(piece.item, dict)


@given(st.lists(st.dictionaries(st.text(), JSON, max_size=5), min_size=1, max_size=5), st.booleans())
@settings(max_examples=200, deadline=None)
def test_valid_items_come_out_as_any_reader_reads_them(items, ascii_only):
    """Fast or slow, the value is that of the standard library but for numbers kept as text, and NUL."""
    body = json.dumps(items, ensure_ascii=ascii_only).encode()
    for piece, item in zip(slice_body(body), items, strict=True):
        assert json.loads(piece.raw) == item
        if piece.fault is None:
            assert as_floats(piece.item) == as_floats(item)
        else:
            assert piece.fault.code == "text.nul"
            assert "\\u0000" in json.dumps(item)


@given(st.lists(JSON, min_size=1, max_size=8))
@settings(max_examples=200, deadline=None)
def test_the_slow_cutter_cuts_where_the_fast_one_does(values):
    """Which path was taken must not show in the bytes that are kept."""
    body = json.dumps(values, indent=1).encode()
    assert exact.cut(body, 500) == [bytes(raw) for raw in msgspec.json.decode(body, type=list[msgspec.Raw])]


def as_floats(value):
    if isinstance(value, dict):
        return {name: as_floats(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [as_floats(inner) for inner in value]
    is_number = isinstance(value, NumberText | int | float) and not isinstance(value, bool)
    return float(value) if is_number else value
