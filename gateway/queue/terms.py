"""On which terms a source may send: contract, legal basis, days, addresses, certificate, how much, whose.

What is not stated does not limit. Days are yyyymmdd in Việt Nam, both included.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

from gateway.model.clock import Clock, day_number
from gateway.model.errors import ConfigError, NotFound
from gateway.storage import audit
from gateway.storage.engine import Database, Tx

Network = IPv4Network | IPv6Network

COLUMNS = (
    "contract_no", "legal_basis", "data_fields", "area", "licence_no", "valid_from", "valid_to", "addresses",
    "cert_sha256", "per_min", "department",
)  # fmt: skip
_CERT = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Terms:
    """What was agreed with one source."""

    contract_no: str | None = None
    legal_basis: str | None = None
    data_fields: str | None = None
    area: str | None = None
    licence_no: str | None = None  # of the data processing service
    valid_from: int | None = None
    valid_to: int | None = None
    addresses: str | None = None  # networks it sends from, separated by commas
    cert_sha256: str | None = None  # of its client certificate, lower-case hex
    per_min: int | None = None  # requests a minute, of all processes together
    department: str | None = None  # code of the unit whose cases they are when the claim names no unit

    def as_dict(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value is not None}

    @property
    def networks(self) -> tuple[Network, ...]:
        return networks(self.addresses or "")

    def has_begun(self, day: int) -> bool:
        return self.valid_from is None or self.valid_from <= day

    def has_ended(self, day: int) -> bool:
        return self.valid_to is not None and self.valid_to < day

    def may_come_from(self, address: str | None) -> bool:
        """Whether a request may come from there; without a list, from anywhere."""
        if not self.addresses:
            return True
        return within(address, self.networks)


def networks(text: str) -> tuple[Network, ...]:
    """`203.0.113.0/24, 2001:db8::1` -> networks. Raises: ValueError."""
    return tuple(ip_network(word) for word in text.replace(",", " ").split())


def within(address: str | None, found: tuple[Network, ...]) -> bool:
    """Whether an address lies in one of the networks; what is no address does not."""
    try:
        at = ip_address((address or "").partition("%")[0])
    except ValueError:
        return False
    at = getattr(at, "ipv4_mapped", None) or at
    return any(at in network for network in found)


def checked(changes: Mapping[str, str | int | None]) -> dict[str, str | int | None]:
    """Changes as they are stored; an empty text clears. Raises: ConfigError, naming the first that is wrong."""
    stored: dict[str, str | int | None] = {}
    for name, value in changes.items():
        stored[name] = None if value == "" else value
        try:
            if name == "addresses" and value:
                networks(str(value))
        except ValueError:
            raise ConfigError("addresses: not networks like 203.0.113.0/24, separated by commas") from None
        if name == "cert_sha256" and value:
            stored[name] = str(value).replace(":", "").lower()
            if not _CERT.fullmatch(str(stored[name])):
                raise ConfigError("cert_sha256: not the SHA-256 of a certificate (64 hex digits)")
        if name == "per_min" and value is not None and not 0 <= int(value) <= 10_000_000:
            raise ConfigError("per_min: not a number from 1 to 10000000, or 0 for no limit")
    if stored.get("per_min") == 0:
        stored["per_min"] = None
    return stored


async def set_terms(
    db: Database, clock: Clock, name: str, changes: Mapping[str, str | int | None], *, by: str
) -> None:
    """Changes what is given and nothing else; in force within seconds, without a restart.

    Raises: ConfigError for a value that is none; NotFound.
    """
    stored = checked(changes)

    async def in_tx(tx: Tx) -> None:
        found = await tx.rows("SELECT id, valid_from, valid_to FROM vendors WHERE name = :name", name=name)
        if not found:
            raise NotFound(f"there is no source {name}")
        first = stored.get("valid_from", found[0].valid_from)
        last = stored.get("valid_to", found[0].valid_to)
        if first is not None and last is not None and int(first) > int(last):
            raise ConfigError("valid_from: after valid_to")
        if stored:
            assert stored.keys() <= set(COLUMNS)
            sets = ", ".join(f"{column} = :{column}" for column in stored)
            await tx.run(f"UPDATE vendors SET {sets} WHERE id = :id", id=found[0].id, **stored)
        await audit.append(tx, clock.now_ms(), by, "source.set", f"vendor:{name}", **stored)

    await db.write(in_tx)


async def end_source(db: Database, clock: Clock, name: str, *, reason: str, by: str) -> int:
    """Ends a source now: from the next seconds on it is refused. Returns: the last day. Raises: NotFound."""
    yesterday = day_number(clock.now_ms() - 24 * 3_600_000)

    async def in_tx(tx: Tx) -> None:
        changed = await tx.run(
            "UPDATE vendors SET valid_to = :day, valid_from = CASE WHEN valid_from > :day THEN :day "
            "ELSE valid_from END WHERE name = :name",
            day=yesterday,
            name=name,
        )
        if not changed:
            raise NotFound(f"there is no source {name}")
        await audit.append(tx, clock.now_ms(), by, "source.ended", f"vendor:{name}", reason=reason)

    await db.write(in_tx)
    return yesterday
