"""The vendors' files beside their golden pairs: what no single pair can show."""

import logging
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.connectors import Connector, Unsupported, discover, wire
from gateway.connectors.vnpt import GRADES
from gateway.model.clock import ICT
from gateway.model.completion import Completion
from gateway.model.errors import PayloadInvalid

CONNECTORS = discover()
FIRST_MS = int(datetime(2015, 1, 1, tzinfo=ICT).timestamp() * 1000)
END_MS = int(datetime(2100, 1, 1, tzinfo=ICT).timestamp() * 1000)


def viettel(**changes: object) -> dict[str, object]:
    return {
        "eventId": "e", "eventType": "COURSE_COMPLETED", "occurredAt": FIRST_MS,
        "user": {"userId": "u"}, "course": {"courseId": "c"}, **changes,
    }  # fmt: skip


def vnpt(**changes: object) -> dict[str, object]:
    return {
        "ma_su_kien": "e", "loai": "hoan_thanh", "thoi_gian": "2026-03-14T09:26:53+07:00",
        "hoc_vien": {"ma_nguoi_dung": "u"}, "khoa_hoc": {"ma": "c"}, **changes,
    }  # fmt: skip


def codes(connector: Connector, item: dict[str, object]) -> list[str]:
    """The codes an item is refused with; [] when it is taken."""
    try:
        connector.normalize(item)
    except PayloadInvalid as refused:
        return [error.code for error in refused.errors]
    return []


def test_both_vendors_are_found():
    """Files in the folder are all it takes."""
    assert {"viettel", "vnpt"} <= set(CONNECTORS)


@pytest.mark.parametrize(
    ("connector", "item"), [(CONNECTORS["viettel"], viettel()), (CONNECTORS["vnpt"], vnpt())]
)
def test_ids_time_and_course_are_all_an_item_needs(connector, item):
    """Everything else is judged later; nothing that was not sent is made up."""
    seen = connector.normalize(item)
    assert (seen.revision, seen.result.passed, seen.course.school_year, seen.claim.identifier) == (
        1,
        None,
        None,
        None,
    )


@pytest.mark.parametrize("revision", [0, -1, 1.0, "1", True, None, 2**31, [1]])
def test_a_revision_that_is_no_positive_integer_is_refused(revision):
    """A correction whose order is unclear must not overwrite anything."""
    assert codes(CONNECTORS["viettel"], viettel(revision=revision)) == ["revision.not_positive"]
    assert CONNECTORS["viettel"].peek(viettel(revision=revision)) == ("e", None)


@pytest.mark.parametrize(
    ("event_id", "code"),
    [("x" * 129, "id.too_long"), ("", "id.blank"), ("  ", "id.blank"), ("a\nb", "id.control_characters"),
     ("a\x85b", "id.control_characters"), ("a\0b", "text.nul"), ("a\ud83d", "text.not_unicode"),
     (1.5, "id.not_text"), (True, "id.not_text"), ({}, "id.not_text"), (None, "field.missing")],
)  # fmt: skip
def test_an_id_that_cannot_be_stored_is_refused_and_not_told(event_id, code):
    """peek() must not hand on an id that would fail later in an answer or a row."""
    assert codes(CONNECTORS["viettel"], viettel(eventId=event_id)) == [code]
    assert CONNECTORS["viettel"].peek(viettel(eventId=event_id)) == (None, 1)


@pytest.mark.parametrize("event_id", ["x" * 128, "Sự kiện 1", "a.b/c:d", 17])
def test_an_id_is_kept_as_sent(event_id):
    """No trimming, no case change: the vendor must find its own id again."""
    assert CONNECTORS["viettel"].normalize(viettel(eventId=event_id)).event_id == str(event_id)


@pytest.mark.parametrize(
    ("at", "code"),
    [(FIRST_MS - 1, "time.out_of_range"), (END_MS, "time.out_of_range"), (1_773_455_213, "time.out_of_range"),
     (1.7e12, "time.not_epoch_ms"), ("1773455213000", "time.not_epoch_ms"), (True, "time.not_epoch_ms")],
)  # fmt: skip
def test_viettel_times_are_whole_milliseconds(at, code):
    """Seconds instead of milliseconds land in 1970 and are refused, not stored under a wrong school year."""
    assert codes(CONNECTORS["viettel"], viettel(occurredAt=at)) == [code]


