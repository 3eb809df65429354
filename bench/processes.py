"""Processes of a measurement: started until they say they are ready, watched, ended in order or killed.

Each of them says it is ready by its first line on standard output; standard error goes to a file.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import DEVNULL, PIPE

from bench.machine import ROOT

READY_S = 60.0
STOP_S = 40.0
_LINE_BYTES = 16 * 2**20


class Failed(Exception):
    """A measurement that is none: a process died, or the work was not all done."""


class Process:
    """One running process."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self.name = name
        self._process = process
        self._log = log

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.returncode is None

    async def line(self, within_s: float) -> bytes:
        """The next line of its output. Raises: Failed when it ends before, or says nothing for so long."""
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(within_s):
                line = await self._process.stdout.readline()
        except TimeoutError:
            raise Failed(f"{self.name} said nothing for {within_s:g} s\n{self.tail()}") from None
        if not line:
            raise Failed(f"{self.name} ended\n{self.tail()}")
        return line

    async def tell(self, line: bytes) -> None:
        """One line to its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + b"\n")
        await self._process.stdin.drain()

    def cpu_s(self) -> float:
        """Processor time it has used so far, its threads included. Source: proc(5), /proc/pid/stat."""
        fields = Path(f"/proc/{self.pid}/stat").read_text("utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak_mb(self) -> float:
        """The most memory it has held so far. Source: proc(5), VmHWM."""
        status = Path(f"/proc/{self.pid}/status").read_text("utf-8")
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024

    def tail(self) -> str:
        """The end of what it wrote to standard error."""
        return "\n".join(self._log.read_text("utf-8", "replace").splitlines()[-15:])

    async def kill(self) -> None:
        """As a power cut ends it: nothing is finished."""
        if self.is_alive:
            self._process.kill()
        await self._process.wait()

    async def stop(self) -> None:
        """As an operator ends it. What does not end in time is killed."""
        if self.is_alive:
            self._process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_S):
                await self._process.wait()
        except TimeoutError:
            await self.kill()


@asynccontextmanager
async def running(
    name: str, argv: list[str], env: Mapping[str, str], log: Path, *, talks: bool = False
) -> AsyncIterator[Process]:
    """`python -m ARGV` while the block runs. `talks`: it is spoken to, and its lines are the caller's to read.

    Raises: Failed with the end of its log when it does not start.
    """
    with log.open("ab") as errors:
        started = await asyncio.create_subprocess_exec(
            sys.executable, "-m", *argv,
            env=dict(env), cwd=ROOT, limit=_LINE_BYTES,
            stdin=PIPE if talks else DEVNULL, stdout=PIPE, stderr=errors,
            start_new_session=True,  # Ctrl-C reaches us, and we end it in order
        )  # fmt: skip
    process = Process(name, started, log)
    try:
        if not talks:
            await process.line(READY_S)
        yield process
    finally:
        await asyncio.shield(process.stop())
