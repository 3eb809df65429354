"""People as stored: who answered which question, every version of a file, and what the change feed said.

Values of people are sealed; questions and sector identifiers are blind indexes.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.model.person import Answer, LookupKey, Snapshot
from gateway.security.blind import BlindIndex
from gateway.security.vault import LASTING, Vault, aad
from gateway.storage.engine import Database, Tx
from gateway.storage.rows import Cell

FEED = "registry.changes"  # the change feed's row in `cursors`
_LATE_COMMIT_MS = 60_000  # a change is stamped before its commit: look back so far

FIND = """
SELECT l.key, l.person_ids, l.fetched_at_ms FROM {x} JOIN lookups l ON l.key = x.key
WHERE l.fetched_at_ms > l.changed_at_ms"""
PEOPLE = """
SELECT p.id, p.sector_key, p.version, p.snapshot_sealed FROM {x} JOIN people p ON p.id = x.id"""
SAVE_PEOPLE = """
INSERT INTO people (sector_key, version, digest, snapshot_sealed, fetched_at_ms)
SELECT x.sector_key, 1, x.digest, x.sealed, :asked FROM {x} WHERE true
ON CONFLICT (sector_key) DO UPDATE SET
    version = people.version + CASE WHEN people.digest = excluded.digest THEN 0 ELSE 1 END,
    digest = excluded.digest, snapshot_sealed = excluded.snapshot_sealed, fetched_at_ms = excluded.fetched_at_ms
