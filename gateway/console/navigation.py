"""Pages found -> the links that this person may follow."""

from dataclasses import dataclass
from functools import cache
from typing import cast

from gateway.console.page import Act, Page, Stage, Visit
from gateway.model.discovery import discover


@dataclass(frozen=True, slots=True)
class Link:
    """One link of the navigation."""

    address: str
    text: str
    current: str  # for aria-current: "page", "true" for a page below it, or nothing


@cache
def pages() -> tuple[Page | Act, ...]:
    """Every page and act of gateway/console/pages/, by file name. Raises: ConfigError when a file is broken."""
    found = discover("gateway.console.pages", "PAGES").values()
    return tuple(one for several in found for one in cast("tuple[Page | Act, ...]", several))


def links(visit: Visit) -> list[Link]:
    """What stands in the navigation, in its order; nothing before somebody is in."""
    if visit.signed is None or not visit.signed.is_in:
        return []
    here = section_of(visit.page.name)
    return [
        Link(page.path, visit.t(f"{page.name}.nav"), _current(page.name, visit.page.name, here))
        for page in _in_navigation()
        if page.stage is Stage.IN and (page.may is None or visit.may(page.may))
    ]


def _current(name: str, shown: str, section: str | None) -> str:
    if name == shown:
        return "page"
    return "true" if name == section else ""


@cache
def _in_navigation() -> tuple[Page, ...]:
    found = [page for page in pages() if isinstance(page, Page) and page.nav is not None]
    return tuple(sorted(found, key=lambda page: page.nav or 0))


@cache
def section_of(name: str) -> str | None:
    """The page of the navigation that a page belongs to: as it says itself, or the nearest above its path."""
    page = next((one for one in pages() if isinstance(one, Page) and one.name == name), None)
    if page is None or page.under:
        return page.under if page else None
    above = [one for one in _in_navigation() if page.path == one.path or page.path.startswith(one.path + "/")]
    above = [one for one in above if one.path != "/console" or page.path == "/console"]
    return max(above, key=lambda one: len(one.path)).name if above else None
