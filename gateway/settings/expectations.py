"""What a setting takes, in words: `whole number from 1 to 65535`. Both the faults and the docs say it so."""

from typing import Any, get_args

from annotated_types import Ge, Gt, Le
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from gateway.model.texts import Lang, Texts
from gateway.settings.kinds import Kind


def is_secret(field: FieldInfo) -> bool:
    """Whether the value must never be shown."""
    return SecretStr in _parts(field.annotation)


def expectation(field: FieldInfo, texts: Texts, lang: Lang) -> str:
    """One phrase: kind and range."""
    parts = _parts(field.annotation)
    kind = next((p.name for p in (*field.metadata, *parts) if isinstance(p, Kind)), None)
    if kind is not None:
        return texts.get(f"expect.{kind}", lang)
    if bool in parts:
        return texts.get("expect.flag", lang)
    for number, name in ((int, "whole"), (float, "number")):
        if number in parts:
            low, above, high = (_bound(field, bound) for bound in (Ge, Gt, Le))
            if above is not None:
                return texts.get(f"expect.{name}_above", lang, low=above, high=high)
            return texts.get(f"expect.{name}", lang, low=low, high=high)
    choices = [part for part in parts if isinstance(part, str)]
    if choices:
        return texts.get("expect.choice", lang, choices=", ".join(choices))
    return texts.get("expect.text", lang)


def _bound(field: FieldInfo, bound: type[Any]) -> Any:
    """The number of one limit (`Ge(ge=1)` -> 1), or None."""
    found = next((limit for limit in field.metadata if isinstance(limit, bound)), None)
    return None if found is None else getattr(found, bound.__name__.lower())


def _parts(annotation: Any) -> list[Any]:
    """A type and everything it is made of: `Literal["vi", "en"] | None` -> [..., "vi", "en", NoneType]."""
    parts = [annotation]
    for argument in get_args(annotation):
        parts += _parts(argument)
    return parts
