"""The TEMIS client behind its gate: its rate and its calls at the same time."""

from collections.abc import Sequence

from gateway.outbound.gate import Gate
from gateway.outbound.http import Caller
from gateway.temis.client import TemisClient
from gateway.temis.contract import ItemAnswer, NaturalKey, RecordItem, StoredRecord


class GatedTemis(TemisClient):
    """What the deliver stage calls. Its breaker is told by the stage, which sees a whole attempt."""

    def __init__(self, caller: Caller, gate: Gate) -> None:
        super().__init__(caller)
        self._gate = gate

    async def push(self, items: Sequence[RecordItem]) -> list[ItemAnswer]:
        async with self._gate.slot():
            return await super().push(items)

    async def query(self, keys: Sequence[NaturalKey]) -> dict[NaturalKey, StoredRecord]:
        async with self._gate.slot():
            return await super().query(keys)
