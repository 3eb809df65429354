"""List APIs of vendors that cannot send: how a page is asked for and what it says. Pure, one vendor per file.

A round reads everything changed since a moment, page by page; the first page says up to when it is complete.
Source: contracts/vendors/<name>/README.md, "List API" (ASSUMED).
"""

from collections.abc import Mapping
from typing import NamedTuple, Protocol, cast, runtime_checkable

from gateway.model.discovery import discover as find


class ListPage(NamedTuple):
    """One page. `until_ms`: everything changed before it is in this round; `token` None: the last page."""

    items: tuple[bytes, ...]  # exactly as they stand in the page
    token: str | None
    until_ms: int


@runtime_checkable
class ListApi(Protocol):
    """What a vendor's file promises."""

    def asked(self, since_ms: int, token: str | None, limit: int) -> tuple[str, Mapping[str, str | int]]:
        """Path below the vendor's address, and the query. No personal value stands in it."""
        ...

    def read(self, body: bytes) -> ListPage:
        """Raises: ValueError when it is no such page."""
        ...


def discover() -> dict[str, ListApi]:
    """Every list API by its connector's name. Raises: ConfigError when a file is broken."""
    return {name: cast(ListApi, found) for name, found in find(__name__, "LIST_API").items()}
