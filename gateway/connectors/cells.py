"""A row of a table -> the vendor's own JSON item: headings are the paths of its fields, cells their texts.

Only what the wire model wants as a number or as true or false is turned into one; all else stays text, so
that no code loses its zeros. Source: contracts/vendors/README.md, "Files".
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel

_WHOLE = re.compile(r"-?(?:0|[1-9]\d{0,17})")
_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,14})(?:\.\d{1,15})?")
_TRUTH = {"true": True, "false": False}


class Cell(NamedTuple):
    """A field that a column may hold."""

    kinds: frozenset[str]  # JSON types the wire model takes
    is_required: bool


def columns(model: type[BaseModel]) -> dict[str, Cell]:
    """Every field by its dotted path ("user.fullName"), in the order of the model."""
    document = model.model_json_schema(by_alias=True)
    return dict(_fields(document, document.get("$defs", {}), "", True))


def headings(cells: Mapping[str, Cell]) -> dict[str, tuple[str, ...]]:
    """The headings of each column: its path, and its last name where no other column has it."""
    leaves = [path.rpartition(".")[2] for path in cells]
    return {
        path: (path, leaf) if leaf != path and leaves.count(leaf) == 1 else (path,)
        for path, leaf in zip(cells, leaves, strict=True)
    }


def item_of(row: Mapping[str, str], cells: Mapping[str, Cell]) -> dict[str, Any]:
    """One item. An empty cell is a field that was not sent."""
    item: dict[str, Any] = {}
    for path, cell in cells.items():
        text = row.get(path, "")
        if text:
            *parents, name = path.split(".")
            place = item
            for parent in parents:
                place = place.setdefault(parent, {})
            place[name] = _value(text, cell.kinds)
    return item


def _value(text: str, kinds: frozenset[str]) -> object:
    if "boolean" in kinds and text.casefold() in _TRUTH:
        return _TRUTH[text.casefold()]
    if "integer" in kinds and _WHOLE.fullmatch(text):
        return int(text)
    if "number" in kinds and _NUMBER.fullmatch(text):
        return float(text) if "." in text else int(text)
    return text


def _fields(
    schema: Mapping[str, Any], defs: Mapping[str, Any], above: str, is_required: bool
) -> Iterator[tuple[str, Cell]]:
    for name, found in schema.get("properties", {}).items():
        path = f"{above}{name}"
        needed = is_required and name in schema.get("required", ())
        inner = _object(found, defs)
        if inner is not None:
            yield from _fields(inner, defs, f"{path}.", needed)
        else:
            yield path, Cell(_kinds(found), needed)


def _object(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> Mapping[str, Any] | None:
    for one in (schema, *schema.get("anyOf", ()), *schema.get("allOf", ())):
        if "$ref" in one:
            found: Mapping[str, Any] = defs[one["$ref"].rpartition("/")[2]]
            return found
    return None


def _kinds(schema: Mapping[str, Any]) -> frozenset[str]:
    kinds = schema.get("type", "string")
    return frozenset([kinds] if isinstance(kinds, str) else kinds)
