"""A fair lock between processes that write one SQLite file.

SQLite's own busy polling is unfair: a busy worker starved the web process's commits for seconds. Two file
locks make a queue of it: take `next`, take `main`, release `next`; whoever waits holds `next` and is served
when `main` is freed. Locks of a killed process are released by the kernel.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Turnstile:
    """Two lock files beside the database. One instance per process, used by its one writing thread."""

    def __init__(self, database: Path) -> None:
        self._next = os.open(f"{database}-next.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._main = os.open(f"{database}-main.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Waits for the write turn and holds it."""
        fcntl.flock(self._next, fcntl.LOCK_EX)
        try:
            fcntl.flock(self._main, fcntl.LOCK_EX)
        finally:
            fcntl.flock(self._next, fcntl.LOCK_UN)
        try:
            yield
        finally:
            fcntl.flock(self._main, fcntl.LOCK_UN)

    def close(self) -> None:
        os.close(self._next)
        os.close(self._main)
