"""Asks the sector database (CSDL ngành) who somebody is. An outage is an error, never an empty answer.

Source: contracts/registry/README.md.
"""

import asyncio
from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from gateway.identity.registry_contract import (
    CHANGES_ANSWER,
    CHANGES_NOTICE,
    LOOKUP_ANSWERS,
    LOOKUP_REQUEST,
    MAX_IDENTIFIERS,
    SEARCH_ANSWER,
    SEARCH_REQUEST,
    ChangedFile,
    Identifier,
    LookupRequest,
    SearchRequest,
    StaffFile,
)
from gateway.model.clock import Clock
from gateway.model.completion import Role
from gateway.model.errors import Garbled, UpstreamError
from gateway.model.person import IdentifierType, LookupKey, Snapshot
from gateway.outbound.http import Caller

LOOKUP_PATH = "/staff:lookup"
SEARCH_PATH = "/staff:search"
CHANGES_PATH = "/changes"
TYPES = frozenset(IdentifierType)
ROLES = {role.value: role for role in Role}


class Change(NamedTuple):
    """One file changed. `keys` are the identifiers it has and had: whoever waits for one of them is woken."""

    keys: tuple[LookupKey, ...]
    changed_at_ms: int


class ChangePage(NamedTuple):
    """A page of the change feed, oldest first."""

    changes: tuple[Change, ...]
    next: str  # cursor for the next page
    more: bool  # whether that page is ready now
    lag_ms: int  # now - the moment up to which the feed is complete; 0 and up


class RegistryClient:
    """One sector database, reached through `caller` (its base address ends before /staff:lookup)."""

    def __init__(self, caller: Caller, clock: Clock, *, concurrency: int = 4) -> None:
        self._caller = caller
        self._clock = clock
        self._turns = asyncio.Semaphore(concurrency)  # look-ups under way at once

    async def lookup(self, keys: Sequence[LookupKey]) -> dict[LookupKey, tuple[Snapshot, ...]]:
        """Files per identifier, in chunks of 100. Every key asked is a key of the answer; `()`: not found.

        Raises: UpstreamError when any chunk fails: a part of an answer is no answer.
        """
        wanted = list(dict.fromkeys(keys))
        chunks = [wanted[i : i + MAX_IDENTIFIERS] for i in range(0, len(wanted), MAX_IDENTIFIERS)]
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._chunk(chunk)) for chunk in chunks]
        except* UpstreamError as failed:
            raise failed.exceptions[0] from None
        return {key: hits for task in tasks for key, hits in task.result().items()}

    async def search(self, full_name: str, birth_date: date) -> tuple[Snapshot, ...]:
        """Everybody with this full name and birth date. Raises: UpstreamError."""
        body = SEARCH_REQUEST.dump_json(SearchRequest(full_name=full_name, birth_date=birth_date))
        answer = await self._caller.post(SEARCH_PATH, body, SEARCH_ANSWER.validate_json)
        return tuple(to_snapshot(hit) for hit in answer.hits)

    async def changes(self, since: str, *, limit: int = 1000) -> ChangePage:
        """The next page after the cursor `since`; an empty one starts at the oldest. Raises: UpstreamError."""
        answer = await self._caller.get(
            CHANGES_PATH, CHANGES_ANSWER.validate_json, {"since": since, "limit": limit}
        )
        return ChangePage(
            changes=tuple(map(to_change, answer.changes)),
            next=answer.next,
            more=answer.more,
            lag_ms=max(0, self._clock.now_ms() - int(answer.as_of.timestamp() * 1000)),
        )

    async def _chunk(self, keys: Sequence[LookupKey]) -> dict[LookupKey, tuple[Snapshot, ...]]:
        asked = LookupRequest(identifiers=[Identifier(type=key.type, value=key.value) for key in keys])
        async with self._turns:
            answers = (
                await self._caller.post(
                    LOOKUP_PATH, LOOKUP_REQUEST.dump_json(asked), LOOKUP_ANSWERS.validate_json
                )
            ).answers
        if [LookupKey(answer.type, answer.value) for answer in answers] != list(keys):
            raise Garbled(f"POST {LOOKUP_PATH}: the answers do not line up with the questions", status=200)
        return {
            key: tuple(to_snapshot(hit) for hit in answer.hits)
            for key, answer in zip(keys, answers, strict=True)
        }


def read_notice(body: bytes) -> tuple[Change, ...]:
    """Changes that the registry sent by itself. Raises: ValueError for what is not the contract's notice."""
    return tuple(map(to_change, CHANGES_NOTICE.validate_json(body).changes))


def to_change(file: ChangedFile) -> Change:
    """The registry's words -> ours; a type of identifier that we do not know is passed over."""
    return Change(
        keys=tuple(
            LookupKey(IdentifierType(one.type), one.value) for one in file.identifiers if one.type in TYPES
        ),
        changed_at_ms=int(file.changed_at.timestamp() * 1000),
    )


def to_snapshot(file: StaffFile) -> Snapshot:
    """The registry's words -> ours. The status stays as written; a role we do not know is no role."""
    return Snapshot(
        sector_id=file.sector_id,
        full_name=file.full_name,
        birth_date=file.birth_date,
        gender=file.gender,
        unit_code=file.unit_code,
        unit_name=file.unit_name,
        role=ROLES.get(file.role or ""),
        status=file.status,
        status_since=file.status_since,
    )
