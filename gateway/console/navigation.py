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
    is_current: bool


@cache
def pages() -> tuple[Page | Act, ...]:
    """Every page and act of gateway/console/pages/, by file name. Raises: ConfigError when a file is broken."""
    found = discover("gateway.console.pages", "PAGES").values()
    return tuple(one for several in found for one in cast("tuple[Page | Act, ...]", several))


def links(visit: Visit) -> list[Link]:
    """What stands in the navigation, in its order; nothing before somebody is in."""
    if visit.signed is None or not visit.signed.is_in:
        return []
    shown = [page for page in pages() if isinstance(page, Page) and page.nav is not None]
    return [
        Link(page.path, visit.t(f"{page.name}.nav"), page.name == visit.page.name)
        for page in sorted(shown, key=lambda page: page.nav or 0)
        if page.stage is Stage.IN and (page.may is None or visit.may(page.may))
    ]
