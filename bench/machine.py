"""What a figure was measured on: machine, commit, how long an fsync takes, who else used the processors."""

import os
import platform
import sqlite3
import subprocess
import time
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).parent.parent
_SYNCS = 40


def machine(folder: Path) -> dict[str, Any]:
    """Facts of this machine; `folder` is where the databases will lie."""
    return {
        "cores": os.cpu_count(),
        "cpu": _first("/proc/cpuinfo", "model name"),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "storage": _filesystem(folder),
        "fsync_ms": round(fsync_ms(folder), 3),
    }


def commit() -> tuple[str, bool]:
    """The commit that was measured, and whether the code differed from it; `unknown` outside a repository."""
    try:
        head = _git("rev-parse", "--short", "HEAD")
        return head, bool(_git("status", "--porcelain", "--", "gateway", "bench"))
    except (OSError, subprocess.CalledProcessError):
        return "unknown", False


def fsync_ms(folder: Path) -> float:
    """Median of writing 4 KiB and making it durable."""
    path = folder / "fsync"
    took = []
    with path.open("wb", buffering=0) as file:
        for _ in range(_SYNCS):
            started = time.perf_counter()
            file.write(b"\0" * 4096)
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - started)
    path.unlink()
    return median(took) * 1000


class Others:
    """Processor time of other programs meanwhile: what this process and its ended children did not use."""

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self._busy, self._own = _busy_s(), _own_s()

    def cores(self) -> float:
        """How many cores the others kept busy on average since the start."""
        others_s = (_busy_s() - self._busy) - (_own_s() - self._own)
        return max(0.0, others_s / (time.perf_counter() - self._started))


def _busy_s() -> float:
    """Of the whole machine, since it started. Source: proc(5), /proc/stat."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, _words("/proc/stat")[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def _own_s() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _words(path: str) -> list[str]:
    return Path(path).read_text("utf-8").partition("\n")[0].split()


def _first(path: str, name: str) -> str:
    lines = Path(path).read_text("utf-8").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "unknown")


def _filesystem(folder: Path) -> str:
    """Type of the file system; on `tmpfs` an fsync costs nothing and the figures mean little."""
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text("utf-8").splitlines()]
    own = [(where, kind) for where, kind in mounts if folder.resolve().is_relative_to(where)]
    return max(own, key=lambda mount: len(mount[0]))[1] if own else "unknown"


def _git(*arguments: str) -> str:
    run = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return run.stdout.strip()
