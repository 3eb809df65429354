"""Many rows as one JSON parameter: the one piece of SQL that differs between the engines.

`FROM {json_rows(...)}` reads `:rows`, a JSON array of arrays, as a table. One statement for any number of
rows costs a few microseconds a row on both engines, and needs no temporary table.
"""

import functools
from collections.abc import Iterable, Sequence
from typing import Literal, cast

import orjson

Kind = Literal["int", "text", "blob"]
Cell = int | str | bytes | None


def pack(rows: Iterable[Sequence[Cell]]) -> str:
    """Rows -> the JSON text of `:rows`. Bytes travel as hex."""
    return orjson.dumps(list(rows), default=_plain).decode()


def _plain(value: object) -> object:
    """What orjson does not take by itself: bytes, and rows that are named tuples."""
    return value.hex() if isinstance(value, bytes) else tuple(cast("tuple[Cell, ...]", value))


@functools.cache
def json_rows(dialect: str, columns: tuple[tuple[str, Kind], ...], parameter: str = "rows") -> str:
    """A derived table named `x` with `columns` in the order of the packed cells."""
    if dialect == "postgresql":
        casts = {
            "int": "CAST(value->>{i} AS bigint)",
            "text": "value->>{i}",
            "blob": "decode(value->>{i},'hex')",
        }
        source = f"jsonb_array_elements(CAST(:{parameter} AS jsonb))"
    else:
        casts = {"int": "value->>{i}", "text": "value->>{i}", "blob": "unhex(value->>{i})"}
        source = f"json_each(:{parameter})"
    cells = ", ".join(f"{casts[kind].format(i=i)} AS {name}" for i, (name, kind) in enumerate(columns))
    return f"(SELECT {cells} FROM {source}) AS x"
