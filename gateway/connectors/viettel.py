"""Viettel LMS: one JSON object per completion, camelCase, epoch milliseconds, scores with their own maximum.

Source: contracts/vendors/viettel/README.md (which fields are assumed).
"""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from gateway.connectors import Connector, Unsupported, fields, readings, wire
from gateway.connectors.fields import (
    EpochMs,
    Id,
    ObjectOrNothing,
    Periods,
    Revision,
    Score,
    Stated,
    Text,
)
from gateway.connectors.wire import Wire
from gateway.model.completion import Claim, Completion, Course, Result, Role

ROLES = {"gv": Role.TEACHER, "cbql": Role.MANAGER}


class ViettelUser(Wire):
    """The learner as the LMS account describes them."""

    user_id: Id = Field(alias="userId", description="id of the LMS account, 24 hex digits")
    full_name: Text = Field(None, alias="fullName", description="as typed by the learner")
    birthday: Text = Field(None, description="dd/mm/yyyy")
    sector_code: Text = Field(None, alias="sectorCode", description="sector identifier, text")
    school_code: Text = Field(None, alias="schoolCode", description="school code of the sector database, text")
    position: Text = Field(None, description="GV or CBQL")


class ViettelCourse(Wire):
    """The course and its run."""

    course_id: Id = Field(alias="courseId", description="id of the course in the LMS")
    course_code: Text = Field(None, alias="courseCode", description="programme code: GVPT03")
    course_name: Text = Field(None, alias="courseName")
    school_year: Text = Field(None, alias="schoolYear", description="2025-2026")
    periods: Periods = Field(None, description="tiết")
    class_name: Text = Field(None, alias="className", description="class of the run")
    organiser: Text = Field(None, description="institution that ran the course")


class ViettelResult(Wire):
    """The result. Only a JSON true or false in `passed` states one."""

    score: Score = None
    max_score: Score = Field(None, alias="maxScore", description="the scale of `score`")
    passed: Stated = None
    certificate_no: Text = Field(None, alias="certificateNo")


class ViettelCompletion(Wire):
    """One course completion of one learner; further fields are ignored."""

    event_id: Id = Field(alias="eventId", description="same when sent again or corrected")
    event_type: Literal["COURSE_COMPLETED"] = Field(alias="eventType")
    revision: Revision = Field(1, description="1, then one more for each correction")
    occurred_at: EpochMs = Field(alias="occurredAt", description="milliseconds since 1970-01-01 UTC")
    user: ViettelUser
    course: ViettelCourse
    result: Annotated[ViettelResult | None, ObjectOrNothing] = None


class Viettel:
    """Viettel's LMS, which shares its account space with TEMIS."""

    name = "viettel"
    event_types = frozenset({"COURSE_COMPLETED"})
    volatile = frozenset({"sentAt"})
    profile_path_vi = "TEMIS › Thông tin Cơ bản › Mã định danh › Hoàn thành"
    profile_path_en = "TEMIS › Thông tin Cơ bản (basic data) › Mã định danh (identifier) › Hoàn thành (finish)"
    wire_model: type[BaseModel] = ViettelCompletion

    def normalize(self, item: dict[str, object]) -> Completion:
        """One Viettel object -> one Completion. Raises: PayloadInvalid with every bad field, Unsupported."""
        event_type = item.get("eventType")
        if not isinstance(event_type, str) or event_type not in self.event_types:
            raise Unsupported(*self.peek(item))
        seen = wire.read(ViettelCompletion, item, lambda: self.peek(item)[0])
        return Completion(
            vendor=self.name,
            event_id=seen.event_id,
            revision=seen.revision,
            completed_at_ms=seen.occurred_at,
            claim=_claim(seen.user),
            course=_course(seen.course),
            result=_result(seen.result or ViettelResult()),
        )

    def peek(self, item: dict[str, object]) -> tuple[str | None, int | None]:
        """Event id and revision as far as they can be used."""
        return fields.usable_id(item.get("eventId")), fields.usable_revision(item.get("revision", 1))


def _claim(user: ViettelUser) -> Claim:
    born = readings.birth_date(user.birthday)
    return Claim(
        lms_user_id=user.user_id,
        identifier=user.sector_code,
        full_name=user.full_name,
        birth_date=born,
        birth_date_sent=None if born else user.birthday,
        unit_code=user.school_code,
        role=readings.stated(user.position, ROLES),
    )


def _course(course: ViettelCourse) -> Course:
    return Course(
        course_id=course.course_id,
        course_code=course.course_code,
        module_hint=readings.module_hint(course.course_code, course.course_name),
        title=course.course_name,
        school_year=readings.school_year(course.school_year),
        periods=readings.periods(course.periods),
        class_name=course.class_name,
        organiser=course.organiser,
    )


def _result(result: ViettelResult) -> Result:
    return Result(
        passed=result.passed if isinstance(result.passed, bool) else None,
        score_hundredths=readings.score_hundredths(result.score, result.max_score),
        score_sent=result.score,
        score_max_sent=result.max_score,
        certificate_no=result.certificate_no,
    )


CONNECTOR: Connector = Viettel()
