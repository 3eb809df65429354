"""What a vendor does with its callbacks: registers one, proves it is its own, pauses, resumes, removes it."""

from collections.abc import Sequence

from gateway.model.clock import Clock
from gateway.model.errors import Refused
from gateway.outbound.guarded import Poster
from gateway.queue import callbacks
from gateway.queue.callbacks import Callback, Entry
from gateway.queue.vendors import Vendor
from gateway.security.vault import Vault
from gateway.stages.calling import prove
from gateway.storage.engine import Database


class CallbackActs:
    """One instance per process."""

    def __init__(self, db: Database, clock: Clock, vault: Vault, poster: Poster) -> None:
        self._db = db
        self._clock = clock
        self._vault = vault
        self._poster = poster

    async def add(self, vendor: Vendor, url: str, events: Sequence[str]) -> tuple[int, str]:
        """Returns: id and secret, shown this once. Raises: Refused `callback.url_refused`, `.too_many`."""
        self._poster.check(url)
        return await callbacks.add_callback(
            self._db, self._vault, self._clock, vendor.id, vendor.name, url, events
        )

    async def prove(self, vendor: Vendor, id_: int) -> str:
        """Calls the URL; once it gives the challenge back the callback is active. Returns: its state.

        Raises: NotFound; Refused `callback.url_refused`, `.unreachable`, `.unproved`.
        """
        callback = await callbacks.find_callback(self._db, self._vault, vendor.id, id_)
        if not await prove(self._poster, self._clock, callback):
            raise Refused("the URL did not give the challenge back", "callback.unproved")
        await callbacks.activate(self._db, self._clock, id_)
        return callbacks.ACTIVE

    async def act(self, vendor: Vendor, id_: int, what: str) -> str:
        """pause, resume or remove. Returns: the state then. Raises: NotFound, Refused `callback.state`."""
        return await callbacks.act(self._db, self._clock, vendor.id, vendor.name, id_, what)

    async def all_of(self, vendor: Vendor) -> list[Callback]:
        return await callbacks.read_callbacks(self._db, self._vault, vendor_id=vendor.id)

    async def one(self, vendor: Vendor, id_: int) -> tuple[Callback, list[Entry]]:
        """A callback and what it was told last. Raises: NotFound."""
        callback = await callbacks.find_callback(self._db, self._vault, vendor.id, id_)
        return callback, await callbacks.entries(self._db, id_)
