"""A completion: what one LMS says happened, in the gateway's own words.

Vendor bytes -> connectors -> Completion. Values of a person are kept as sent; judging them is the work of
identity, so a missing or damaged one is stored as it came.
"""

from datetime import date
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from gateway.model.value import Value


class Frozen(BaseModel):
    """Base of what is read from files and settings: immutable, checked, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Role(StrEnum):
    """Learner's role as BDTX knows it."""

    TEACHER = "GV"
    MANAGER = "CBQL"


class Claim(Value, frozen=True, kw_only=True, omit_defaults=True):
    """What the vendor says about a person. Nothing here is trusted before identity has judged it."""

    lms_user_id: str
    identifier: str | None = None  # as sent, never padded or cleaned
    full_name: str | None = None  # as sent
    birth_date: date | None = None
    birth_date_sent: str | None = None  # kept only when it could not be read as a date
    unit_code: str | None = None  # school code as sent, text
    role: Role | None = None
    vendor_status: str | None = None  # the LMS's own verification status; evidence, never trusted


class Course(Value, frozen=True, kw_only=True, omit_defaults=True):
    """The course as the vendor names it."""

    course_id: str
    course_code: str | None = None  # as sent: "GVPT 03", "gvpt-3"
    module_hint: str | None = None  # canonical form read from the code: "GVPT03"
    title: str | None = None
    school_year: str | None = None  # "2025-2026"; None when the vendor did not state a readable one
    periods: int | None = None  # tiết
    class_name: str | None = None
    organiser: str | None = None


class Result(Value, frozen=True, kw_only=True, omit_defaults=True):
    """The result as stated. `passed is None` means the vendor did not say; it is never guessed."""

    passed: bool | None = None
    score_hundredths: int | None = None  # on the 10-point scale: 850 is 8.5
    score_sent: str | None = None
    score_max_sent: str | None = None
    grade_sent: str | None = None  # VNPT xep_loai as sent
    certificate_no: str | None = None


class Completion(Value, frozen=True, kw_only=True, omit_defaults=True):
    """One course completion of one learner, from any vendor."""

    vendor: str
    event_id: str
    revision: int = 1
    completed_at_ms: int
    claim: Claim
    course: Course
    result: Result
