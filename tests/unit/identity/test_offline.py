"""Checking claims against a roster, line by line."""

import json
from datetime import date

import pytest

from gateway.identity.offline import check
from gateway.identity.roster import Roster
from tests.unit.identity.cases import POLICY

TODAY = date(2026, 3, 20)
ROSTER = Roster(
    [
        "sector_id,full_name,birth_date,citizen_id,unit_code,role,status,status_since",
        "3101234567,Nguyễn Thị Hòa,1985-03-12,031185012345,31000717,GV,Đang làm việc,2010-09-01",
        "3166600001,Phạm Khoa Đăng,1965-10-08,031065001001,31000717,GV,Đã nghỉ hưu,2026-03-15",
    ]
)
GOOD = {
    "id": "a",
    "identifier": "3101234567",
    "full_name": "Nguyễn Thị Hòa",
    "birth_date": "1985-03-12",
    "unit_code": "31000717",
    "role": "GV",
    "completed_at": "2026-03-10T09:00:00+07:00",
}


def _check(*lines):
    raw = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    return list(check(raw, ROSTER, POLICY, TODAY))


def test_a_result_has_the_agreed_fields():
    """Scripts read these names."""
    [result] = _check(GOOD)
    assert list(result) == ["id", "verdict", "reason", "warnings", "rung", "findings"]
    assert (result["id"], result["verdict"], result["reason"], result["rung"]) == ("a", "verified", None, 1)
    assert result["findings"][0] == {"code": "attribute.name", "effect": "supports", "detail": {}}


@pytest.mark.parametrize(
    "line",
    [
        b"nonsense",
        b"[1]",
        b'"text"',
        b'{"id":"x"',
        b'{"id":"x","id":"y"}',
        b'{"id":NaN}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_a_bad_line_is_told_and_never_stops_the_others(line):
    """Damaged JSON, a key twice, NaN, another encoding or endless nesting: one error, in its place."""
    first, bad, last = _check(GOOD, line, GOOD | {"id": "z"})
    assert (first["id"], last["id"]) == ("a", "z")
    assert (bad["id"], bad["line"], bad["error"]["code"]) == (None, 2, "payload.invalid")


def test_all_wrong_fields_of_a_line_are_told_at_once():
    """Fields of a wrong type are named by their path; what a person typed is never an error."""
    wrong = {"id": 7, "identifier": ["3101234567"], "full_name": {}, "completed_at": "soon", "birth_date": True}
    [result] = _check(wrong)
    assert result["id"] == 7
    paths = [fault["path"] for fault in result["error"]["faults"]]
    assert paths == ["$.identifier", "$.full_name", "$.birth_date", "$.completed_at"]


def test_blank_lines_are_no_claims():
    """A file may end with an empty line; line numbers count it all the same."""
    assert [result["id"] for result in _check(b"\n", GOOD, b"  \r\n")] == ["a"]
    assert _check(b"", b"x")[0]["line"] == 2


def test_an_identifier_may_be_a_number_and_is_judged_as_it_is():
    """A number literal has lost its zeros and an exponent its digits; both are seen, nothing is restored."""
    [whole, exponent, suffixed] = _check(
        GOOD | {"identifier": 3101234567},
        b'{"identifier":3.3E+09}',
        json.dumps(GOOD).encode().replace(b'"3101234567"', b"3101234567.0"),
    )
    assert whole["verdict"] == suffixed["verdict"] == "verified"
    assert exponent["reason"] == "format.damaged_by_spreadsheet"


def test_without_a_completion_date_todays_status_counts():
    """Before any course was taken, a school checks its people as of today."""
    retired = {"identifier": "3166600001", "full_name": "Phạm Khoa Đăng", "birth_date": "08/10/1965"}
    [today, earlier] = _check(retired, retired | {"completed_at": "2026-03-14"})
    assert (today["reason"], earlier["reason"]) == ("registry.inactive", None)


def test_a_near_miss_stands_beside_not_found():
    """The reason stays not found; whoever holds the roster sees that one slip would explain it, masked."""
    [result] = _check(GOOD | {"identifier": "3101234576"})
    assert result["reason"] == "registry.not_found"
    assert result["findings"][-1] == {
        "code": "registry.near_miss",
        "effect": "neutral",
        "detail": {"masked": "31••••••67", "slip": "swapped", "unit": "31000717"},
    }


def test_results_come_while_lines_are_read():
    """A file of any size is checked line by line, in the order given."""
    seen = []

    def lines():
        for number in range(3):
            seen.append(number)
            yield json.dumps(GOOD | {"id": number}).encode()

    results = check(lines(), ROSTER, POLICY, TODAY)
    assert next(results)["id"] == 0
    assert seen == [0]
    assert [result["id"] for result in results] == [1, 2]