RETURNING id, sector_key, version"""
SAVE_VERSIONS = """
INSERT INTO snapshots (person_id, version, sealed, fetched_at_ms)
SELECT p.id, p.version, p.snapshot_sealed, p.fetched_at_ms FROM {x} JOIN people p ON p.id = x.id
WHERE true ON CONFLICT (person_id, version) DO NOTHING"""
SAVE_LOOKUPS = """
INSERT INTO lookups (key, person_ids, fetched_at_ms) SELECT x.key, x.person_ids, :asked FROM {x} WHERE true
ON CONFLICT (key) DO UPDATE SET person_ids = excluded.person_ids, fetched_at_ms = excluded.fetched_at_ms
WHERE lookups.fetched_at_ms <= excluded.fetched_at_ms"""
CHANGED = """
SELECT key, changed_at_ms FROM lookups WHERE changed_at_ms > 0 AND changed_at_ms >= :since"""

# A change so old cannot race with a question on its way: only people somebody has asked about are marked then.
MARK_KNOWN = """
UPDATE lookups SET changed_at_ms = :now FROM {x} WHERE lookups.key = x.key
RETURNING lookups.key, fetched_at_ms"""
MARK_ALL = """
INSERT INTO lookups (key, person_ids, fetched_at_ms, changed_at_ms)
SELECT x.key, '[]', 0, :now FROM {x} WHERE true
ON CONFLICT (key) DO UPDATE SET changed_at_ms = excluded.changed_at_ms
RETURNING key, fetched_at_ms"""
CLEAR = """
DELETE FROM lookups WHERE key IN (
    SELECT key FROM lookups WHERE changed_at_ms > 0 AND changed_at_ms < :before AND fetched_at_ms = 0
    ORDER BY key LIMIT 1000)"""


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


@dataclass(frozen=True, slots=True)
class Heard:
    """What the change feed has told: blind key -> when, and up to when it is complete (0: never read)."""

    changed: Mapping[bytes, int]
    complete_ms: int


class Snapshots:
    """The tables `people`, `snapshots` and `lookups`."""

    def __init__(self, db: Database, vault: Vault, blind: BlindIndex) -> None:
        self._db = db
        self._vault = vault
        self._blind = blind

    def blind_key(self, key: LookupKey) -> bytes:
        """The question as it is stored."""
        return self._blind.index("lookup." + key.type, key.value)

    async def find(self, keys: Iterable[LookupKey]) -> dict[LookupKey, Known]:
        """Stored answers of any age, in one read; those the change feed has overtaken are left out."""
        blind = {self.blind_key(key): key for key in keys}

        async def look(tx: Tx) -> tuple[Sequence[Any], Sequence[Any]]:
            x = tx.json_rows(("key", "blob"))
            lookups = await tx.rows(FIND.format(x=x), rows=tx.pack([(key,) for key in blind]))
            ids = sorted({id_ for row in lookups for id_ in orjson.loads(row.person_ids)})
            x = tx.json_rows(("id", "int"))
            people = await tx.rows(PEOPLE.format(x=x), rows=tx.pack([(id_,) for id_ in ids])) if ids else []
            return lookups, people

        lookups, people = await self._db.look(look)
        files = {
            row.id: (self.open(bytes(row.sector_key), bytes(row.snapshot_sealed)), Person(row.id, row.version))
            for row in people
        }
        found = {}
        for row in lookups:
            hits = [files[id_] for id_ in orjson.loads(row.person_ids)]
            answer = Answer(hits=tuple(file for file, _ in hits), fetched_at_ms=row.fetched_at_ms, live=False)
            found[blind[bytes(row.key)]] = Known(answer, {file.sector_id: person for file, person in hits})
        return found

    async def store(
        self, hits: Mapping[LookupKey, tuple[Snapshot, ...]], *, asked_at_ms: int
    ) -> dict[LookupKey, Known]:
        """Keeps the registry's answers. A version rises only when the file's content differs."""
        files = {file.sector_id: file for found in hits.values() for file in found}
        sector_keys = {sector_id: self._blind.index("sector_id", sector_id) for sector_id in files}
        rows = sorted(self._row(sector_keys[sector_id], file) for sector_id, file in files.items())

        async def in_tx(tx: Tx) -> dict[bytes, Person]:
            people: dict[bytes, Person] = {}
            if rows:
                x = tx.json_rows(("sector_key", "blob"), ("digest", "blob"), ("sealed", "blob"))
                saved = await tx.rows(SAVE_PEOPLE.format(x=x), rows=tx.pack(rows), asked=asked_at_ms)
                people = {bytes(row.sector_key): Person(row.id, row.version) for row in saved}
                x = tx.json_rows(("id", "int"))
                ids = sorted((person.id,) for person in people.values())
                await tx.run(SAVE_VERSIONS.format(x=x), rows=tx.pack(ids))
            x = tx.json_rows(("key", "blob"), ("person_ids", "text"))
            lookups = sorted(
                (
                    self.blind_key(key),
                    orjson.dumps([people[sector_keys[file.sector_id]].id for file in found]).decode(),
                )
                for key, found in hits.items()
            )
            await tx.run(SAVE_LOOKUPS.format(x=x), rows=tx.pack(lookups), asked=asked_at_ms)
            return people

        people = await self._db.write(in_tx)
        return {
            key: Known(
                Answer(hits=found, fetched_at_ms=asked_at_ms),
                {file.sector_id: people[sector_keys[file.sector_id]] for file in found},
            )
            for key, found in hits.items()
        }

    async def heard(self, since_ms: int) -> Heard:
        """What the feed has said of stored questions since `since_ms`, late commits included; one read."""

        async def look(tx: Tx) -> tuple[Sequence[Any], Sequence[Any]]:
            changed = await tx.rows(CHANGED, since=since_ms - _LATE_COMMIT_MS)
            return changed, await tx.rows("SELECT at_ms FROM cursors WHERE name = :name", name=FEED)

        changed, cursor = await self._db.look(look)
        return Heard({bytes(row.key): row.changed_at_ms for row in changed}, cursor[0].at_ms if cursor else 0)

    async def mark_changed(
        self, tx: Tx, keys: Iterable[LookupKey], now_ms: int, *, recent: bool
    ) -> set[LookupKey]:
        """Ends every older answer about `keys`. Returns: those whose answer somebody has asked for.

        `recent` marks also keys nobody asked about: the first question may be on its way at this moment.
        """
        blind = {self.blind_key(key): key for key in keys}
        x = tx.json_rows(("key", "blob"))
        sql = MARK_ALL if recent else MARK_KNOWN
        rows = await tx.rows(sql.format(x=x), rows=tx.pack([(key,) for key in sorted(blind)]), now=now_ms)
        return {blind[bytes(row.key)] for row in rows if row.fetched_at_ms}

    async def clear_marks(self, before_ms: int) -> int:
        """Removes up to 1000 marks of before `before_ms` on keys that nobody asked about. Returns: how many."""

        async def in_tx(tx: Tx) -> int:
            return await tx.run(CLEAR, before=before_ms)

        return await self._db.write(in_tx)

    async def files(self, person_ids: Iterable[int]) -> dict[int, Snapshot]:
        """The files of stored people as they were last answered, by our own id."""
        async with self._db.read() as tx:
            x = tx.json_rows(("id", "int"))
            rows = await tx.rows(PEOPLE.format(x=x), rows=tx.pack([(id_,) for id_ in sorted(person_ids)]))
        return {row.id: self.open(bytes(row.sector_key), bytes(row.snapshot_sealed)) for row in rows}

    async def sector_ids(self, person_ids: Iterable[int]) -> dict[int, str]:
        """The sector identifier of stored people, by our own id."""
        return {id_: file.sector_id for id_, file in (await self.files(person_ids)).items()}

    async def version(self, person_id: int, version: int) -> Snapshot | None:
        """A file as it was when it was judged by; None for one that was never stored."""
        async with self._db.read() as tx:
            found = await tx.rows(
                "SELECT p.sector_key, s.sealed FROM snapshots s JOIN people p ON p.id = s.person_id "
                "WHERE s.person_id = :person_id AND s.version = :version",
                person_id=person_id,
                version=version,
            )
        return self.open(bytes(found[0].sector_key), bytes(found[0].sealed)) if found else None

    def open(self, sector_key: bytes, sealed: bytes) -> Snapshot:
        """A sealed file of this person, of any version. Raises: KeyMissing, SealBroken."""
        return Snapshot.from_json(self._vault.open(sealed, aad("people", "snapshot", sector_key)))

    def _row(self, sector_key: bytes, file: Snapshot) -> tuple[Cell, ...]:
        text = file.to_json()
        sealed = self._vault.seal(text, aad("people", "snapshot", sector_key), self._vault.key_of(LASTING))
        return (sector_key, hashlib.blake2b(text, digest_size=16).digest(), sealed)
