"""The demonstration itself: half of the items, then TEMIS fails and the rest comes, then all is settled."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field

import aiohttp

from gateway.app import Gateway
from gateway.bdtx.courses import read_courses
from gateway.cli.demonstration import findings
from gateway.cli.demonstration.control import Control
from gateway.cli.demonstration.feed import Sent, feed
from gateway.cli.demonstration.findings import Mismatch
from gateway.cli.demonstration.place import Place
from gateway.cli.demonstration.progress import Display
from gateway.cli.demonstration.tales import Tale, Teller
from gateway.cli.output import Output
from gateway.queue.balance import Balance, balance
from gateway.sandbox.item import Item
from gateway.sandbox.roster import StaffRow
from gateway.sandbox.vendor import VendorClient

LOOK_S = 0.1
PATIENCE_S = 120.0  # with nothing moving; then what is left is told as a fault


@dataclass(slots=True)
class Ending:
    """How it went."""

    balance: Balance
    sending_s: float  # spent sending, until the last receipt
    settled_s: float  # from the first request until nothing was in flight
    repeated: int  # requests that vendors sent again
    mismatches: list[Mismatch] = field(default_factory=list)
    tales: list[Tale] = field(default_factory=list)
    unmapped: tuple[str, str] | None = None  # vendor and course id of a course that results wait for

    @property
    def is_good(self) -> bool:
        return self.balance.closes and not self.mismatches


async def play(
    gateway: Gateway,
    place: Place,
    secrets: dict[str, str],
    people: Sequence[StaffRow],
    items: Sequence[Item],
    out: Output,
) -> Ending:
    """Sends `items` to a running gateway and waits for what becomes of them. Raises: Refused."""
    display = Display(out, len(items))
    sent = Sent()
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession())
        control = Control(http, place.sandbox)
        clients = {name: VendorClient(http, place.gateway, name, secret) for name, secret in secrets.items()}
        stack.enter_context(display.shown())
        watching = asyncio.create_task(_watch(gateway, display, sent))
        stack.callback(watching.cancel)
        started = time.monotonic()
        half = (len(items) + 1) // 2
        display.say("demo.calm")
        await feed(clients, items[:half], sent)
        await _first_delivered(gateway, half // 4)
        async with control.outage():
            display.say("demo.outage")
            await feed(clients, items[half:], sent)
        display.say("demo.recovered")
        await _settled(gateway)
        ending = Ending(
            balance=await balance(gateway.db),
            sending_s=sent.seconds,
            settled_s=time.monotonic() - started,
            repeated=sum(client.repeated for client in clients.values()),
        )
        display.update(sent.count, ending.balance.total)
        display.say("demo.comparing")
        lines = await findings.read_lines(gateway.db)
        ending.mismatches = [
            *findings.of_items(sent.answered, lines, ending.balance),
            *findings.of_records(items, await findings.read_believed(gateway.db), await control.records()),
            *findings.of_writes(await control.writes()),
        ]
        ending.tales = await Teller(out.run, gateway.db, people, items, lines).tell()
        ending.unmapped = await _unmapped(gateway)
    return ending


async def _unmapped(gateway: Gateway) -> tuple[str, str] | None:
    """The first course that nobody has mapped, if this run met one."""
    names = {vendor.id: vendor.name for vendor in await gateway.vendors.all()}
    for course in await read_courses(gateway.db):
        if course.module is None:
            return names[course.vendor_id], course.course_key
    return None


async def _watch(gateway: Gateway, display: Display, sent: Sent) -> None:
    while True:
        began = time.monotonic()
        display.update(sent.count, (await balance(gateway.db)).total)
        # Counting a long table must not become the main work.
        await asyncio.sleep(max(LOOK_S, 5 * (time.monotonic() - began)))


async def _first_delivered(gateway: Gateway, enough: int) -> None:
    """Returns when `enough` are delivered, or all is settled: an outage comes in the middle of work."""
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE_S):
            while (total := (await balance(gateway.db)).total).in_flight:
                if total.states["delivered"] >= enough:
                    return
                await asyncio.sleep(LOOK_S / 10)


async def _settled(gateway: Gateway) -> None:
    """Returns when nothing is in flight, or when nothing has moved for a long time."""
    states: dict[str, int] = {}
    moved = time.monotonic()
    while True:
        began = time.monotonic()
        total = (await balance(gateway.db)).total
        if total.states != states:
            states, moved = dict(total.states), began
        if not total.in_flight or began - moved > PATIENCE_S:
            return
        await asyncio.sleep(max(LOOK_S, 5 * (time.monotonic() - began)))
