"""Reads the catalogue's data files: modules.toml and materials_annex01.csv -> Catalogue."""

import csv
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from gateway.bdtx.catalogue import Catalogue, Family, Module, normalise
from gateway.bdtx.recognition import BOUNDARIES
from gateway.model.errors import ConfigError

DATA = Path(__file__).parent / "data"
LEVELS = {"Mầm non": "MN", "Tiểu học": "TH"}  # the annex writes some levels out and abbreviates others
AUDIENCES = frozenset({"GV", "CBQL", "GVCC", "CBQLCC"})

Rows = dict[int, dict[str, str]]


def read(folder: Path = DATA) -> Catalogue:
    """The catalogue in `folder`. Raises: ConfigError naming the entry that is damaged."""
    with (folder / "materials_annex01.csv").open(encoding="utf-8", newline="") as file:
        annex = {int(row["no"]): row for row in csv.DictReader(file)}
    try:
        return build(tomllib.loads((folder / "modules.toml").read_text("utf-8")), annex)
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"catalogue of modules in {folder.name}/modules.toml: {error}") from error


def build(data: dict[str, Any], annex: Rows) -> Catalogue:
    """Families, then the annex (which goes before a family where both name a module), then later changes."""
    modules: dict[str, Module] = {}
    families: dict[str, Family] = {}
    for entry in data["family"]:
        pattern = _pattern(entry, data["defaults"])
        if "seen" in entry:
            families[entry["prefix"]] = Family(
                entry["first"], entry["last"], replace(pattern, confirmed=False, named=False)
            )
        numbers = entry.get("seen", range(entry["first"], entry["last"] + 1))
        for module in _members(pattern, entry["prefix"], numbers, entry.get("titles", {})):
            modules[module.code] = module
    for entry in data["material"]:
        for module in _materials(entry, annex[entry["row"]], data["defaults"], modules):
            modules[module.code] = module
    versions = list(modules.values())
    for entry in data.get("change", ()):
        code = entry.pop("code")
        before = max(
            (module for module in versions if module.code == code), key=lambda module: module.effective_from
        )
        versions.append(replace(before, **entry))
    for module in versions:
        _check(module)
    return Catalogue(data["version"], versions, families)


def _pattern(entry: dict[str, Any], defaults: dict[str, Any]) -> Module:
    return Module(
        code=entry["prefix"],
        title=entry["title"],
        programme=entry["programme"],
        audience=tuple(entry["audience"]),
        levels=tuple(entry["levels"]),
        periods=entry["periods"],
        **defaults,
    )


def _members(pattern: Module, prefix: str, numbers: Any, titles: dict[str, str]) -> Iterator[Module]:
    for number in numbers:
        code = f"{prefix}{number:02d}"
        title = titles.get(str(number))
        yield replace(pattern, code=code, title=title or pattern.title.format(code=code), named=bool(title))


def _materials(
    entry: dict[str, Any], row: dict[str, str], defaults: dict[str, Any], known: dict[str, Module]
) -> Iterator[Module]:
    """One row of the annex: its audience and levels hold, programme and periods come from the family if any."""
    for number, code in enumerate(entry["codes"], start=1):
        stated = entry.get("title", row["title"])
        prefix, _, title = stated.partition(": ")
        family = known.get(code)
        yield Module(
            code=code,
            title=title if title and normalise(prefix) == code else stated.format(number=number),
            programme=family.programme if family else None,
            audience=_split(row["audience"]),
            levels=tuple(LEVELS.get(level, level) for level in _split(row["levels"])),
            periods=family.periods if family else None,
            named="{number}" not in stated,
            annex_row=entry["row"],
            **defaults,
        )


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(","))


def _check(module: Module) -> None:
    faults = [
        ("code", normalise(module.code) == module.code),
        ("boundary", module.boundary in BOUNDARIES),
        ("pass_mark_hundredths", 0 <= module.pass_mark_hundredths <= 1000),
        ("audience", set(module.audience) <= AUDIENCES),
        ("effective_from", isinstance(module.effective_from, date)),
    ]
    for name, is_right in faults:
        if not is_right:
            raise ValueError(f"{module.code}: {name} is not a value the catalogue knows")
