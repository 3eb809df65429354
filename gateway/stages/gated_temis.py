"""The TEMIS client behind its gate: its rate and its calls at the same time."""

from collections.abc import Sequence

from prometheus_client import Histogram

from gateway.outbound.gate import Gate
from gateway.outbound.http import Caller
from gateway.stages.timed import timed
from gateway.temis.client import TemisClient
from gateway.temis.contract import ItemAnswer, NaturalKey, RecordItem, StoredRecord


class GatedTemis(TemisClient):
    """What the deliver stage calls. Its breaker is told by the stage, which sees a whole attempt."""

    def __init__(self, caller: Caller, gate: Gate, calls: Histogram | None = None) -> None:
        super().__init__(caller)
        self._gate = gate
        self._calls = calls

    async def push(self, items: Sequence[RecordItem]) -> list[ItemAnswer]:
        async with self._gate.slot():
            with timed(self._calls, self._gate.name, "push", len(items)):
                return await super().push(items)

    async def query(self, keys: Sequence[NaturalKey]) -> dict[NaturalKey, StoredRecord]:
        async with self._gate.slot():
            with timed(self._calls, self._gate.name, "query", len(keys)):
                return await super().query(keys)
