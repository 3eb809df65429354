"""What a story of the sandbox's traffic is: how often it happens, to whom, and who tells it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from gateway.sandbox.item import Item
from gateway.sandbox.roster import StaffRow

if TYPE_CHECKING:  # it tells the stories: only the types meet here
    from gateway.sandbox.traffic import Traffic

PLAIN = "plain"  # nothing odd happens

Tell = Callable[["Traffic", str], list[Item]]
Fits = Callable[[StaffRow, date], bool]  # a person, first day of the window


class NobodyLeft(ValueError):
    """No person is left who can tell a story; a plain completion takes its place."""


@dataclass(frozen=True, slots=True)
class Story:
    """One kind of oddity. `fits` set: it belongs to a person and all they send; None: to single completions."""

    share: float  # of all items
    tell: Tell
    items: int = 1
    fits: Fits | None = None
    works: bool = True  # whether it is told by people at work
