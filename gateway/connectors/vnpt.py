"""VNPT LMS: one JSON object per completion, Vietnamese snake_case, ISO times, the result as open text.

Source: contracts/vendors/vnpt/README.md (which fields are assumed); vnpt_grades.toml for `xep_loai`.
"""

import tomllib
from importlib.resources import files
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from gateway.connectors import Connector, Unsupported, fields, readings, wire
from gateway.connectors.fields import Id, IsoMs, ObjectOrNothing, Periods, Revision, Score, Text
from gateway.connectors.wire import Wire
from gateway.model.completion import Claim, Completion, Course, Result, Role

ROLES = {"giao_vien": Role.TEACHER, "can_bo_quan_ly": Role.MANAGER}


def _grades() -> dict[str, bool]:
    table = tomllib.loads(files("gateway.connectors").joinpath("vnpt_grades.toml").read_text("utf-8"))
    return {
        readings.fold(wording): key == "passed" for key in ("passed", "not_passed") for wording in table[key]
    }


GRADES = _grades()  # folded wording -> passed


class VnptLearner(Wire):
    """The learner as the LMS account describes them."""

    user_id: Id = Field(alias="ma_nguoi_dung", description="id of the LMS account")
    full_name: Text = Field(None, alias="ho_ten", description="as typed by the learner")
    birth_date: Text = Field(None, alias="ngay_sinh", description="yyyy-mm-dd")
    sector_id: Text = Field(None, alias="ma_dinh_danh", description="sector identifier, text")
    school_code: Text = Field(None, alias="ma_truong", description="school code of the sector database, text")
    role: Text = Field(None, alias="vai_tro", description="giao_vien or can_bo_quan_ly")
    status: Text = Field(None, alias="trang_thai_xac_thuc", description="VNPT's own check; kept, never trusted")


class VnptCourse(Wire):
    """The course and its run."""

    code: Id = Field(alias="ma", description="id and code of the course in one: GVPT03")
    title: Text = Field(None, alias="ten")
    school_year: Text = Field(None, alias="nam_hoc", description="2025-2026")
    periods: Periods = Field(None, alias="so_tiet", description="tiết")
    class_name: Text = Field(None, alias="lop", description="class of the run")
    organiser: Text = Field(None, alias="don_vi_to_chuc", description="institution that ran the course")


class VnptResult(Wire):
    """The result. Only a known wording in `xep_loai` states one."""

    score: Score = Field(None, alias="diem")
    max_score: Score = Field(None, alias="thang_diem", description="the scale of `diem`")
    grade: Text = Field(None, alias="xep_loai", description="open text: Đạt, Chưa đạt, Tốt, Khá, …")
    certificate_no: Text = Field(None, alias="so_chung_nhan")


class VnptCompletion(Wire):
    """One course completion of one learner; further fields are ignored."""

    event_id: Id = Field(alias="ma_su_kien", description="same when sent again or corrected")
    event_type: Literal["hoan_thanh"] = Field(alias="loai")
    revision: Revision = Field(1, alias="phien_ban", description="1, then one more for each correction")
    completed_at: IsoMs = Field(alias="thoi_gian", description="completion, ISO 8601 with offset")
    learner: VnptLearner = Field(alias="hoc_vien")
    course: VnptCourse = Field(alias="khoa_hoc")
    result: Annotated[VnptResult | None, ObjectOrNothing] = Field(None, alias="ket_qua")


class Vnpt:
    """VNPT's LMS (taphuan.lms.vnedu.vn)."""

    name = "vnpt"
    event_types = frozenset({"hoan_thanh"})
    # VNPT checks a learner again at any time; that must not turn a repeated event into a conflict.
    volatile = frozenset({"thoi_gian_gui", "hoc_vien.trang_thai_xac_thuc"})
    profile_path_vi = "Hồ sơ cá nhân › … › LƯU THÔNG TIN"
    profile_path_en = "Hồ sơ cá nhân (personal profile) › … › LƯU THÔNG TIN (save)"
    wire_model: type[BaseModel] = VnptCompletion

    def normalize(self, item: dict[str, object]) -> Completion:
        """One VNPT object -> one Completion. Raises: PayloadInvalid with every bad field, Unsupported."""
        event_type = item.get("loai")
        if not isinstance(event_type, str) or event_type not in self.event_types:
            raise Unsupported(*self.peek(item))
        seen = wire.read(VnptCompletion, item, lambda: self.peek(item)[0])
        return Completion(
            vendor=self.name,
            event_id=seen.event_id,
            revision=seen.revision,
            completed_at_ms=seen.completed_at,
            claim=_claim(seen.learner),
            course=_course(seen.course),
            result=_result(seen.result or VnptResult()),
        )

    def peek(self, item: dict[str, object]) -> tuple[str | None, int | None]:
        """Event id and revision as far as they can be used."""
        return fields.usable_id(item.get("ma_su_kien")), fields.usable_revision(item.get("phien_ban", 1))


def _claim(learner: VnptLearner) -> Claim:
    born = readings.birth_date(learner.birth_date)
    return Claim(
        lms_user_id=learner.user_id,
        identifier=learner.sector_id,
        full_name=learner.full_name,
        birth_date=born,
        birth_date_sent=None if born else learner.birth_date,
        unit_code=learner.school_code,
        role=readings.stated(learner.role, ROLES),
        vendor_status=learner.status,
    )


def _course(course: VnptCourse) -> Course:
    return Course(
        course_id=course.code,
        course_code=course.code,
        module_hint=readings.module_hint(course.code, course.title),
        title=course.title,
        school_year=readings.school_year(course.school_year),
        periods=readings.periods(course.periods),
        class_name=course.class_name,
        organiser=course.organiser,
    )


def _result(result: VnptResult) -> Result:
    return Result(
        passed=readings.stated(result.grade, GRADES),
        score_hundredths=readings.score_hundredths(result.score, result.max_score),
        score_sent=result.score,
        score_max_sent=result.max_score,
        grade_sent=result.grade,
        certificate_no=result.certificate_no,
    )


CONNECTOR: Connector = Vnpt()
