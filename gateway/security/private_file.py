"""Small files that only their owner may read: created once, replaced whole, read with their mode checked."""

import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.model.errors import ConfigError


def create(path: Path, content: bytes) -> None:
    """Write a new file, whole or not at all, mode 0600, in a folder made when missing (0700).

    Raises: ConfigError when it exists or cannot be written.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        staged = _stage(path, content)
        try:
            os.link(staged, path)  # unlike rename, a link never replaces what is there
        finally:
            os.unlink(staged)
        _sync_folder(path)
    except OSError as error:
        if path.exists():
            raise ConfigError(f"{path} exists already and is never overwritten") from None
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from None


def replace(path: Path, content: bytes) -> None:
    """Put new content in the place of the old in one step. Raises: ConfigError when it cannot be written."""
    try:
        os.replace(_stage(path, content), path)
        _sync_folder(path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from None


def read(path: Path) -> bytes:
    """The content. Raises: FileNotFoundError; ConfigError when others than the owner may read or write it."""
    try:
        with path.open("rb") as file:
            facts = os.fstat(file.fileno())  # of the file that is open: the path may point elsewhere by now
            if not stat.S_ISREG(facts.st_mode):
                raise ConfigError(f"{path} is not a plain file")
            if facts.st_mode & 0o077:
                mode = stat.S_IMODE(facts.st_mode)
                raise ConfigError(f"{path} has mode {mode:04o}, expected 0600 or 0400: run `chmod 600 {path}`")
            return file.read()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One process at a time reads and replaces this file while the block runs. Raises: ConfigError."""
    try:
        folder = os.open(path.parent, os.O_RDONLY)  # the file itself is replaced, and a lock on it with it
    except OSError as error:
        raise ConfigError(f"{path.parent} cannot be opened: {error.strerror}") from None
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _stage(path: Path, content: bytes) -> str:
    """Write a temporary neighbour (mkstemp: O_EXCL, mode 0600) and force it to disk."""
    handle, staged = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        os.unlink(staged)
        raise
    return staged


def _sync_folder(path: Path) -> None:
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
