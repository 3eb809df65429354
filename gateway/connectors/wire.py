"""One vendor item -> its wire model, or every bad field at once.

Fields a model does not name are ignored, so a vendor may add to what it sends.
"""

from collections.abc import Callable
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from gateway.connectors.faults import TEXTS, fault
from gateway.model.errors import PayloadInvalid

M = TypeVar("M", bound=BaseModel)

# pydantic's own error types -> our codes; what fields.py raises carries our code already.
_CODES = {
    "missing": "field.missing",
    "model_type": "field.not_object",
    "model_attributes_type": "field.not_object",
}


class Wire(BaseModel):
    """Base of wire models: fields we do not read are ignored."""

    model_config = ConfigDict(extra="ignore")


def read(model: type[M], item: dict[str, object], event_id: Callable[[], str | None]) -> M:
    """One item -> its wire model. Raises: PayloadInvalid with every bad field at once."""
    try:
        return model.model_validate(item)
    except ValidationError as error:
        # Not chained: pydantic's text quotes values.
        found = error.errors(include_url=False, include_context=False, include_input=False)
    faults = []
    for one in found:
        code = _CODES.get(one["type"], one["type"])
        faults.append(fault(_path(one["loc"]), code if code in TEXTS else "field.malformed"))
    raise PayloadInvalid(faults, event_id())


def _path(loc: tuple[int | str, ...]) -> str:
    return "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)
