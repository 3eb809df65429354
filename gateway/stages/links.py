"""A vendor saved a verified identifier -> the account's link -> its held completions are judged again."""

from dataclasses import dataclass

from gateway.identity.accounts import Accounts
from gateway.identity.waits import account_key
from gateway.model.clock import Clock
from gateway.model.errors import Refused
from gateway.queue.wake import lock_against_wakes, wake_in
from gateway.security.blind import BlindIndex
from gateway.stages.waiting import wake_keys
from gateway.storage.engine import Database, Tx

VENDOR = "vendor"  # who confirmed, when it was no admin


@dataclass(frozen=True, slots=True)
class Linked:
    """The link in force. `is_new`: it was not so before; `woken`: held deliveries judged again."""

    version: int
    is_new: bool
    woken: int = 0


class Links:
    """Confirms links. One instance per process."""

    def __init__(self, db: Database, clock: Clock, blind: BlindIndex, accounts: Accounts) -> None:
        self._db = db
        self._clock = clock
        self._blind = blind
        self._accounts = accounts

    async def confirm(
        self,
        vendor_id: int,
        vendor: str,
        lms_user_id: str,
        identifier: str,
        person_id: int,
        *,
        by: str = VENDOR,
        reason: str | None = None,
    ) -> Linked:
        """Links the account to the person its identifier was verified as; the same again changes nothing.

        Raises: Refused `account.identifier_changed` when a result was credited to somebody else, unless an
            admin (`by`) gives the reason.
        """

        async def in_tx(tx: Tx) -> Linked:
            return await self.confirm_in(
                tx, vendor_id, vendor, lms_user_id, identifier, person_id, by=by, reason=reason
            )

        return await self._db.write(in_tx)

    async def confirm_in(
        self,
        tx: Tx,
        vendor_id: int,
        vendor: str,
        lms_user_id: str,
        identifier: str,
        person_id: int,
        *,
        by: str = VENDOR,
        reason: str | None = None,
    ) -> Linked:
        """`confirm` inside a transaction of the caller's."""
        account = self._accounts.account(vendor_id, vendor, lms_user_id)
        await lock_against_wakes(tx, exclusive=True)  # of two confirmations the second sees the first
        now = self._clock.now_ms()
        known = (await self._accounts.known_in(tx, [account]))[account]
        link = known.link
        if link is not None and (link.identifier, link.person_id) == (identifier, person_id):
            return Linked(link.version, is_new=False)
        belongs_to = {link.person_id} if link is not None else known.credited_to
        is_allowed = by != VENDOR and reason
        if known.credited_to and person_id not in belongs_to and not is_allowed:
            raise Refused(
                "results of this account were credited to another person", "account.identifier_changed"
            )
        version = await self._accounts.link_in(tx, account, identifier, person_id, now, by=by, reason=reason)
        return Linked(version, is_new=True, woken=await self._wake(tx, vendor, lms_user_id, now))

    async def undo_in(self, tx: Tx, vendor_id: int, vendor: str, lms_user_id: str, version: int) -> int:
        """Takes a link back that is still in force: the account states again what it sends.

        Returns: held deliveries judged again. Raises: Refused when another link has replaced it.
        """
        account = self._accounts.account(vendor_id, vendor, lms_user_id)
        await lock_against_wakes(tx, exclusive=True)
        now = self._clock.now_ms()
        if not await self._accounts.end_link_in(tx, account, version, now):
            raise Refused("the account has another link by now", "account.link_replaced")
        return await self._wake(tx, vendor, lms_user_id, now)

    async def _wake(self, tx: Tx, vendor: str, lms_user_id: str, now: int) -> int:
        keys = wake_keys(self._blind, "account", account_key(vendor, lms_user_id))
        return await wake_in(tx, keys, now, cause="account_confirmed", interactive=True)
