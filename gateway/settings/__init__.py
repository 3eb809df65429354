"""Settings: the GATEWAY_* environment as one frozen model, read once at start."""

from gateway.settings.load import explain, faults, load, require_destinations, require_registry, require_temis
from gateway.settings.model import Destination, Registry, Settings, Temis

__all__ = [
    "Destination",
    "Registry",
    "Settings",
    "Temis",
    "explain",
    "faults",
    "load",
    "require_destinations",
    "require_registry",
    "require_temis",
]
