"""Both vendors' list APIs, over whatever the control was given; their pages are what our connectors read.

Source: contracts/vendors/viettel/README.md, contracts/vendors/vnpt/README.md, "List API".
"""

from bisect import bisect_left
from collections.abc import Callable
from datetime import datetime

import msgspec
from aiohttp import web

from gateway.connectors.lists import viettel, vnpt
from gateway.model.clock import Clock, iso
from gateway.sandbox.faults import Endpoint

MAX_PAGE = 500


class ListDesk:
    """What the LMSs hold, in the order it changed."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._held: dict[str, list[tuple[int, bytes]]] = {"viettel": [], "vnpt": []}
        self.asked = 0  # pages

    async def put(self, request: web.Request) -> web.Response:
        """POST /_control/lists/{vendor}: an array of items; they changed now."""
        held = self._held[request.match_info["vendor"]]
        raws = msgspec.json.decode(await request.read(), type=list[msgspec.Raw])
        held.extend((self._clock.now_ms(), bytes(raw)) for raw in raws)
        return web.json_response({"held": len(held)})

    async def viettel(self, request: web.Request) -> web.Response:
        """A page of Viettel's."""
        query = request.query
        raws, token = self._page("viettel", int(query["updatedFrom"]), query.get("cursor"), int(query["size"]))
        page = viettel.Page([msgspec.Raw(raw) for raw in raws], self._clock.now_ms(), token)
        return _json(page)

    async def vnpt(self, request: web.Request) -> web.Response:
        """A page of VNPT's."""
        query = request.query
        since_ms = int(datetime.fromisoformat(query["tu_thoi_diem"]).timestamp() * 1000)
        raws, token = self._page("vnpt", since_ms, query.get("trang"), int(query["so_dong"]))
        until = datetime.fromisoformat(iso(self._clock.now_ms()))
        return _json(vnpt.Page([msgspec.Raw(raw) for raw in raws], until, token))

    def routes(self, guarded: Callable[[Endpoint], Endpoint]) -> list[web.RouteDef]:
        """`guarded` sets an endpoint before faults."""
        return [
            web.get(f"/viettel{viettel.PATH}", guarded(self.viettel)),
            web.get(f"/vnpt{vnpt.PATH}", guarded(self.vnpt)),
            web.post("/_control/lists/{vendor:viettel|vnpt}", self.put),
        ]

    def _page(self, vendor: str, since_ms: int, token: str | None, size: int) -> tuple[list[bytes], str | None]:
        self.asked += 1
        held = self._held[vendor]
        if token is not None and not token.isdecimal():
            raise web.HTTPGone
        start = int(token) if token is not None else bisect_left(held, since_ms, key=lambda one: one[0])
        end = min(len(held), start + min(size, MAX_PAGE))
        return [raw for _, raw in held[start:end]], str(end) if end < len(held) else None


def _json(page: msgspec.Struct) -> web.Response:
    return web.Response(body=msgspec.json.encode(page), content_type="application/json")
