"""A source that may soon send no more: told to operators, and to the people of that source itself."""

from collections.abc import Sequence

from gateway.console import formats
from gateway.console.page import Said, Visit
from gateway.model.clock import DAY_MS, day_number

AHEAD_MS = 30 * DAY_MS


async def banner(visit: Visit) -> Sequence[Said]:
    """A sentence for each whose last day is within thirty days; sources are in memory, so nothing is read."""
    sees_all = visit.may("queue.operate")
    if not sees_all and visit.user.vendor_id is None:
        return []
    today, latest = day_number(visit.now_ms), day_number(visit.now_ms + AHEAD_MS)
    told = []
    for one in await visit.parts.vendors.all():
        last = one.terms.valid_to
        if (sees_all or one.id == visit.user.vendor_id) and last is not None and today <= last <= latest:
            fill = {"name": one.name, "day": formats.day(last, visit.lang)}
            told.append(Said("banners.source_ending", fill, "warning"))
    return told


BANNER = banner
