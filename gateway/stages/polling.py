"""Vendors that only offer a list API are asked: page -> completions and position, in one commit.

    due vendor ─▶ page ─▶ prepare ─▶ store and move the position under the leader's lease ─▶ next page

A crash between page and commit repeats the page and loses nothing; what came before comes as `duplicate`. Each
round begins an overlap before the end of the last one, for what the vendor's clocks or commits brought late.
"""

import asyncio
from collections.abc import Callable, Sequence

import structlog

from gateway.connectors.lines import read_line
from gateway.connectors.lists import ListApi, ListPage
from gateway.model.clock import SECOND_MS, Clock, day_number
from gateway.model.errors import Garbled, Overloaded, UpstreamError
from gateway.outbound.http import Caller
from gateway.outbound.limiter import Limiter
from gateway.queue.polls import Poll, Position, move_in, note_fault, read_polls
from gateway.queue.vendors import Vendor, Vendors
from gateway.security.vault import Vault
from gateway.stages.receive import ItemReceipt, Receive
from gateway.storage.engine import Database, Tx
from gateway.storage.leases import Lease, hold_in

log = structlog.get_logger(__name__)

PAUSE_S = 0.2
FORGOTTEN = (400, 404, 410, 422)  # to a page in the middle of a round: its token is not known any more
NO_API = "poll.no_list_api"


class Polling:
    """The duty of asking vendors."""

    name = "polling"

    def __init__(
        self,
        db: Database,
        clock: Clock,
        vault: Vault,
        vendors: Vendors,
        receive: Receive,
        apis: dict[str, ListApi],
        open_caller: Callable[[Poll], Caller],
        *,
        ttl_ms: int,
        every_s: float = 1.0,
    ) -> None:
        """`open_caller` makes the way to a vendor; it is closed here when its address or key changes."""
        self._db = db
        self._clock = clock
        self._vault = vault
        self._vendors = vendors
        self._receive = receive
        self._apis = apis
        self._open_caller = open_caller
        self._ttl_ms = ttl_ms
        self.every_s = every_s
        self._ways: dict[int, tuple[tuple[str, str], Caller]] = {}
        self._limits: dict[int, Limiter] = {}

    async def run(self, lease: Lease) -> None:
        """Asks each vendor that is due. One that fails keeps no other waiting longer than its call."""
        polls = await read_polls(self._db, self._vault)
        known = {vendor.id: vendor for vendor in await self._vendors.all()}
        now = self._clock.now_ms()
        due = [
            (known[poll.vendor_id], poll)
            for poll in polls
            if poll.vendor_id in known
            and now - poll.polled_at_ms >= poll.every_s * SECOND_MS
            and _may_send(known[poll.vendor_id], day_number(now))
        ]
        found = await asyncio.gather(
            *(self._round(vendor, poll, lease) for vendor, poll in due), return_exceptions=True
        )
        for error in found:
            if isinstance(error, BaseException):
                raise error

    async def aclose(self) -> None:
        """Closes every way."""
        for _, caller in self._ways.values():
            await caller.aclose()
        self._ways.clear()

    async def _round(self, vendor: Vendor, poll: Poll, lease: Lease) -> None:
        api = self._apis.get(vendor.connector)
        if api is None:
            await note_fault(self._db, self._clock, vendor.id, NO_API)
            return
        position, n_items = poll.position, 0
        try:
            while True:
                page = await self._page(vendor, poll, api, position)
                if page.token is not None and page.token == position.token:
                    raise Garbled("the vendor names the same page again and again")
                position = position.after(page.token, page.until_ms)
                await self._take(vendor, page, position, lease)
                n_items += len(page.items)
                if page.token is None:
                    break
        except UpstreamError as error:
            log.warning("poll.failed", vendor=vendor.name, error=error.code, status=error.status)
            if position.token is not None and error.status in FORGOTTEN:
                await self._begin_again(vendor, poll, lease)
            await note_fault(self._db, self._clock, vendor.id, error.code)
        else:
            log.info("poll.read", vendor=vendor.name, items=n_items)

    async def _page(self, vendor: Vendor, poll: Poll, api: ListApi, position: Position) -> ListPage:
        since_ms = max(0, position.since_ms - poll.overlap_s * SECOND_MS)
        path, params = api.asked(since_ms, position.token, poll.page_items)
        async with self._limit(poll).slot():
            return await (await self._way(poll)).get(path, api.read, params)

    async def _take(self, vendor: Vendor, page: ListPage, position: Position, lease: Lease) -> None:
        read = [read_line(item) for item in page.items]
        prepared = await self._receive.prepare(vendor, [piece for piece in read if piece is not None])

        async def move(tx: Tx, receipts: Sequence[ItemReceipt]) -> None:
            now = self._clock.now_ms()
            await hold_in(tx, lease, now, self._ttl_ms)
            await move_in(tx, vendor.id, position, now)

        while True:
            try:
                await self._receive.store(prepared, move)
            except Overloaded:
                await asyncio.sleep(PAUSE_S)
            else:
                return

    async def _begin_again(self, vendor: Vendor, poll: Poll, lease: Lease) -> None:
        """A page that the vendor does not give any more: the round begins anew, from where it had begun."""

        async def in_tx(tx: Tx) -> None:
            now = self._clock.now_ms()
            await hold_in(tx, lease, now, self._ttl_ms)
            await move_in(tx, vendor.id, Position(poll.position.since_ms), now)

        await self._db.write(in_tx)

    def _limit(self, poll: Poll) -> Limiter:
        limit = self._limits.setdefault(poll.vendor_id, Limiter(rate_per_s=None, concurrency=1))
        limit.rate_per_s = poll.per_min / 60
        return limit

    async def _way(self, poll: Poll) -> Caller:
        wanted = (poll.url, poll.key)
        have = self._ways.get(poll.vendor_id)
        if have is None or have[0] != wanted:
            if have is not None:
                await have[1].aclose()
            have = self._ways[poll.vendor_id] = (wanted, self._open_caller(poll))
        return have[1]


def _may_send(vendor: Vendor, day: int) -> bool:
    """One that is paused, or whose agreement has not begun or has ended, is not asked."""
    return not vendor.paused and vendor.terms.has_begun(day) and not vendor.terms.has_ended(day)
