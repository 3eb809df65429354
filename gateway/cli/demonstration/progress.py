"""The live display: how much was sent and where everything is; plain lines where there is no terminal."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.text import Text

from gateway.cli.output import Output, console
from gateway.model.reasons import STATES
from gateway.queue.balance import Sheet

SHOWN = ("accepted", "verified", "delivered", "held", "voided", "dead")
EVERY_S = 2.0  # between two lines in a pipe


class Display:
    """What is shown while the demonstration runs."""

    def __init__(self, out: Output, total: int) -> None:
        self._out = out
        self._bars = Progress(
            TextColumn("{task.description}"), BarColumn(bar_width=40), TextColumn("{task.completed:>7}")
        )
        self._sent = self._bars.add_task(out.run.text("demo.sent"), total=total)
        self._states: dict[str, TaskID] = {
            state: self._bars.add_task("  " + STATES[state][out.run.lang], total=total) for state in SHOWN
        }
        self._news = Text()
        self._is_live = sys.stdout.isatty() and not out.json
        self._said_at = time.monotonic()

    @contextmanager
    def shown(self) -> Iterator[None]:
        """On a terminal the bars move while the block runs."""
        if not self._is_live:
            yield
            return
        with Live(Group(self._bars, self._news), console=console(), refresh_per_second=10):
            yield

    def say(self, key: str, **fill: object) -> None:
        """News: below the bars, or a line of its own."""
        if self._is_live:
            self._news.plain = self._out.run.text(key, **fill)
        else:
            self._out.say(key, **fill)

    def update(self, sent: int, sheet: Sheet) -> None:
        """The figures of this moment."""
        self._bars.update(self._sent, completed=sent)
        for state, task in self._states.items():
            self._bars.update(task, completed=sheet.states[state])
        if not self._is_live and time.monotonic() - self._said_at >= EVERY_S:
            self._said_at = time.monotonic()
            self._out.say("demo.figures", sent=sent, **sheet.states)
