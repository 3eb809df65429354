"""An announced maintenance, a day ahead and while it lasts: when, and that nothing is lost."""

from collections.abc import Sequence

from gateway.console import formats
from gateway.console.page import Said, Visit
from gateway.model.clock import DAY_MS
from gateway.outbound.destinations import TOLD
from gateway.outbound.maintenance import windows

KEPT_S = 5.0
AHEAD_MS = DAY_MS


async def banner(visit: Visit) -> Sequence[Said]:
    """A sentence for each window; the same for everybody."""
    found = await visit.kept("maintenance", KEPT_S, lambda: windows(visit.parts.db, visit.now_ms))
    return [
        Said(
            "banners.maintenance",
            {
                "name": TOLD[window.destination][visit.lang],
                "begins": formats.moment(window.from_ms, visit.lang),
                "ends": formats.moment(window.to_ms, visit.lang),
            },
            "info",
        )
        for window in found
        if window.from_ms <= visit.now_ms + AHEAD_MS and window.to_ms > visit.now_ms
    ]


BANNER = banner
