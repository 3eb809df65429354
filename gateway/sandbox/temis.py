"""Stand-in for TEMIS: BDTX records by natural key, guarded by revision, with a log of every applied write.

Source: contracts/temis/README.md.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import orjson
from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from gateway.model.clock import Clock
from gateway.sandbox.faults import Faults, answer, problem
from gateway.temis.contract import BATCH_REQUEST, MAX_ITEMS, QUERY_REQUEST, NaturalKey, RecordItem

# What a record says, in the order it is kept; the key, the revision and our reference are no content.
CONTENT = ("programme", "periods", "score", "result", "completed_at", "vendor", "certificate_no", "withdrawn")
KEY = NaturalKey._fields
read_content = attrgetter(*CONTENT)
ITEM = TypeAdapter(RecordItem)
REFUSED_STATES = {  # state of an account -> code of the refusal
    "missing": "account_missing",
    "stopped": "account_stopped",
    "unit_missing": "unit_missing",
    "self_reported": "self_reported",
}


@dataclass(slots=True)
class Stored:
    """One record. `content` is JSON, so that equal content is equal bytes."""

    record_id: str
    content: bytes
    digest: str
    revision: int
    withdrawn: bool
    created: bool  # whether it ever was a record, and not from the start a withdrawal


class TemisStore:
    """All records, accounts and writes. Pure but for the clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.records: dict[NaturalKey, Stored] = {}
        self.accounts: dict[str, str] = {}  # sector id -> state; who is not in it has an active account
        self.unknown_modules: set[str] = set()
        self.items: Counter[str] = Counter()  # status or refusal code -> items answered
        self._writes: list[tuple[int, str, NaturalKey, str | None, str, int]] = []

    def apply(self, item: RecordItem) -> dict[str, Any]:
        """Store one item. Returns: its answer, as the contract's ItemAnswer."""
        if item.module_code in self.unknown_modules:
            return self._refused(item.key, "module_unknown")
        state = self.accounts.get(item.sector_id, "active")
        if state in REFUSED_STATES:
            return self._refused(item.key, REFUSED_STATES[state])
        key = item.key
        # Copied: orjson's own bytes keep a buffer of 4 kB alive, which is much for a million records.
        content = memoryview(orjson.dumps(read_content(item))).tobytes()
        stored = self.records.get(key)
        if stored is not None and item.revision < stored.revision:
            return self._answer(key, "stale", stored)
        if stored is not None and content == stored.content:
            stored.revision = item.revision
            return self._answer(key, "unchanged", stored)
        return self._write(item, key, content, stored)

    def malformed(self, sent: object) -> dict[str, Any]:
        """The answer to an item that is not the contract's: what can be read of its key, and the refusal."""
        fields = sent if isinstance(sent, dict) else {}
        return self._refused(NaturalKey(*(str(fields.get(name, "")) for name in KEY)), "malformed")

    def read_back(self, key: NaturalKey) -> dict[str, Any] | None:
        """The contract's StoredRecord; None when there is none."""
        stored = self.records.get(key)
        if stored is None:
            return None
        content = dict(zip(CONTENT, orjson.loads(stored.content), strict=True))
        return {**key._asdict(), **content, "revision": stored.revision, "record_id": stored.record_id}

    def forget(self, key: NaturalKey) -> bool:
        """Loses a record, as a restored backup does. Returns: whether there was one."""
        return self.records.pop(key, None) is not None

    def rewrite(self, key: NaturalKey, changes: dict[str, Any]) -> bool:
        """Changes fields of CONTENT, or `revision`, behind our back. Returns: whether there is one."""
        stored = self.records.get(key)
        if stored is None:
            return False
        content = dict(zip(CONTENT, orjson.loads(stored.content), strict=True))
        content |= {name: value for name, value in changes.items() if name in CONTENT}
        stored.content = orjson.dumps([content[name] for name in CONTENT])
        stored.withdrawn = bool(content["withdrawn"])
        stored.revision = int(changes.get("revision", stored.revision))
        return True

    def record_lines(self) -> Iterator[bytes]:
        """Every record as a line of JSON."""
        for key in list(self.records):
            yield orjson.dumps({"key": "/".join(key), **(self.read_back(key) or {})})

    def write_lines(self) -> Iterator[bytes]:
        """Every applied write as a line of JSON, oldest first."""
        for number, (at_ms, op, key, old, new, revision) in enumerate(list(self._writes), start=1):
            yield orjson.dumps(
                {
                    "seq": number,
                    "at_ms": at_ms,
                    "op": op,
                    "key": "/".join(key),
                    **key._asdict(),
                    "old_digest": old,
                    "new_digest": new,
                    "revision": revision,
                }
            )

    def stats(self) -> dict[str, Any]:
        return {"records": len(self.records), "writes": len(self._writes), "items": dict(self.items)}

    def _write(
        self, item: RecordItem, key: NaturalKey, content: bytes, stored: Stored | None
    ) -> dict[str, Any]:
        # The key is part of the digest: equal digests in the log are writes of the same thing.
        digest = hashlib.blake2b(content, digest_size=16, key="/".join(key).encode()[:64]).hexdigest()
        was_created = stored is not None and stored.created
        op = "withdrawn" if item.withdrawn else ("updated" if was_created else "created")
        record_id = stored.record_id if stored else f"bdtx-{len(self.records) + 1}"
        created = was_created or not item.withdrawn
        now = Stored(record_id, content, digest, item.revision, item.withdrawn, created)
        self.records[key] = now
        old = stored.digest if stored else None
        self._writes.append((self._clock.now_ms(), op, key, old, digest, item.revision))
        return self._answer(key, op, now)

    def _answer(self, key: NaturalKey, status: str, stored: Stored) -> dict[str, Any]:
        self.items[status] += 1
        return {
            "sector_id": key.sector_id,
            "module_code": key.module_code,
            "school_year": key.school_year,
            "status": status,
            "record_id": stored.record_id,
            "revision": stored.revision,
        }

    def _refused(self, key: NaturalKey, code: str) -> dict[str, Any]:
        self.items[code] += 1
        return {**key._asdict(), "status": "refused", "code": code}


