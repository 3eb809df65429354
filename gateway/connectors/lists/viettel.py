"""Viettel's list API: epoch milliseconds, an opaque cursor.

Source: contracts/vendors/viettel/README.md, "List API" (ASSUMED).
"""

from collections.abc import Mapping

import msgspec

from gateway.connectors.lists import ListApi, ListPage

PATH = "/api/v1/course-completions"


class Page(msgspec.Struct):
    data: list[msgspec.Raw]
    updatedUntil: int
    nextCursor: str | None = None


_page = msgspec.json.Decoder(Page)


class ViettelList:
    """Completions by the time they changed."""

    def asked(self, since_ms: int, token: str | None, limit: int) -> tuple[str, Mapping[str, str | int]]:
        params: dict[str, str | int] = {"updatedFrom": since_ms, "size": limit}
        return PATH, params if token is None else {**params, "cursor": token}

    def read(self, body: bytes) -> ListPage:
        page = _page.decode(body)  # msgspec's errors are ValueErrors
        return ListPage(tuple(bytes(raw) for raw in page.data), page.nextCursor, page.updatedUntil)


LIST_API: ListApi = ViettelList()
