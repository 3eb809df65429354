"""The registry client behind its gate: its rate, its breaker, and what each call brought."""

from collections.abc import Mapping, Sequence
from datetime import date

from prometheus_client import Histogram

from gateway.identity.registry import ChangePage, RegistryClient
from gateway.model.errors import NotSent, UpstreamError
from gateway.model.person import LookupKey, Snapshot
from gateway.outbound.gate import Gate
from gateway.stages.timed import timed


class GatedRegistry:
    """What identity/people.py asks. One instance per process."""

    def __init__(
        self, registry: RegistryClient, gate: Gate, *, page: int, calls: Histogram | None = None
    ) -> None:
        self._registry = registry
        self._gate = gate
        self._page = page
        self._calls = calls

    async def lookup(self, keys: Sequence[LookupKey]) -> Mapping[LookupKey, tuple[Snapshot, ...]]:
        """Raises: UpstreamError; an outage is never an empty answer, and neither is a pause."""
        if self._gate.paused:
            raise NotSent("the sector database is paused by an operator")
        try:
            async with self._gate.slot(-(-len(keys) // self._page)):
                with timed(self._calls, self._gate.name, "lookup", len(keys)):
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