@pytest.mark.parametrize(
    ("at", "code"),
    [("2014-12-31T23:59:59.999+07:00", "time.out_of_range"), ("2100-01-01T00:00:00+07:00", "time.out_of_range"),
     ("0001-01-01T00:00:00+14:00", "time.out_of_range"), ("9999-12-31T23:59:59-14:00", "time.out_of_range"),
     ("2026-03-14T09:26:53", "time.no_offset"), ("2026-03-14", "time.not_iso"), ("hôm qua", "time.not_iso"),
     (1_773_455_213_000, "time.not_iso"), ("2026-02-30T00:00:00Z", "time.not_iso")],
)  # fmt: skip
def test_vnpt_times_carry_their_offset(at, code):
    """Without an offset a time near midnight could fall on another day, and into another school year."""
    assert codes(CONNECTORS["vnpt"], vnpt(thoi_gian=at)) == [code]


@pytest.mark.parametrize("at", ["2015-01-01T00:00:00+07:00", "2014-12-31T17:00:00Z", "20150101T000000+0700"])
def test_the_same_instant_in_any_offset_is_one_time(at):
    """Times are kept as milliseconds UTC."""
    assert CONNECTORS["vnpt"].normalize(vnpt(thoi_gian=at)).completed_at_ms == FIRST_MS


def test_no_grade_is_listed_both_ways():
    """Folding must not merge a pass with its opposite."""
    table = dict(GRADES)
    assert len(table) == 15
    assert all(not word.startswith(("chua", "khong")) for word, passed in table.items() if passed)


def test_refusals_quote_no_values(caplog):
    """Errors reach logs and other people; a name or code of a person must not."""
    secret = "Nguyễn Thị Bí Mật\0"
    with caplog.at_level(logging.DEBUG), pytest.raises(PayloadInvalid) as refused:
        CONNECTORS["viettel"].normalize(viettel(user={"userId": "", "fullName": secret, "sectorCode": secret}))
    told = f"{refused.value!r}{refused.value.errors}{refused.value.__cause__!r}{caplog.text}"
    assert "Bí Mật" not in told
    assert refused.value.__context__ is None or refused.value.__suppress_context__


def test_an_unexpected_kind_of_fault_is_still_a_fault():
    """Should pydantic name an error we do not know, the vendor gets a path and a general code."""

    class Odd(wire.Wire):
        n: int

    with pytest.raises(PayloadInvalid) as refused:
        wire.read(Odd, {"n": "x"}, lambda: "e")
    assert [(e.path, e.code) for e in refused.value.errors] == [("$.n", "field.malformed")]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just("a\ud83d"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize(("connector", "build"), [(CONNECTORS["viettel"], viettel), (CONNECTORS["vnpt"], vnpt)])
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_any_json_values_are_taken_or_refused_with_paths(connector, build, data):
    """normalize() raises nothing but PayloadInvalid and Unsupported, and agrees with peek()."""
    item = build()
    fields = connector.wire_model.model_fields.values()
    for name in data.draw(st.sets(st.sampled_from([field.alias or "result" for field in fields]))):
        item[name] = data.draw(JSON)
    for inner in (value for value in item.values() if isinstance(value, dict)):
        for model in [*connector.wire_model.model_json_schema()["$defs"].values()]:
            for name in data.draw(st.sets(st.sampled_from(sorted(model["properties"])), max_size=2)):
                inner[name] = data.draw(JSON)
    told = connector.peek(item)
    taken, refused = None, None
    try:
        taken = connector.normalize(item)
    except (PayloadInvalid, Unsupported) as error:
        refused = error
    if isinstance(taken, Completion):
        assert (taken.event_id, taken.revision) == told
        assert Completion.from_json(taken.to_json()) == taken
    elif isinstance(refused, PayloadInvalid):
        assert (refused.event_id, bool(refused.errors)) == (told[0], True)
    else:
        assert (refused.event_id, refused.revision) == told
