"""What each vendor's LMS puts on the wire: facts -> the JSON of one item.

Items are put together from texts made once (a learner, a course, a result), since a benchmark needs them faster
than a JSON library writes them. Source: contracts/vendors/viettel/README.md, contracts/vendors/vnpt/README.md.
"""

import json
from collections.abc import Mapping
from datetime import date, datetime
from typing import NamedTuple, Protocol

from gateway.model.clock import ICT
from gateway.sandbox.courses import Course


class Moment(NamedTuple):
    """An instant, in the forms both vendors write, and the school year it lies in."""

    at_ms: int
    iso: str
    school_year: str

    @classmethod
    def at(cls, at_ms: int) -> "Moment":
        at = datetime.fromtimestamp(at_ms / 1000, ICT)
        first = at.year if at.month >= 9 else at.year - 1
        return cls(at_ms, at.isoformat(timespec="seconds"), f"{first}-{first + 1}")


class Learner(NamedTuple):
    """A person as an LMS account shows them; None is a field left empty."""

    account: int
    full_name: str
    birth_date: date | None
    identifier: str | None
    unit_code: str
    role: str  # GV or CBQL


class Outcome(NamedTuple):
    """A result. `passed` None: the LMS does not say."""

    tenths: int  # 85 is 8.5 of 10
    passed: bool | None


class WireForm(Protocol):
    """One vendor's way of writing. All parts are JSON texts."""

    vendor: str

    def event_id(self, run: int, number: int) -> str: ...
    def learner(self, learner: Learner) -> str: ...
    def course(self, course: Course, school_year: str | None) -> str: ...
    def result(self, outcome: Outcome) -> str:
        """All but the certificate, which ends each result."""
        ...

    def item(
        self,
        event_id: str,
        revision: int,
        moment: Moment,
        learner: str,
        course: str,
        result: str,
        certificate: str,
    ) -> bytes: ...


class Viettel:
    """camelCase, dd/mm/yyyy, epoch milliseconds, a boolean result; ids of 24 hex digits."""

    vendor = "viettel"

    def event_id(self, run: int, number: int) -> str:
        return f"{run:016x}{number:08x}"

    def learner(self, learner: Learner) -> str:
        return _json(
            {
                "userId": f"{0x6500_0000 + learner.account:08x}{learner.account * 0x9E37_79B9:016x}",
                "fullName": learner.full_name,
                "birthday": learner.birth_date and f"{learner.birth_date:%d/%m/%Y}",
                "sectorCode": learner.identifier,
                "schoolCode": learner.unit_code,
                "position": learner.role,
            }
        )

    def course(self, course: Course, school_year: str | None) -> str:
        return _json(
            {
                "courseId": course.course_id,
                "courseCode": course.course_code,
                "courseName": course.title,
                "schoolYear": school_year,
                "periods": course.periods,
            }
        )

    def result(self, outcome: Outcome) -> str:
        # Every fifth course is marked out of 100.
        score, scale = (outcome.tenths, 100) if outcome.tenths % 5 == 1 else (outcome.tenths / 10, 10)
        return _json({"score": score, "maxScore": scale, "passed": outcome.passed})[:-1] + ',"certificateNo":'

    def item(
        self,
        event_id: str,
        revision: int,
        moment: Moment,
        learner: str,
        course: str,
        result: str,
        certificate: str,
    ) -> bytes:
        return (
            f'{{"eventId":"{event_id}","eventType":"COURSE_COMPLETED","revision":{revision},'
            f'"occurredAt":{moment.at_ms},"user":{learner},"course":{course},"result":{result}{certificate}}}}}'
        ).encode()


class Vnpt:
    """Vietnamese field names, ISO dates, the result as an open word; VNPT states what it verified itself."""

    vendor = "vnpt"

    def event_id(self, run: int, number: int) -> str:
        return f"SK-{run:x}-{number}"

    def learner(self, learner: Learner) -> str:
        verified = learner.identifier is not None and learner.account % 8 != 0
        return _json(
            {
                "ma_nguoi_dung": f"hp{learner.account:07d}",
                "ho_ten": learner.full_name,
                "ngay_sinh": learner.birth_date and learner.birth_date.isoformat(),
                "ma_dinh_danh": learner.identifier,
                "ma_truong": learner.unit_code,
                "vai_tro": "giao_vien" if learner.role == "GV" else "can_bo_quan_ly",
                "trang_thai_xac_thuc": "Đã xác thực thông tin" if verified else "Chưa xác thực thông tin",
            }
        )

    def course(self, course: Course, school_year: str | None) -> str:
        return _json(
            {"ma": course.course_id, "ten": course.title, "nam_hoc": school_year, "so_tiet": course.periods}
        )

    def result(self, outcome: Outcome) -> str:
        score, scale = (outcome.tenths / 10, 10) if outcome.tenths % 5 == 1 else (outcome.tenths, 100)
        grade = None if outcome.passed is None else _grade(outcome)
        return _json({"diem": score, "thang_diem": scale, "xep_loai": grade})[:-1] + ',"so_chung_nhan":'

    def item(
        self,
        event_id: str,
        revision: int,
        moment: Moment,
        learner: str,
        course: str,
        result: str,
        certificate: str,
    ) -> bytes:
        return (
            f'{{"ma_su_kien":"{event_id}","loai":"hoan_thanh","phien_ban":{revision},'
            f'"thoi_gian":"{moment.iso}","hoc_vien":{learner},"khoa_hoc":{course},"ket_qua":{result}{certificate}}}}}'
        ).encode()


FORMS: dict[str, WireForm] = {form.vendor: form for form in (Viettel(), Vnpt())}


def _grade(outcome: Outcome) -> str:
    if not outcome.passed:
        return "Chưa đạt"
    if outcome.tenths >= 80:
        return "Tốt"
    return "Khá" if outcome.tenths >= 65 else "Đạt"


def _json(fields: Mapping[str, object]) -> str:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
