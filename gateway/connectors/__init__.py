"""NORMALIZE: vendor bytes -> items -> completions. One vendor per file, pure, found by discover().

A new vendor is one file that defines CONNECTOR, and its folder contracts/vendors/<name>/.
Source: contracts/vendors/README.md.
"""

from typing import Protocol, runtime_checkable

from pydantic import BaseModel

from gateway.model.completion import Completion
from gateway.model.discovery import discover as find
from gateway.model.errors import ConfigError, GatewayError


class Unsupported(GatewayError):
    """An event type this connector does not read. Kept with the receipt `unsupported`, never an error."""

    code = "payload.unsupported"

    def __init__(self, event_id: str | None, revision: int | None) -> None:
        super().__init__("the event type is not read by this connector")
        self.event_id = event_id
        self.revision = revision


@runtime_checkable
class Connector(Protocol):
    """What a vendor's file promises. Everything is pure: no clock, no network, no settings."""

    name: str  # the {vendor} of URLs and rows; equals the file's name
    event_types: frozenset[str]  # those that normalize() reads; any other is Unsupported
    volatile: frozenset[str]  # dotted paths left out of the content digest: "sentAt", "hoc_vien.trang_thai"
    profile_path_vi: str  # {hồ sơ} of the reason texts: where a learner corrects the sector identifier
    profile_path_en: str
    wire_model: type[BaseModel]  # the fields read, the source of contracts/vendors/<name>/schema.json

    def normalize(self, item: dict[str, object]) -> Completion:
        """One vendor object -> one Completion.

        A missing or damaged identifier, name, birth date, school or role never makes an item invalid.
        Raises: PayloadInvalid with every bad field at once; Unsupported for other event types.
        """
        ...

    def peek(self, item: dict[str, object]) -> tuple[str | None, int | None]:
        """Event id and revision, also of an item that is invalid; None where they cannot be used."""
        ...


def discover() -> dict[str, Connector]:
    """Every connector in this folder by name. Raises: ConfigError when a file is broken or misnamed."""
    found: dict[str, Connector] = {}
    for module, member in find(__name__, "CONNECTOR").items():
        if not isinstance(member, Connector):
            raise ConfigError(f"{__name__}.{module}.CONNECTOR lacks a part of the Connector protocol")
        if member.name != module:
            raise ConfigError(f"{__name__}.{module}.CONNECTOR is named {member.name}; expected {module}")
        found[member.name] = member
    return found
