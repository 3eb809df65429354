"""What we know of people, and for how long it may be believed: memory, then the table, then the registry.

Real time has a bound (docs/decisions/0003-real-time.md): an answer older than `max_age_ms` is asked again,
a negative one much sooner. An outage of the registry is never an answer.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import orjson

from gateway.model.clock import Clock
from gateway.model.errors import UpstreamError
from gateway.model.person import Answer, LookupKey, Snapshot
from gateway.security.blind import BlindIndex
from gateway.security.vault import LASTING, Vault, aad
from gateway.storage.engine import Database, Tx
from gateway.storage.rows import Cell

FIND = """
SELECT l.key, l.person_ids, l.fetched_at_ms FROM {x} JOIN lookups l ON l.key = x.key"""
PEOPLE = """
SELECT p.id, p.sector_key, p.version, p.snapshot_sealed FROM {x} JOIN people p ON p.id = x.id"""
SAVE_PEOPLE = """
INSERT INTO people (sector_key, version, digest, snapshot_sealed, fetched_at_ms)
SELECT x.sector_key, 1, x.digest, x.sealed, :now FROM {x} WHERE true
ON CONFLICT (sector_key) DO UPDATE SET
    version = people.version + CASE WHEN people.digest = excluded.digest THEN 0 ELSE 1 END,
    digest = excluded.digest, snapshot_sealed = excluded.snapshot_sealed, fetched_at_ms = excluded.fetched_at_ms
RETURNING id, sector_key, version"""
SAVE_LOOKUPS = """
INSERT INTO lookups (key, person_ids, fetched_at_ms) SELECT x.key, x.person_ids, :now FROM {x} WHERE true
ON CONFLICT (key) DO UPDATE SET person_ids = excluded.person_ids, fetched_at_ms = excluded.fetched_at_ms"""


class Lookup(Protocol):
    """The registry client's part that we use."""

    async def lookup(self, keys: Sequence[LookupKey]) -> Mapping[LookupKey, tuple[Snapshot, ...]]: ...


@dataclass(frozen=True, slots=True)
class Person:
    """One person as stored: our id and the version of the snapshot we judged."""

    id: int
    version: int


@dataclass(frozen=True, slots=True)
class Known:
    """The answer to one key, and who the hits are in our own table (by sector id)."""

    answer: Answer
    people: Mapping[str, Person]


