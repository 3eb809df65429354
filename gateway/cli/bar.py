"""A progress bar on a terminal, a line now and then in a pipe, nothing under --json. Always on stderr."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.cli.output import Output, console

EVERY_S = 5.0  # between two lines in a pipe


class Bar:
    """Progress of one command. `at` may be called as often as one likes."""

    def __init__(self, out: Output, key: str) -> None:
        self._out = out
        self._key = key
        self._said_at = time.monotonic()
        self._advance = self._say

    def at(self, done: int, total: int | None, note: str = "") -> None:
        """`done` of `total`; `note` stands behind the bar."""
        self._advance(done, total, note)

    @contextmanager
    def shown(self) -> "Iterator[Bar]":
        """While the block runs, the bar is there."""
        if self._out.json:
            self._advance = lambda done, total, note: None
            yield self
            return
        if not sys.stderr.isatty():
            yield self
            return
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(bar_width=40), MofNCompleteColumn())
        bars = Progress(
            *columns, TimeRemainingColumn(), TextColumn("{task.fields[note]}"), console=console(sys.stderr)
        )
        task = bars.add_task(self._out.run.text(self._key), total=None, note="")

        def move(done: int, total: int | None, note: str) -> None:
            bars.update(task, completed=done, total=total, note=note)

        self._advance = move
        with bars:
            yield self

    def _say(self, done: int, total: int | None, note: str) -> None:
        if time.monotonic() - self._said_at >= EVERY_S:
            self._said_at = time.monotonic()
            sys.stderr.write(f"{self._out.run.text(self._key)} {done}/{total or '?'} {note}".rstrip() + "\n")
