"""Builders of what travels to TEMIS and of the people that the sandbox knows."""

import itertools

from gateway.model.completion import Claim, Completion, Course, Result
from gateway.sandbox.roster import StaffRow
from gateway.temis.contract import RecordItem
from tests.builders import NOON

_people = itertools.count(1)


def a_sector_id() -> str:
    """A sector identifier that no other call returns."""
    return f"{3_100_000_000 + next(_people)}"


def an_item(**fields: object) -> RecordItem:
    """One passed result of a new person."""
    return RecordItem(
        **{
            "sector_id": a_sector_id(),
            "module_code": "GVPT03",
            "school_year": "2025-2026",
            "programme": "03",
            "periods": 40,
            "score": 8.5,
            "result": "passed",
            "completed_at": "2026-03-09T12:00:00.000+07:00",
            "vendor": "viettel",
            "revision": 1,
        }
        | fields
    )


def a_completion(**fields: object) -> Completion:
    """One completion as a connector makes it, passed with 8.5."""
    return Completion(
        **{
            "vendor": "viettel",
            "event_id": "event-1",
            "completed_at_ms": NOON,
            "claim": Claim(lms_user_id="6638e26a0000000000000001"),
            "course": Course(course_id="c-1", periods=40),
            "result": Result(passed=True, score_hundredths=850),
        }
        | fields
    )


def a_person(**columns: str) -> StaffRow:
    """One line of a roster."""
    return StaffRow(
        **{
            "sector_id": a_sector_id(),
            "full_name": "Nguyễn Thị Hòa",
            "birth_date": "1985-02-03",
            "gender": "Nữ",
            "citizen_id": "031185001234",
            "unit_code": "31000717",
            "unit_name": "THPT An Dương",
            "role": "GV",
            "status": "Đang làm việc",
            "status_since": "2020-09-01",
        }
        | columns
    )
