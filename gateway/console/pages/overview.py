"""The start page: a greeting, and the ways on from here."""

from dataclasses import dataclass

from gateway.console.navigation import links
from gateway.console.page import HOME, Page, Visit


@dataclass(frozen=True, slots=True)
class Way:
    """A page that this person may open."""

    address: str
    text: str


@dataclass(frozen=True, slots=True)
class Overview:
    """Who is here, and what for."""

    name: str
    unit: str | None
    ways: tuple[Way, ...]


async def overview(visit: Visit) -> Overview:
    ways = tuple(Way(link.address, link.text) for link in links(visit) if not link.is_current)
    return Overview(visit.user.name, visit.unit.name if visit.unit else None, ways)


PAGES = (Page(HOME, overview, name="overview", nav=10),)