class People:
    """Answers look-ups for many claims at once; equal questions in flight are asked once."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        vault: Vault,
        blind: BlindIndex,
        registry: Lookup,
        *,
        max_age_ms: int,
        negative_max_age_ms: int,
        memory: int = 50_000,
    ) -> None:
        self._db = db
        self._clock = clock
        self._vault = vault
        self._blind = blind
        self._registry = registry
        self._max_age_ms = max_age_ms
        self._negative_max_age_ms = negative_max_age_ms
        self._memory: OrderedDict[LookupKey, Known] = OrderedDict()
        self._size = memory
        self._sector_ids: dict[int, str] = {}
        self._in_flight: dict[LookupKey, asyncio.Future[None]] = {}

    async def know(
        self, keys: Iterable[LookupKey], *, not_before_ms: int = 0
    ) -> tuple[dict[LookupKey, Known], UpstreamError | None]:
        """Answers for `keys`, none older than the bound nor than `not_before_ms`.

        Returns: what is known, and the registry's failure when some keys could not be asked.
        """
        wanted = set(keys)
        found = {key: known for key in wanted if (known := self._fresh(key, not_before_ms))}
        missing = wanted - found.keys()
        if missing and not_before_ms == 0:
            found |= await self._from_table(missing)
            missing -= found.keys()
        error = await self._ask(missing)
        for key in missing:
            if known := self._fresh(key, not_before_ms):
                found[key] = known
        return found, error

    def forget(self, keys: Iterable[LookupKey]) -> None:
        """Drops answers from memory: the registry said that something changed."""
        for key in keys:
            self._memory.pop(key, None)

    def _fresh(self, key: LookupKey, not_before_ms: int) -> Known | None:
        known = self._memory.get(key)
        if known is None:
            return None
        fetched = known.answer.fetched_at_ms
        if not self._is_fresh(known.answer) or fetched < not_before_ms:
            return None
        self._memory.move_to_end(key)
        return known

    def _is_fresh(self, answer: Answer) -> bool:
        limit = self._max_age_ms if answer.hits else self._negative_max_age_ms
        return self._clock.now_ms() - answer.fetched_at_ms <= limit

    async def _from_table(self, keys: set[LookupKey]) -> dict[LookupKey, Known]:
        blind = {self._blind.index("lookup." + key.type, key.value): key for key in keys}
        async with self._db.read() as tx:
            x = tx.json_rows(("key", "blob"))
            lookups = await tx.rows(FIND.format(x=x), rows=tx.pack([(key,) for key in blind]))
            ids = sorted({id_ for row in lookups for id_ in orjson.loads(row.person_ids)})
            x = tx.json_rows(("id", "int"))
            people = await tx.rows(PEOPLE.format(x=x), rows=tx.pack([(id_,) for id_ in ids])) if ids else []
        snapshots = {
            row.id: (self._open(bytes(row.sector_key), bytes(row.snapshot_sealed)), Person(row.id, row.version))
            for row in people
        }
        found = {}
        for row in lookups:
            hits = [snapshots[id_] for id_ in orjson.loads(row.person_ids)]
            answer = Answer(
                hits=tuple(snapshot for snapshot, _ in hits), fetched_at_ms=row.fetched_at_ms, live=False
            )
            if self._is_fresh(answer):
                question = blind[bytes(row.key)]
                found[question] = Known(answer, {snapshot.sector_id: person for snapshot, person in hits})
                self._remember(question, found[question])
        return found

    async def _ask(self, keys: set[LookupKey]) -> UpstreamError | None:
        """Asks the registry for `keys`, waiting for those that another batch is asking for already."""
        others = {self._in_flight[key] for key in keys if key in self._in_flight}
        mine = sorted(keys - self._in_flight.keys())
        error: UpstreamError | None = None
        if mine:
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._in_flight |= dict.fromkeys(mine, done)
            try:
                await self._store(await self._registry.lookup(mine))
            except UpstreamError as failure:
                error = failure
            finally:
                for key in mine:
                    del self._in_flight[key]
                done.set_result(None)
        if others:
            await asyncio.wait(others)
        return error

    async def _store(self, hits: Mapping[LookupKey, tuple[Snapshot, ...]]) -> None:
        now = self._clock.now_ms()
        snapshots = {snapshot.sector_id: snapshot for found in hits.values() for snapshot in found}
        sector_keys = {sid: self._blind.index("sector_id", sid) for sid in snapshots}
        rows: list[tuple[Cell, ...]] = []
        for sid, snapshot in snapshots.items():
            text = snapshot.model_dump_json().encode()
            sealed = self._vault.seal(
                text, aad("people", "snapshot", sector_keys[sid]), self._vault.key_of(LASTING)
            )
            rows.append((sector_keys[sid], hashlib.blake2b(text, digest_size=16).digest(), sealed))

        async def in_tx(tx: Tx) -> dict[bytes, Person]:
            x = tx.json_rows(("sector_key", "blob"), ("digest", "blob"), ("sealed", "blob"))
            saved = await tx.rows(SAVE_PEOPLE.format(x=x), rows=tx.pack(sorted(rows)), now=now) if rows else []
            people = {bytes(row.sector_key): Person(row.id, row.version) for row in saved}
            x = tx.json_rows(("key", "blob"), ("person_ids", "text"))
            lookups = sorted(
                (
                    self._blind.index("lookup." + key.type, key.value),
                    orjson.dumps([people[sector_keys[s.sector_id]].id for s in found]).decode(),
                )
                for key, found in hits.items()
            )
            await tx.run(SAVE_LOOKUPS.format(x=x), rows=tx.pack(lookups), now=now)
            return people

        people = await self._db.write(in_tx)
        for sid, blind_key in sector_keys.items():
            self._keep_id(people[blind_key].id, sid)
        for key, found in hits.items():
            answer = Answer(hits=found, fetched_at_ms=now)
            self._remember(key, Known(answer, {s.sector_id: people[sector_keys[s.sector_id]] for s in found}))

    def _remember(self, key: LookupKey, known: Known) -> None:
        self._memory[key] = known
        self._memory.move_to_end(key)
        while len(self._memory) > self._size:
            self._memory.popitem(last=False)

    def _open(self, sector_key: bytes, sealed: bytes) -> Snapshot:
        return Snapshot.model_validate_json(self._vault.open(sealed, aad("people", "snapshot", sector_key)))

    async def sector_ids(self, person_ids: set[int]) -> dict[int, str]:
        """The sector identifier of people we have stored, by our own id. It never changes, so it is kept."""
        found = {id_: self._sector_ids[id_] for id_ in person_ids if id_ in self._sector_ids}
        missing = sorted(person_ids - found.keys())
        if missing:
            async with self._db.read() as tx:
                x = tx.json_rows(("id", "int"))
                rows = await tx.rows(PEOPLE.format(x=x), rows=tx.pack([(id_,) for id_ in missing]))
            for row in rows:
                snapshot = self._open(bytes(row.sector_key), bytes(row.snapshot_sealed))
                found[row.id] = snapshot.sector_id
                self._keep_id(row.id, snapshot.sector_id)
        return found

    def _keep_id(self, person_id: int, sector_id: str) -> None:
        if len(self._sector_ids) >= self._size:
            self._sector_ids.clear()
        self._sector_ids[person_id] = sector_id
