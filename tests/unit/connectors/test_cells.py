"""Rows of tables become the vendor's own items, and no code loses its zeros on the way."""

import pytest

from gateway.connectors import discover
from gateway.connectors.cells import columns, headings, item_of

VIETTEL = discover()["viettel"].wire_model


def test_every_field_is_a_column_by_its_path():
    """What the wire model reads can be written in a table, and what it requires is known to be required."""
    cells = columns(VIETTEL)
    assert {path for path, cell in cells.items() if cell.is_required} == {
        "eventId", "eventType", "occurredAt", "user.userId", "course.courseId",
    }  # fmt: skip
    assert headings(cells)["user.fullName"] == ("user.fullName", "fullName")


@pytest.mark.parametrize("connector", discover().values(), ids=lambda one: one.name)
def test_a_name_that_two_columns_share_needs_its_path(connector):
    """A heading that could mean two fields is none."""
    told = headings(columns(connector.wire_model))
    written = [heading for several in told.values() for heading in several]
    assert len(written) == len(set(written))


def test_only_numbers_and_truth_change_their_type():
    """A passed result is true or false, an identifier stays the text that it is."""
    row = {
        "eventId": "0012", "occurredAt": "1773032400000", "user.sectorCode": "03100000001",
        "result.score": "8.5", "result.maxScore": "10", "result.passed": "TRUE", "user.fullName": "",
    }  # fmt: skip
    assert item_of(row, columns(VIETTEL)) == {
        "eventId": "0012",
        "occurredAt": 1773032400000,
        "user": {"sectorCode": "03100000001"},
        "result": {"score": 8.5, "maxScore": 10, "passed": True},
    }
    odd = {"result.score": "8,5", "result.passed": "đạt", "occurredAt": "09/03/2026", "revision": "01"}
    assert item_of(odd, columns(VIETTEL)) == {
        "result": {"score": "8,5", "passed": "đạt"},
        "occurredAt": "09/03/2026",
        "revision": "01",
    }
