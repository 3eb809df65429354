"""The duty of sealing the audit: each second, what was appended becomes one more link of its chain.

    rows without a seal -> Merkle root -> link, marked with a key of the ring -> a line in the log

The log line carries the head, so that a copy of the logs elsewhere proves what was sealed until then. A head
that is not the one this process left is told loudly: somebody rewrote the chain.
"""

import structlog

from gateway.model.clock import Clock
from gateway.security.seals import Seal
from gateway.storage.audit_seals import is_anything_unsealed, newest_seal, seal_in
from gateway.storage.engine import Database, Tx
from gateway.storage.leases import Lease, hold_in

log = structlog.get_logger(__name__)


class AuditSealing:
    """One instance per process; only the leader's runs."""

    name = "audit_sealing"
    every_s = 1.0

    def __init__(self, db: Database, clock: Clock, key: bytes, *, ttl_ms: int) -> None:
        self._db = db
        self._clock = clock
        self._key = key
        self._ttl_ms = ttl_ms
        self._left: tuple[Lease, Seal | None] | None = None  # the head as this leader left it

    async def run(self, lease: Lease) -> None:
        """Seals all there is, some a transaction; costs two probes of an index while nothing was done."""
        await self._heed_head(lease)
        while await is_anything_unsealed(self._db):
            seal = await self._db.write(lambda tx: self._seal(tx, lease))
            if seal is None:
                break
            self._left = (lease, seal)
            log.info("audit.sealed", seq=seal.seq, rows=seal.rows, last_id=seal.last_id, head=seal.link.hex())

    async def _seal(self, tx: Tx, lease: Lease) -> Seal | None:
        now = self._clock.now_ms()
        await hold_in(tx, lease, now, self._ttl_ms)
        return await seal_in(tx, self._key, now)

    async def _heed_head(self, lease: Lease) -> None:
        head = await newest_seal(self._db)
        if self._left is not None and self._left[0] == lease and self._left[1] != head:
            left = self._left[1]
            log.error("audit.head_changed", left=left.seq if left else 0, found=head.seq if head else 0)
        self._left = (lease, head)
