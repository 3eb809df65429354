"""The start page: where one's own people stand, what needs work, and the ways on from here."""

from dataclasses import dataclass

from gateway.console.navigation import links
from gateway.console.page import HOME, Page, Visit
from gateway.console.pages.progress import Told, told
from gateway.stages.cases.sight import Sight


@dataclass(frozen=True, slots=True)
class Way:
    """A page that this person may open."""

    address: str
    text: str


@dataclass(frozen=True, slots=True)
class Overview:
    """Who is here, how far the unit is, what can be done. `progress` None: not for this role."""

    name: str
    unit: str | None
    progress: Told | None
    ways: tuple[Way, ...]


async def overview(visit: Visit) -> Overview:
    ways = tuple(Way(link.address, link.text) for link in links(visit) if link.current != "page")
    found = None
    if visit.may("progress.see"):
        found = await visit.parts.progresses.of(Sight(await visit.units(), visit.viewer, visit.today()))
    unit = visit.unit.name if visit.unit else None
    return Overview(visit.user.name, unit, told(visit, found) if found else None, ways)


PAGES = (Page(HOME, overview, name="overview", nav=10),)
