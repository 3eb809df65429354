"""VNPT's list API: ISO 8601 times in Việt Nam, Vietnamese names.

Source: contracts/vendors/vnpt/README.md, "List API" (ASSUMED).
"""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from gateway.connectors.lists import ListApi, ListPage
from gateway.model.clock import iso

PATH = "/api/ket-qua-hoc-tap"


class Page(msgspec.Struct):
    ket_qua: list[msgspec.Raw]
    den_thoi_diem: datetime
    trang_tiep: str | None = None


_page = msgspec.json.Decoder(Page)


class VnptList:
    """Completions by the time they changed."""

    def asked(self, since_ms: int, token: str | None, limit: int) -> tuple[str, Mapping[str, str | int]]:
        params: dict[str, str | int] = {"tu_thoi_diem": iso(since_ms), "so_dong": limit}
        return PATH, params if token is None else {**params, "trang": token}

    def read(self, body: bytes) -> ListPage:
        page = _page.decode(body)
        if page.den_thoi_diem.tzinfo is None:
            raise ValueError("den_thoi_diem lacks its offset")
        until_ms = int(page.den_thoi_diem.timestamp() * 1000)
        return ListPage(tuple(bytes(raw) for raw in page.ket_qua), page.trang_tiep, until_ms)


LIST_API: ListApi = VnptList()
