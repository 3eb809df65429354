"""Checks of this machine: library, disk, keys file."""

import shutil
import sqlite3
from pathlib import Path

from gateway.cli.diagnosis import Check, fault
from gateway.model.errors import GatewayError
from gateway.security.keys import KeyRing
from gateway.settings import Settings
from gateway.storage.sqlite import has_wal_reset_bug

LEAST_FREE_BYTES = 1 << 30  # below it, a day of a province may not fit beside the WAL


def sqlite_library() -> Check:
    """Whether the linked SQLite can lose a committed write."""
    version = sqlite3.sqlite_version
    major, minor, patch = map(int, version.split("."))
    if has_wal_reset_bug((major, minor, patch)):
        return Check("sqlite", "fault", "doctor.sqlite.bug", {"version": version})
    return Check("sqlite", "ok", "doctor.sqlite.ok", {"version": version})


def lease(settings: Settings) -> Check:
    """How much longer a claim lasts than the longest call; too short a lease is a fault of the settings."""
    longest = max(settings.temis.timeout_s, settings.registry.timeout_s)
    fill: dict[str, object] = {"lease": f"{settings.lease_ms / 1000:g}", "timeout": f"{longest:g}"}
    return Check("lease", "ok", "doctor.lease.ok", fill)


def disk(folder: Path) -> Check:
    """Whether there is room to store what comes in."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return fault("disk", f"{folder}: {error.strerror}")
    fill: dict[str, object] = {"folder": folder, "free": free / (1 << 30)}
    if free < LEAST_FREE_BYTES:
        return Check("disk", "fault", "doctor.disk.full", fill | {"least": LEAST_FREE_BYTES >> 30})
    return Check("disk", "ok", "doctor.disk.ok", fill)


def keys_file(settings: Settings) -> tuple[KeyRing | None, Check]:
    """Whether the keys file is there, readable by its owner alone, and whole."""
    try:
        ring = KeyRing.load(settings.keys_file)
    except GatewayError as error:
        return None, fault("keys", error)
    fill: dict[str, object] = {"file": settings.keys_file, "master": ring.active_master.id}
    return ring, Check("keys", "ok", "doctor.keys.ok", fill)
