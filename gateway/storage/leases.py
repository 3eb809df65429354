"""Who may do what only one process may do: a row with an end and a fence, on both engines.

A holder renews in good time, and writes what it does in a transaction that begins with `hold_in`: one that lost
the lease then changes nothing, however late it comes.
"""

from dataclasses import dataclass

from gateway.model.clock import Clock
from gateway.model.errors import LeaseLost
from gateway.storage.engine import Database, Tx

ACQUIRE = """
INSERT INTO leases (name, holder, fence, until_ms) VALUES (:name, :holder, 1, :until)
ON CONFLICT (name) DO UPDATE SET
    holder = excluded.holder, until_ms = excluded.until_ms, fence = leases.fence + 1
WHERE leases.until_ms <= :now OR leases.until_ms > :beyond
RETURNING fence"""
RENEW = """
UPDATE leases SET until_ms = :until
WHERE name = :name AND holder = :holder AND fence = :fence AND until_ms > :now"""
RELEASE = """
UPDATE leases SET until_ms = 0 WHERE name = :name AND holder = :holder AND fence = :fence"""
# A lease that lasts many times its length from now was taken by a clock that was ahead: nobody waits for it.
_BELIEVABLE = 10


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease as it was acquired. `fence` rises with every acquisition."""

    name: str
    holder: str
    fence: int


async def acquire(db: Database, clock: Clock, name: str, holder: str, ttl_ms: int) -> Lease | None:
    """Takes the lease if it is free or has ended. Returns: None while somebody holds it."""

    async def in_tx(tx: Tx) -> Lease | None:
        now = clock.now_ms()
        found = await tx.rows(
            ACQUIRE, name=name, holder=holder, now=now, until=now + ttl_ms, beyond=now + _BELIEVABLE * ttl_ms
        )
        return Lease(name, holder, found[0].fence) if found else None

    return await db.write(in_tx)


async def renew(db: Database, clock: Clock, lease: Lease, ttl_ms: int) -> bool:
    """Holds it for `ttl_ms` from now. Returns: False when it has ended or another took it."""

    async def in_tx(tx: Tx) -> bool:
        return await _renewed(tx, lease, clock.now_ms(), ttl_ms)

    return await db.write(in_tx)


async def hold_in(tx: Tx, lease: Lease, now_ms: int, ttl_ms: int) -> None:
    """Renews inside a transaction: its row stays locked to the end. Raises: LeaseLost."""
    if not await _renewed(tx, lease, now_ms, ttl_ms):
        raise LeaseLost(f"the lease {lease.name} has ended or is another's")


async def release(db: Database, lease: Lease) -> None:
    """Gives it up, so that the next one need not wait for its end. Not held any more: nothing happens."""

    async def in_tx(tx: Tx) -> None:
        await tx.run(RELEASE, name=lease.name, holder=lease.holder, fence=lease.fence)

    await db.write(in_tx)


async def _renewed(tx: Tx, lease: Lease, now_ms: int, ttl_ms: int) -> bool:
    changed = await tx.run(
        RENEW, name=lease.name, holder=lease.holder, fence=lease.fence, now=now_ms, until=now_ms + ttl_ms
    )
    return changed == 1
