"""An outside system that is paused or does not answer: since when, and that nothing is lost."""

from collections.abc import Sequence

from gateway.console import formats
from gateway.console.page import Said, Visit
from gateway.outbound.breaker import BreakerState
from gateway.outbound.destinations import TOLD, Standing, contact, read_standings

KEPT_S = 5.0


async def banner(visit: Visit) -> Sequence[Said]:
    """A sentence for each that does not take what waits; operators read who paused it, and why."""
    standings = await visit.kept("standings", KEPT_S, lambda: read_standings(visit.parts.db))
    return [said for one in standings.values() if (said := _said(visit, one)) is not None]


def _said(visit: Visit, one: Standing) -> Said | None:
    fill = {"name": TOLD[one.name][visit.lang]}
    if one.paused_at_ms is not None:
        fill["since"] = formats.moment(one.paused_at_ms, visit.lang)
        if visit.may("queue.operate"):
            why = {"by": one.paused_by or "–", "reason": one.paused_reason or "–"}
            return Said("banners.paused_by", fill | why, "warning")
        return Said("banners.paused", fill, "warning")
    if one.state not in (BreakerState.OPEN, BreakerState.PAUSED):
        return None
    fill["since"] = formats.moment(one.since_ms, visit.lang)
    whom = contact(one.name, visit.lang)
    return Said("banners.silent_ask" if whom else "banners.silent", fill | {"contact": whom}, "warning")


BANNER = banner
