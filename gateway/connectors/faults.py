"""Faults of items and bodies: a stable code -> what to tell the vendor, in Vietnamese and English.

Source: faults.toml beside this file. Texts name the remedy and never quote a value.
"""

import tomllib
from importlib.resources import files

from gateway.model.errors import FieldError

MAX_ID_CHARS = 128
MAX_REVISION = 2**31 - 1  # an INTEGER column of PostgreSQL
FIRST_YEAR, END_YEAR = 2015, 2100  # TEMIS did not exist before; later is a wrong unit or clock
MAX_ITEMS = 500
MAX_DEPTH = 32
MAX_LINE_BYTES = 262_144  # of a stream

TEXTS: dict[str, dict[str, str]] = tomllib.loads(
    files("gateway.connectors").joinpath("faults.toml").read_text("utf-8")
)

_LIMITS = {
    "max_chars": MAX_ID_CHARS,
    "max_revision": MAX_REVISION,
    "first_year": FIRST_YEAR,
    "end_year": END_YEAR,
    "max_items": MAX_ITEMS,
    "max_depth": MAX_DEPTH,
    "max_line_bytes": MAX_LINE_BYTES,
}


def fault_text(code: str, lang: str, **fill: object) -> str:
    """The text of a fault. `lang` is `vi` or `en`; `fill` replaces the usual limits named in the text.

    Raises: KeyError for a code or language that faults.toml does not hold.
    """
    return TEXTS[code][lang].format_map({**_LIMITS, **fill})


def fault(path: str, code: str, **fill: object) -> FieldError:
    """One fault of the field at `path` ("$" is the item or the body), its message in English."""
    return FieldError(path, code, fault_text(code, "en", **fill))
