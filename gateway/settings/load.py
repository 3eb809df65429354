"""environment -> Settings, or one error that names every fault at once."""

import difflib
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from gateway.model.errors import ConfigError
from gateway.model.texts import Lang, Texts, language
from gateway.settings.expectations import expectation, is_secret
from gateway.settings.model import Destination, Settings

PREFIX = "GATEWAY_"
TESTS = "GATEWAY_TEST_"  # what only the test suite reads
TEXTS = Path(__file__).parent / "texts"
LEASE_MARGIN_MS = 5_000

# What Kubernetes puts into every pod beside a Service that is called `gateway`.
_SERVICE_LINK = re.compile(r"GATEWAY_(SERVICE_(HOST|PORT(_\w+)?)|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)")
_SERVICE_ADDRESS = re.compile(r"(tcp|udp|sctp)://")


class Setting(NamedTuple):
    """One setting as it is found in the environment: `name` GATEWAY_TEMIS_PROXY, `path` ("temis", "proxy")."""

    name: str
    path: tuple[str, ...]
    field: FieldInfo


class Fault(NamedTuple):
    """One thing wrong. `code` is the text `fault.<code>`, filled with `fill`; no secret is in it."""

    code: str
    fill: dict[str, object]


@cache
def known() -> dict[str, Setting]:
    """Every setting by its name in the environment, in the order of the model."""
    return {setting.name: setting for setting in _walk(Settings, ())}


def _walk(model: type[BaseModel], path: tuple[str, ...]) -> Iterator[Setting]:
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _walk(field.annotation, (*path, name))
        else:
            yield Setting(PREFIX + "_".join((*path, name)).upper(), (*path, name), field)


def load(env: Mapping[str, str]) -> Settings:
    """Reads the GATEWAY_* names of `env`; an empty value counts as not set.

    Raises: ConfigError with one line for each fault, in the language of `env`.
    """
    settings, found = _read(env)
    if settings is None or found:
        raise ConfigError("\n".join(explain(found, language(env))))
    return settings


def faults(env: Mapping[str, str]) -> list[Fault]:
    """Everything that `load` would refuse."""
    return _read(env)[1]


def explain(found: list[Fault], lang: Lang) -> list[str]:
    """One sentence for each fault."""
    texts = Texts.load(TEXTS)
    lines = []
    for fault in found:
        fill = dict(fault.fill)
        if "setting" in fill:
            fill["expected"] = expectation(known()[str(fill["setting"])].field, texts, lang)
        lines.append(texts.get(f"fault.{fault.code}", lang, **fill))
    return lines


def require_destinations(settings: Settings) -> None:
    """What a worker needs beside the defaults. Raises: ConfigError naming all missing addresses."""
    _require({"GATEWAY_TOKEN_URL": settings.token_url, **_temis(settings), **_registry(settings)}, settings)


def require_temis(settings: Settings) -> None:
    """What it takes to read TEMIS back. Raises: ConfigError naming all missing addresses."""
    _require({"GATEWAY_TOKEN_URL": settings.token_url, **_temis(settings)}, settings)


def require_registry(settings: Settings) -> None:
    """What it takes to ask the sector database. Raises: ConfigError naming all missing addresses."""
    _require({"GATEWAY_TOKEN_URL": settings.token_url, **_registry(settings)}, settings)


def _temis(settings: Settings) -> dict[str, str | None]:
    return {"GATEWAY_TEMIS_URL": settings.temis.url}


def _registry(settings: Settings) -> dict[str, str | None]:
    return {"GATEWAY_REGISTRY_URL": settings.registry.url}


def _require(needed: Mapping[str, str | None], settings: Settings) -> None:
    missing = [Fault("missing", {"setting": name}) for name, value in needed.items() if value is None]
    if missing:
        raise ConfigError("\n".join(explain(missing, settings.lang)))


def _read(env: Mapping[str, str]) -> tuple[Settings | None, list[Fault]]:
    given = {
        name: value
        for name, value in env.items()
        if name.startswith(PREFIX) and not name.startswith(TESTS) and value != ""
    }
    linked = sorted(name for name, value in given.items() if _is_service_link(name, value))
    found = [Fault("kubernetes", {"names": ", ".join(linked)})] if linked else []
    found += [_unknown(name) for name in sorted(given.keys() - known().keys() - set(linked))]
    values = {name: value for name, value in given.items() if name in known() and name not in linked}
    try:
        return _finish(Settings.model_validate(_nested(values)), set(), found)
    except ValidationError as error:
        bad = {_name(detail["loc"]) for detail in error.errors(include_input=False)}
    for name in sorted(bad):
        shown = "…" if is_secret(known()[name].field) else values[name]
        found.append(Fault("invalid", {"setting": name, "found": shown}))
    # The rest is read without them, so that what is wrong between settings is told in the same breath.
    rest = {name: value for name, value in values.items() if name not in bad}
    return _finish(Settings.model_validate(_nested(rest)), bad, found)


def _finish(settings: Settings, bad: set[str], found: list[Fault]) -> tuple[Settings, list[Fault]]:
    return settings, found + [fault for names, fault in _between(settings) if not names & bad]


def _between(settings: Settings) -> Iterator[tuple[set[str], Fault]]:
    """What single values cannot show, each with the names it rests on."""
    if settings.keys_file.resolve().is_relative_to(settings.data_dir.resolve()):
        yield {"GATEWAY_KEYS_FILE", "GATEWAY_DATA_DIR"}, Fault("keys_inside_data", {})
    longest_ms = int(max(settings.temis.timeout_s, settings.registry.timeout_s) * 1_000)
    if settings.lease_ms < longest_ms + LEASE_MARGIN_MS:
        fill: dict[str, object] = {"minimum": longest_ms + LEASE_MARGIN_MS, "found": settings.lease_ms}
        yield (
            {"GATEWAY_LEASE_MS", "GATEWAY_TEMIS_TIMEOUT_S", "GATEWAY_REGISTRY_TIMEOUT_S"},
            Fault("lease_short", fill),
        )
    destinations: dict[str, Destination] = {"TEMIS": settings.temis, "REGISTRY": settings.registry}
    for name, destination in destinations.items():
        cert, key = f"{PREFIX}{name}_CLIENT_CERT", f"{PREFIX}{name}_CLIENT_KEY"
        if (destination.client_cert is None) != (destination.client_key is None):
            yield {cert, key}, Fault("pair", {"cert": cert, "key": key})


def _unknown(name: str) -> Fault:
    # Compared without the prefix, or everything would look alike.
    bare = {setting.removeprefix(PREFIX): setting for setting in known()}
    near = difflib.get_close_matches(name.removeprefix(PREFIX), bare, n=1)
    return (
        Fault("unknown_near", {"name": name, "near": bare[near[0]]})
        if near
        else Fault("unknown", {"name": name})
    )


def _is_service_link(name: str, value: str) -> bool:
    return bool(_SERVICE_LINK.fullmatch(name) or (name == "GATEWAY_PORT" and _SERVICE_ADDRESS.match(value)))


def _nested(values: Mapping[str, str]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for name, value in values.items():
        place = nested
        *folders, last = known()[name].path
        for folder in folders:
            place = place.setdefault(folder, {})
        place[last] = value
    return nested


def _name(loc: tuple[int | str, ...]) -> str:
    """The environment name of a pydantic location; positions inside a list are left out."""
    return PREFIX + "_".join(part for part in loc if isinstance(part, str)).upper()
