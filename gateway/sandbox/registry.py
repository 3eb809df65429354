"""Stand-in for the sector database (CSDL ngành): look-up, search and change feed over a roster.

Source: contracts/registry/README.md.
"""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import orjson
from aiohttp import web
from pydantic import ValidationError

from gateway.identity.registry_contract import LOOKUP_REQUEST, MAX_IDENTIFIERS, SEARCH_REQUEST
from gateway.model.clock import Clock
from gateway.model.person import IdentifierType, LookupKey
from gateway.sandbox.faults import problem
from gateway.sandbox.roster import COLUMNS, StaffRow

PAGE = 1000  # changes in one page at most
CARD_TYPES = {12: IdentifierType.PERSONAL, 9: IdentifierType.OLD_CARD}  # by length of citizen_id
FILE = tuple(column for column in COLUMNS if column != "citizen_id")  # the personal number stays here


class StaffStore:
    """All files and their changes. Two files may share an identifier, as they do in reality."""

    def __init__(self, people: Iterable[StaffRow], clock: Clock) -> None:
        self._clock = clock
        self._by_key: defaultdict[LookupKey, list[StaffRow]] = defaultdict(list)
        self._by_name: defaultdict[tuple[str, str], list[StaffRow]] = defaultdict(list)
        self._changes: list[tuple[int, tuple[LookupKey, ...]]] = []
        self.people = 0
        self.asked: Counter[str] = Counter()  # identifiers and searches answered
        for person in people:
            self._add(person)

    def hits(self, key: LookupKey) -> list[StaffRow]:
        """Every file with this identifier."""
        return self._by_key.get(key, [])

    def named(self, full_name: str, birth_date: str) -> list[StaffRow]:
        """Every file with this name, case and spacing aside, and this birth date."""
        return self._by_name.get((_folded(full_name), birth_date), [])

    def put(self, old: StaffRow | None, new: StaffRow) -> None:
        """Replace one file, or add one, and tell the change feed both what it was and what it is."""
        if old is not None:
            for key in _keys(old):
                self._by_key[key].remove(old)
            self._by_name[_folded(old.full_name), old.birth_date].remove(old)
            self.people -= 1
        self._add(new)
        keys = dict.fromkeys((*(_keys(old) if old else ()), *_keys(new)))
        self._changes.append((self._clock.now_ms(), tuple(keys)))

    def changes(self, since: int, limit: int) -> dict[str, Any]:
        """The contract's ChangesAnswer: the changes after the first `since`."""
        page = self._changes[since : since + limit]
        after = since + len(page)
        return {
            "changes": [
                {"changed_at": _instant(at_ms), "identifiers": [key._asdict() for key in keys]}
                for at_ms, keys in page
            ],
            "next": str(after),
            "more": after < len(self._changes),
            "as_of": _instant(self._clock.now_ms()),
        }

    def stats(self) -> dict[str, Any]:
        return {"people": self.people, "changes": len(self._changes), "asked": dict(self.asked)}

    def _add(self, person: StaffRow) -> None:
        for key in _keys(person):
            self._by_key[key].append(person)
        self._by_name[_folded(person.full_name), person.birth_date].append(person)
        self.people += 1


class RegistryDesk:
    """The three calls of the contract, over HTTP."""

    def __init__(self, store: StaffStore) -> None:
        self._store = store

    async def lookup(self, request: web.Request) -> web.Response:
        """POST /registry/staff:lookup"""
        body = await request.read()
        try:
            asked = LOOKUP_REQUEST.validate_json(body).identifiers
        except ValidationError as error:
            if any(fault["type"] == "too_long" for fault in error.errors(include_input=False)):
                return problem(413, f"more than {MAX_IDENTIFIERS} identifiers")
            return problem(400, "not the contract's look-up")
        self._store.asked["identifiers"] += len(asked)
        answers = [
            {
                "type": one.type,
                "value": one.value,
                "hits": [_file(row) for row in self._store.hits(LookupKey(one.type, one.value))],
            }
            for one in asked
        ]
        return web.Response(body=orjson.dumps({"answers": answers}), content_type="application/json")

    async def search(self, request: web.Request) -> web.Response:
        """POST /registry/staff:search"""
        try:
            asked = SEARCH_REQUEST.validate_json(await request.read())
        except ValidationError:
            return problem(400, "not the contract's search")
        self._store.asked["searches"] += 1
        rows = self._store.named(asked.full_name, asked.birth_date.isoformat())
        return web.Response(
            body=orjson.dumps({"hits": [_file(row) for row in rows]}), content_type="application/json"
        )

    async def changes(self, request: web.Request) -> web.Response:
        """GET /registry/changes?since=&limit="""
        since, limit = request.query.get("since") or "0", request.query.get("limit") or str(PAGE)
        if not (since.isdecimal() and limit.isdecimal()):
            return problem(400, "since is no cursor of this feed, or limit no number")
        page = self._store.changes(int(since), max(1, min(int(limit), PAGE)))
        return web.Response(body=orjson.dumps(page), content_type="application/json")


def _keys(person: StaffRow) -> tuple[LookupKey, ...]:
    sector = LookupKey(IdentifierType.SECTOR, person.sector_id)
    card = CARD_TYPES.get(len(person.citizen_id))
    return (sector, LookupKey(card, person.citizen_id)) if card else (sector,)


def _file(person: StaffRow) -> dict[str, str | None]:
    """The contract's StaffFile."""
    return {name: getattr(person, name) or None for name in FILE}


def _folded(name: str) -> str:
    return " ".join(unicodedata.normalize("NFC", name).casefold().split())


def _instant(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")
