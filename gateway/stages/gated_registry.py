"""The registry client behind its gate: its rate, its breaker, and what each call brought."""

from collections.abc import Mapping, Sequence
from datetime import date

from gateway.identity.registry import ChangePage, RegistryClient
from gateway.model.errors import NotSent, UpstreamError
from gateway.model.person import LookupKey, Snapshot
from gateway.outbound.gate import Gate


class GatedRegistry:
    """What identity/people.py asks. One instance per process."""

    def __init__(self, registry: RegistryClient, gate: Gate, *, page: int) -> None:
        self._registry = registry
        self._gate = gate
        self._page = page

    async def lookup(self, keys: Sequence[LookupKey]) -> Mapping[LookupKey, tuple[Snapshot, ...]]:
        """Raises: UpstreamError; an outage is never an empty answer, and neither is a pause."""
        if self._gate.paused:
            raise NotSent("the sector database is paused by an operator")
        try:
            async with self._gate.slot(-(-len(keys) // self._page)):
                found = await self._registry.lookup(keys)
        except UpstreamError as error:
            self._gate.failed(error)
            raise
        self._gate.succeeded()
        return found

    async def search(self, full_name: str, birth_date: date) -> tuple[Snapshot, ...]:
        """Everybody with this name and birth date. Raises: UpstreamError; a hint trips no breaker."""
        async with self._gate.slot():
            return await self._registry.search(full_name, birth_date)

    async def changes(self, since: str, *, limit: int) -> ChangePage:
        """A page of the feed. Raises: UpstreamError, which says nothing of look-ups and trips no breaker."""
        async with self._gate.slot():
            return await self._registry.changes(since, limit=limit)
