"""The modules of this release: a code as somebody wrote it -> one module as it stood on a day.

Source: data/modules.toml and data/materials_annex01.csv (facts, and which of them are assumed).
"""

from datetime import date
from functools import lru_cache

from gateway.bdtx.catalogue import Catalogue, Module, normalise
from gateway.bdtx.catalogue_file import read

__all__ = ["Catalogue", "Module", "catalogue", "find", "normalise"]


@lru_cache(maxsize=1)
def catalogue() -> Catalogue:
    """The catalogue that comes with this release, read once. Raises: ConfigError naming the damaged entry."""
    return read()


@lru_cache(maxsize=4_096)
def find(code: str, on: date | None = None) -> Module | None:
    """The module written as `code` in any spelling, on the day `on` (None: its latest version), or None."""
    return catalogue().find(code, on)
