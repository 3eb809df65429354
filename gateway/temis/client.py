"""Talks to TEMIS: records out, one answer each; keys out, stored records back. One call, no retry.

Source: contracts/temis/README.md.
"""

from collections.abc import Sequence

from gateway.model.errors import Garbled
from gateway.outbound.http import Caller
from gateway.temis.contract import (
    BATCH_ANSWER,
    BATCH_REQUEST,
    MAX_ITEMS,
    QUERY_ANSWER,
    QUERY_REQUEST,
    BatchRequest,
    ItemAnswer,
    NaturalKey,
    QueryRequest,
    RecordItem,
    RecordKey,
    StoredRecord,
)

BATCH_PATH = "/bdtx/records:batch"
QUERY_PATH = "/bdtx/records:query"


class TemisClient:
    """One TEMIS, reached through `caller` (its base address ends before /bdtx)."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def push(self, items: Sequence[RecordItem]) -> list[ItemAnswer]:
        """1 to 200 records with different keys -> one answer each, in the order given.

        Raises: UpstreamError; Garbled also when the answers do not line up with the items, since then nobody
        knows which answer is whose.
        """
        request = BatchRequest.model_construct(items=list(items))  # the items are validated already
        body = BATCH_REQUEST.dump_json(request, exclude_none=True, exclude_defaults=False)
        answers = (await self._caller.post(BATCH_PATH, body, BATCH_ANSWER.validate_json)).answers
        if len(answers) != len(items) or not all(map(_is_about, answers, items)):
            raise Garbled(f"POST {BATCH_PATH}: the answers do not line up with the items", status=200)
        return answers

    async def query(self, keys: Sequence[NaturalKey]) -> dict[NaturalKey, StoredRecord]:
        """What TEMIS has stored under these keys, asked in pages of 200. A key that is left out is not stored.

        Raises: UpstreamError; an outage is never an absence.
        """
        found: dict[NaturalKey, StoredRecord] = {}
        wanted = list(dict.fromkeys(keys))
        for start in range(0, len(wanted), MAX_ITEMS):
            page = wanted[start : start + MAX_ITEMS]
            found |= {record.key: record for record in await self._page(page) if record is not None}
        return found

    async def _page(self, keys: Sequence[NaturalKey]) -> list[StoredRecord | None]:
        request = QueryRequest(keys=[RecordKey(**key._asdict()) for key in keys])
        body = QUERY_REQUEST.dump_json(request)
        records = (await self._caller.post(QUERY_PATH, body, QUERY_ANSWER.validate_json)).records
        if len(records) != len(keys) or any(r and r.key != key for r, key in zip(records, keys, strict=True)):
            raise Garbled(f"POST {QUERY_PATH}: the records do not line up with the keys", status=200)
        return records


def _is_about(answer: ItemAnswer, item: RecordItem) -> bool:
    return (
        answer.sector_id == item.sector_id
        and answer.module_code == item.module_code
        and answer.school_year == item.school_year
    )
