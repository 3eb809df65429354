"""People on a real database, asked of the sandbox's sector database over HTTP; the clock stands still."""

import pytest

from gateway.identity.people import Bounds, People
from gateway.identity.snapshots import Snapshots
from gateway.observe.metrics import Metrics
from gateway.sandbox.roster import StaffRow
from gateway.security.blind import BlindIndex
from gateway.security.keys import Key, KeyRing
from gateway.security.vault import Vault
from gateway.storage.data_keys import ensure_data_keys
from tests.sandboxed import sandboxed

RING = KeyRing(
    masters=(Key("m1", b"m" * 32, "2026-01-01"),),
    blinds=(Key(1, b"b" * 32, "2026-01-01"),),
    digest=Key("d1", b"d" * 32, "2026-01-01"),
)
ROSTER = [StaffRow(f"31000000{n:02d}", f"Nguyễn Thị Hòa {n}", "1985-03-07") for n in range(20)]


class Desk:
    """A database, the sandbox, and as many processes' People as a test wants."""

    def __init__(self, db, clock, vault, box) -> None:
        self.db = db
        self.clock = clock
        self.vault = vault
        self.box = box
        self.blind = BlindIndex(RING)
        self.metrics = Metrics()

    def people(self, **bounds_and_memory) -> People:
        """What one process knows: its own memory over the shared table."""
        memory = bounds_and_memory.pop("memory", 50_000)
        snapshots = Snapshots(self.db, self.vault, self.blind)
        return People(
            snapshots,
            self.clock,
            self.box.registry,
            Bounds(**bounds_and_memory),
            self.metrics.lookups,
            memory=memory,
        )

    async def asked(self) -> int:
        """How many identifiers the sector database was asked for so far."""
        return (await self.box.stats())["registry"]["asked"].get("identifiers", 0)

    async def change(self, sector_id: str, /, **columns: str) -> None:
        """Corrects a person's file in the sector database."""
        path = f"/_control/registry/staff/{sector_id}"
        (await self.box.control.patch(path, json=columns)).raise_for_status()

    def looked_up(self, source: str) -> float:
        """gateway_lookups_total of one source."""
        return self.metrics.registry.get_sample_value("gateway_lookups_total", {"source": source}) or 0


@pytest.fixture
async def desk(db, clock):
    vault = Vault(RING)
    await ensure_data_keys(db, vault, clock)
    async with sandboxed(ROSTER, clock=clock) as box:
        yield Desk(db, clock, vault, box)