class TemisDesk:
    """The two calls of the contract, over HTTP."""

    def __init__(self, store: TemisStore, faults: Faults) -> None:
        self._store = store
        self._faults = faults

    async def batch(self, request: web.Request) -> web.Response:
        """POST /temis/bdtx/records:batch"""
        body = await request.read()
        try:
            items: Sequence[RecordItem | object] = BATCH_REQUEST.validate_json(body).items
        except ValidationError:
            sent = _listed(body, "items")
            if isinstance(sent, web.Response):
                return sent
            items = [_one(item) for item in sent]
        present = [item for item in items if isinstance(item, RecordItem)]
        if fault := self._faults.poison(lambda: {item.sector_id for item in present}):
            return answer(fault)
        store = self._store
        answers = [
            store.apply(item) if isinstance(item, RecordItem) else store.malformed(item) for item in items
        ]
        return web.Response(body=orjson.dumps({"answers": answers}), content_type="application/json")

    async def query(self, request: web.Request) -> web.Response:
        """POST /temis/bdtx/records:query"""
        body = await request.read()
        try:
            keys = QUERY_REQUEST.validate_json(body).keys
        except ValidationError:
            sent = _listed(body, "keys")
            return sent if isinstance(sent, web.Response) else problem(422, "a key is not the contract's")
        records = [self._store.read_back(NaturalKey(k.sector_id, k.module_code, k.school_year)) for k in keys]
        return web.Response(body=orjson.dumps({"records": records}), content_type="application/json")


def _listed(body: bytes, name: str) -> list[object] | web.Response:
    """The list of an envelope whose parts do not all fit, or the refusal of the envelope."""
    try:
        envelope = orjson.loads(body)
    except orjson.JSONDecodeError:
        return problem(400, "not JSON")
    sent = envelope.get(name) if isinstance(envelope, dict) else None
    if not isinstance(sent, list):
        return problem(400, f"no list of {name}")
    if len(sent) > MAX_ITEMS:
        return problem(413, f"more than {MAX_ITEMS} {name}")
    return sent if sent else problem(422, f"no {name}")


def _one(sent: object) -> RecordItem | object:
    try:
        return ITEM.validate_json(orjson.dumps(sent))
    except ValidationError:
        return sent
