"""The balance: what came in, by the ledger, against what is there, by the rows. It can fail.

Counting rows by state alone always adds up; so `received` comes from the append-only intake ledger, written
in the accept transaction, and both are read in one snapshot.
"""

from dataclasses import dataclass, field

from gateway.model.states import State
from gateway.storage.engine import Database

STATES = tuple(state.value for state in State)
ARRIVALS = ("received", "duplicate", "stale", "conflict", "invalid", "unsupported", "quarantined")

LEDGER = """
SELECT v.name, i.kind, SUM(i.n) AS n FROM intake i JOIN vendors v ON v.id = i.vendor_id
WHERE i.day BETWEEN :first AND :last GROUP BY v.name, i.kind"""
ROWS = """
SELECT v.name, d.state, d.kind, COUNT(*) AS n FROM deliveries d JOIN vendors v ON v.id = d.vendor_id
WHERE d.day BETWEEN :first AND :last GROUP BY v.name, d.state, d.kind"""


@dataclass(slots=True)
class Sheet:
    """Counts of one vendor, or of all. `closes` when the ledger and the rows agree."""

    arrived: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ARRIVALS, 0))
    states: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STATES, 0))
    withdrawals: int = 0  # deliveries we made to take a record back; not received from anyone

    @property
    def received(self) -> int:
        return self.arrived["received"]

    @property
    def difference(self) -> int:
        """Received by the ledger less rows present: 0 when it closes, positive when rows are missing."""
        return self.received - sum(self.states.values())

    @property
    def closes(self) -> bool:
        return self.difference == 0

    @property
    def in_flight(self) -> int:
        return self.states["accepted"] + self.states["verified"]

    def as_dict(self) -> dict[str, object]:
        """The JSON form of `gateway balance --json` (contracts/gateway/README.md)."""
        return {
            **self.arrived,
            **self.states,
            "arrived": sum(self.arrived.values()),
            "withdrawals": self.withdrawals,
            "difference": self.difference,
            "closes": self.closes,
        }


@dataclass(slots=True)
class Balance:
    """The sheet of everything and one per vendor."""

    total: Sheet
    by_vendor: dict[str, Sheet]

    @property
    def closes(self) -> bool:
        """Each vendor's sheet must close; two faults that cancel out in the total do not pass."""
        return all(sheet.closes for sheet in self.by_vendor.values())

    def as_dict(self) -> dict[str, object]:
        return {
            **self.total.as_dict(),
            "closes": self.closes,
            "by_vendor": {name: sheet.as_dict() for name, sheet in sorted(self.by_vendor.items())},
        }


async def balance(db: Database, *, first_day: int = 0, last_day: int = 99_991_231) -> Balance:
    """Reads ledger and rows in one snapshot; days are yyyymmdd of receipt in Việt Nam, both included."""
    by_vendor: dict[str, Sheet] = {}
    async with db.read() as tx:
        for row in await tx.rows("SELECT name FROM vendors ORDER BY id"):
            by_vendor[row.name] = Sheet()
        for row in await tx.rows(LEDGER, first=first_day, last=last_day):
            by_vendor[row.name].arrived[row.kind] += int(row.n)
        for row in await tx.rows(ROWS, first=first_day, last=last_day):
            if row.kind == "completion":
                by_vendor[row.name].states[row.state] += int(row.n)
            else:
                by_vendor[row.name].withdrawals += int(row.n)
    total = Sheet()
    for sheet in by_vendor.values():
        for kind, n in sheet.arrived.items():
            total.arrived[kind] += n
        for state, n in sheet.states.items():
            total.states[state] += n
        total.withdrawals += sheet.withdrawals
    return Balance(total, by_vendor)
