"""One installation made for one measurement: keys, an empty database, a vendor, addresses; gone afterwards."""

import asyncio
import os
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.completions import VENDOR, people_for, roster
from gateway.app import open_gateway
from gateway.queue.vendors import add_vendor
from gateway.sandbox.roster import write_roster
from gateway.security.keys import KeyRing
from gateway.settings import Settings, load
from gateway.storage.engine import open_database
from gateway.storage.schema import migrate

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Place:
    """Where everything of one measurement lies. `secret` signs the vendor's requests."""

    folder: Path
    port: int
    sandbox_port: int
    secret: str

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def sandbox(self) -> str:
        return f"http://{HOST}:{self.sandbox_port}"

    @property
    def roster(self) -> Path:
        return self.folder / "roster.csv"

    @property
    def database(self) -> Path:
        return self.folder / "data" / "gateway.db"

    def environment(self) -> dict[str, str]:
        """For our processes: this place's settings, and of the rest only what a program needs to run."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
        return kept | _settings(self.folder, self.port, self.sandbox_port)

    def settings(self) -> Settings:
        return load(self.environment())

    def size_bytes(self) -> int:
        """Of the database with its log."""
        return sum(file.stat().st_size for file in self.database.parent.glob(f"{self.database.name}*"))


@asynccontextmanager
async def a_place(total: int) -> AsyncIterator[Place]:
    """A place whose sector database knows the people of `total` completions. The folder is removed at the end.

    It lies in the folder for temporary files (TMPDIR), which must be on the disk to be measured.
    """
    folder = Path(tempfile.mkdtemp(prefix="gateway-bench-"))
    try:
        port, sandbox_port = free_ports(2)
        (folder / "data").mkdir(mode=0o700)
        await asyncio.to_thread(write_roster, folder / "roster.csv", roster(people_for(total)))
        settings = load(_settings(folder, port, sandbox_port))
        KeyRing.generate(settings.keys_file)
        db = open_database(settings.database)
        await migrate(db)
        await db.close()
        async with open_gateway(settings) as gateway:
            secret = await add_vendor(gateway.db, gateway.vault, gateway.clock, VENDOR, VENDOR)
        yield Place(folder, port, sandbox_port, secret)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _settings(folder: Path, port: int, sandbox_port: int) -> dict[str, str]:
    """Defaults, but for the addresses and the rate limits: those would be what is measured."""
    sandbox = f"http://{HOST}:{sandbox_port}"
    return {
        "GATEWAY_DATA_DIR": str(folder / "data"),
        "GATEWAY_KEYS_FILE": str(folder / "keys.json"),
        "GATEWAY_HOST": HOST,
        "GATEWAY_PORT": str(port),
        "GATEWAY_TOKEN_URL": f"{sandbox}/oauth/token",
        "GATEWAY_TEMIS_URL": f"{sandbox}/temis",
        "GATEWAY_REGISTRY_URL": f"{sandbox}/registry",
        "GATEWAY_TEMIS_RATE_PER_S": "100000",
        "GATEWAY_REGISTRY_RATE_PER_S": "100000",
    }


def free_ports(count: int) -> list[int]:
    """Ports of the loopback interface that nobody listens on now."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind((HOST, 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()
