"""Two vendors who send, correct and take back results of the same records, and what must come of it.

Everything follows from the vendor and a running number, and what must come of it from rules written here: the
gateway's own choice is not asked.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple
from uuid import uuid4

import httpx
import orjson

from gateway.model.clock import ICT, SystemClock
from gateway.sandbox.roster import StaffRow
from gateway.security.signatures import sign

PEOPLE = 60
MODULES = 4  # few, so that nearly every record is fought over, by retakes and by the other vendor
LONELY = 15  # a module all of whose results are taken back
STEP = 10
LATER = 10  # steps between a result and its correction or withdrawal, where these are late
VENDORS = ("viettel", "vnpt")
ROSTER = [
    StaffRow(
        f"31000000{n:02d}", f"Trần Thị Hoa {n}", f"1985-03-{n % 28 + 1:02}", unit_code="31000717", role="GV"
    )
    for n in range(PEOPLE)
]


class Sent(NamedTuple):
    """One revision of one event."""

    vendor: str
    number: int
    revision: int = 1

    @property
    def event_id(self) -> str:
        return f"evt-{self.number}"  # both vendors use the same ids

    @property
    def person(self) -> StaffRow:
        return ROSTER[self.number % PEOPLE]

    @property
    def correction(self) -> int | None:
        """What its second revision changes: 0 the score, 1 the module, 2 the result, 3 a wrong name."""
        return self.number // 20 % 4 if self.number % 10 == 3 else None

    @property
    def module(self) -> int:
        if self.number % 20 == 17:
            return LONELY
        moved = MODULES if self.correction == 1 and self.revision == 2 else 0
        return self.number // PEOPLE % MODULES + 1 + moved

    @property
    def is_named(self) -> bool:
        """Whether the name is the one on file; else the result is held."""
        return self.number % 50 != 0 and (self.correction != 3 or self.revision == 2)

    @property
    def passed(self) -> bool:
        return self.correction != 2 or self.revision == 1

    @property
    def score(self) -> int:
        """Tenths of a point; a correction lowers it."""
        if not self.passed:
            return 30
        first = 60 + self.number * (7 if self.vendor == "viettel" else 11) % 40
        return first - 10 if self.correction == 0 and self.revision == 2 else first

    @property
    def at_ms(self) -> int:
        return 1_773_032_400_000 + 2 * self.number + VENDORS.index(self.vendor)

    @property
    def certificate(self) -> str:
        return f"{self.vendor}-{self.number}-{self.revision}"

    @property
    def key(self) -> tuple[str, str]:
        """The record it is meant for; the school year is the same for all."""
        return self.person.sector_id, f"GVPT{self.module:02}"

    @property
    def worth(self) -> tuple[bool, int, int]:
        """Đạt before Chưa đạt, then the higher score, then the later date."""
        return self.passed, self.score, self.at_ms

    def item(self) -> dict[str, Any]:
        """As its vendor writes it."""
        return self._viettel() if self.vendor == "viettel" else self._vnpt()

    def _name(self) -> str:
        return self.person.full_name if self.is_named else "Lê Văn Khác"

    def _viettel(self) -> dict[str, Any]:
        return {
            "eventId": self.event_id,
            "eventType": "COURSE_COMPLETED",
            "revision": self.revision,
            "occurredAt": self.at_ms,
            "user": {
                "userId": f"{self.number % PEOPLE:024x}",
                "fullName": self._name(),
                "birthday": "/".join(reversed(self.person.birth_date.split("-"))),
                "sectorCode": "0" + self.person.sector_id,
                "schoolCode": "31000717",
                "position": "GV",
            },
            "course": {
                "courseId": f"c{self.module}",
                "courseCode": f"GVPT {self.module:02}",
                "courseName": "Bồi dưỡng",
                "schoolYear": "2025-2026",
                "periods": 40,
            },
            "result": {
                "score": self.score / 10,
                "maxScore": 10,
                "passed": self.passed,
                "certificateNo": self.certificate,
            },
        }

    def _vnpt(self) -> dict[str, Any]:
        return {
            "ma_su_kien": self.event_id,
            "loai": "hoan_thanh",
            "phien_ban": self.revision,
            "thoi_gian": datetime.fromtimestamp(self.at_ms / 1000, ICT).isoformat(timespec="milliseconds"),
            "hoc_vien": {
                "ma_nguoi_dung": f"u{self.number % PEOPLE}",
                "ho_ten": self._name(),
                "ngay_sinh": self.person.birth_date,
                "ma_dinh_danh": self.person.sector_id,
                "ma_truong": "31000717",
                "vai_tro": "giao_vien",
                "trang_thai_xac_thuc": "Đã xác thực",
            },
            "khoa_hoc": {
                "ma": f"gvpt-{self.module}",
                "ten": "Bồi dưỡng",
                "nam_hoc": "2025-2026",
                "so_tiet": 40,
            },
            "ket_qua": {
                "diem": self.score,
                "thang_diem": 100,
                "xep_loai": "Đạt" if self.passed else "Chưa đạt",
                "so_chung_nhan": self.certificate,
            },
        }


class Vendor:
    """Sends until each request is answered; remembers the receipts, and what it took back."""

    def __init__(self, name: str, address: str, secret: str) -> None:
        self.name = name
        self._completions = f"{address}/v1/vendors/{name}/completions"
        self._secret = secret
        self.receipts: dict[Sent, str] = {}
        self.withdrawn: set[int] = set()

    async def post(self, http: httpx.AsyncClient, batch: list[Sent]) -> None:
        """202, and a receipt for each."""
        answer = await self._until_answered(http, "POST", "", [sent.item() for sent in batch])
        assert answer.status_code == 202, answer.text
        for sent, receipt in zip(batch, answer.json()["receipts"], strict=True):
            assert receipt["event_id"] == sent.event_id
            first = "accepted" if sent.revision == 1 else "corrected"
            assert receipt["status"] in (first, "duplicate"), receipt
            self.receipts[sent] = receipt["delivery_id"]

    async def withdraw(self, http: httpx.AsyncClient, number: int) -> None:
        """200, also when an earlier request did it and its answer was lost."""
        event_id = Sent(self.name, number).event_id
        answer = await self._until_answered(http, "DELETE", f"/{event_id}", {"event_id": event_id})
        assert answer.status_code == 200, answer.text
        self.withdrawn.add(number)

    async def stream(self, http: httpx.AsyncClient, stop: asyncio.Event) -> None:
        """Step by step: results, corrections of one earlier step, and an event or two taken back."""
        step = 0
        while not stop.is_set():
            first = step * STEP
            corrected = [Sent(self.name, n, 2) for n in _due(step, 3)]
            await self.post(http, [Sent(self.name, n) for n in range(first, first + STEP)] + corrected)
            for n in _due(step, 7):
                await self.withdraw(http, n)
            step += 1

    async def _until_answered(
        self, http: httpx.AsyncClient, method: str, path: str, content: object
    ) -> httpx.Response:
        body = orjson.dumps(content)
        message_id = f"msg-{uuid4()}"  # the same each time: it is one message
        while True:
            headers = sign(self._secret, message_id, int(SystemClock().now_ms() / 1000), body)
            headers = {**headers, "content-type": "application/json"}
            try:
                answer = await http.request(method, self._completions + path, content=body, headers=headers)
            except httpx.TransportError:
                await asyncio.sleep(0.05)  # the server is dead just now: a vendor sends again
                continue
            if answer.status_code != 503:
                return answer
            await asyncio.sleep(0.05)


def _due(step: int, digit: int) -> Iterator[int]:
    """Numbers ending in `digit` that are changed in this step: of even tens at once, of odd ones late."""
    for tens in (step - 1, step - LATER):
        if tens >= 0 and tens % 2 == (tens == step - LATER):
            yield tens * STEP + digit


class Expected:
    """What must have become of all that was sent, by the rules that issue and contracts state."""

    def __init__(self, vendors: Iterable[Vendor]) -> None:
        self.sent = {sent: id_ for vendor in vendors for sent, id_ in vendor.receipts.items()}
        self._withdrawn = {(vendor.name, n) for vendor in vendors for n in vendor.withdrawn}
        claims: dict[tuple[str, str], list[Sent]] = defaultdict(list)
        for sent in self.sent:
            if sent.is_named and not self._is_withdrawn(sent) and not self._is_corrected(sent):
                claims[sent.key].append(sent)
        self.standing = {key: max(results, key=lambda sent: sent.worth) for key, results in claims.items()}
        changed = (s for s in self.sent if self._is_withdrawn(s) or self._is_corrected(s))
        # Records that lost a result: an older one may rightly have come back.
        self.unsettled = {sent.key for sent in changed}

    def ends(self, sent: Sent) -> set[tuple[str, str | None]]:
        """The states and reasons that this delivery may have ended in."""
        if self._is_withdrawn(sent):
            return {("voided", "withdrawn")}
        if self._is_corrected(sent):
            return {("voided", "replaced"), ("voided", "superseded")}
        if not sent.is_named:
            return {("held", "attribute.name_mismatch")}
        return {("delivered", None)} if self.standing[sent.key] == sent else {("voided", "superseded")}

    def _is_withdrawn(self, sent: Sent) -> bool:
        return (sent.vendor, sent.number) in self._withdrawn

    def _is_corrected(self, sent: Sent) -> bool:
        return sent.revision == 1 and sent._replace(revision=2) in self.sent
