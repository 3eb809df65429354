"""What a hold waits for, as keys that may be stored: personal values only as blind indexes."""

from collections.abc import Iterable

from gateway.model.outcomes import Wait
from gateway.security.blind import BlindIndex

PERSONAL = frozenset({"person", "account", "temis"})


def blinded(blind: BlindIndex, waits: Iterable[Wait]) -> tuple[Wait, ...]:
    """Keys of people and accounts as blind indexes in hex; courses, units and policies as they are."""
    return tuple(
        Wait(wait.kind, blind.index(f"wait.{wait.kind}", wait.key).hex()) if wait.kind in PERSONAL else wait
        for wait in waits
    )


def wake_keys(blind: BlindIndex, kind: str, value: str) -> tuple[Wait, ...]:
    """The keys under which holds may wait for `value`: several while blind keys are rotated."""
    if kind not in PERSONAL:
        return (Wait(kind, value),)
    return tuple(Wait(kind, key.hex()) for key in blind.all(f"wait.{kind}", value))
