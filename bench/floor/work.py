"""What is computed between two writes: parsing, digests, sealing, blind indexes, judging, mapping.

All of it by the gateway's own functions, in the order of its stages; the registry's answers are at hand.
"""

import hashlib
import time
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, NamedTuple

import orjson

from bench.floor.rows import Arrived, Delivered, Verified
from bench.processes import Failed
from gateway.bdtx.modules import Module, find
from gateway.connectors import discover
from gateway.connectors.slicing import Slice, slice_body
from gateway.identity.case import Case, keys_of
from gateway.identity.judge import judge
from gateway.identity.policy import load as load_policy
from gateway.identity.waits import account_key
from gateway.model.clock import day_number, local_date
from gateway.model.completion import Completion, Role
from gateway.model.merge import rank
from gateway.model.person import Answer, IdentifierType, LookupKey, Snapshot
from gateway.queue import payloads
from gateway.queue.vendors import Vendor
from gateway.sandbox.roster import StaffRow
from gateway.security.blind import BlindIndex
from gateway.security.digests import content_digest
from gateway.security.vault import LASTING, Vault, aad
from gateway.temis.mapping import to_item

Parsed = Sequence[tuple[Slice, Completion]]
Opened = Sequence[tuple[int, Completion]]


class Place(NamedTuple):
    """A verified completion on its way: the record it stands for."""

    delivery_id: int
    completion: Completion
    record_id: int
    sector_id: str
    module: Module
    school_year: str


class Work:
    """Computes the cells of all rows. `people`: everybody the registry would answer with."""

    def __init__(
        self, vault: Vault, blind: BlindIndex, digest_key: bytes, vendor: Vendor, people: Iterable[StaffRow]
    ) -> None:
        self._vault = vault
        self._blind = blind
        self._digest_key = digest_key
        self._vendor = vendor
        self._connector = discover()[vendor.connector]
        self._policy = load_policy()
        self._files = {key: file for row in people for key, file in answers_of(row)}
        self._known: dict[LookupKey, int] = {}  # whom we have asked about -> our id
        self._records = 0
        self._deliveries = 0

    def parse(self, body: bytes) -> Parsed:
        parsed = []
        for piece in slice_body(body):
            assert piece.item is not None
            parsed.append((piece, self._connector.normalize(piece.item)))
        return parsed

    def arrive(self, parsed: Parsed) -> Arrived:
        now, vendor = _now(), self._vendor
        deliveries, bodies = [], []
        for piece, completion in parsed:
            self._deliveries += 1
            digest = content_digest(self._digest_key, piece.item, self._connector.volatile)
            deliveries.append(
                (self._deliveries, vendor.id, completion.event_id, completion.revision, digest, now,
                 day_number(now), vendor.lane, now, now)
            )  # fmt: skip
            bodies.append((self._deliveries, payloads.seal(self._vault, vendor.id, completion, piece.raw)))
        return Arrived([(vendor.id, day_number(now), len(deliveries), now)], deliveries, bodies)

    def open(self, claimed: Iterable[tuple[int, str, int, bytes]]) -> Opened:
        """(id, event id, revision, sealed body) -> completions."""
        vendor_id = self._vendor.id
        return [
            (id_, payloads.open_body(self._vault, vendor_id, event_id, revision, body)[0])
            for id_, event_id, revision, body in claimed
        ]

    def verify(self, opened: Opened) -> tuple[Verified, list[Place]]:
        now, cells, places = _now(), Verified([], [], [], [], [], [], [], []), []
        for id_, completion in opened:
            [key] = keys_of(completion.claim)
            account = self._blind.index("account", account_key(completion.vendor, completion.claim.lms_user_id))
            lookup = self._blind.index(f"lookup.{key.type}", key.value)
            file = self._files[key]
            completed_on = local_date(completion.completed_at_ms)
            answers = {key: Answer(hits=(file,), fetched_at_ms=now, live=key not in self._known)}
            verdict = judge(Case(completion.claim, completed_on, answers, completion.vendor), self._policy)
            module = find(completion.course.module_hint or "")
            if not verdict.verified or module is None:
                raise Failed(f"the floor's data is not all deliverable: {verdict.reason}")
            if key not in self._known:
                self._add_person(cells, key, lookup, file, account, completion, id_, now)
            person_id = self._known[key]
            self._records += 1
            year = str(completion.course.school_year)
            result = completion.result
            place = rank(bool(result.passed), result.score_hundredths, completion.completed_at_ms)
            findings = [[f.code, f.effect.value, f.detail] if f.detail else [f.code, f.effect.value]
                        for f in verdict.findings]  # fmt: skip
            _add(cells.records, (self._records, person_id, module.code, year, id_))
            _add(cells.deliveries, (now + 60_000, now, person_id, self._records, place, now, id_))
            _add(cells.attempts, (id_, now, "verify", "verified", "verified", None, None, None))
            _add(cells.verifications, (id_, now, verdict.rung, person_id, 0, verdict.policy_version,
                                       orjson.dumps(findings).decode()))  # fmt: skip
            places.append(Place(id_, completion, self._records, file.sector_id, module, year))
        return cells, places

    def deliver(self, places: Iterable[Place]) -> Delivered:
        now, cells = _now(), Delivered([], [], [])
        for place in places:
            item = to_item(
                place.completion, sector_id=place.sector_id, module_code=place.module.code,
                school_year=place.school_year, revision=1, programme=place.module.programme,
                periods=place.module.periods, delivery=str(place.delivery_id),
            )  # fmt: skip
            sent = hashlib.blake2b(item.model_dump_json().encode(), digest_size=8).hexdigest()
            _add(cells.deliveries, (now, place.delivery_id))
            _add(cells.attempts, (place.delivery_id, now, "deliver", "created", "delivered", 200, 5, sent))
            _add(cells.records, (place.delivery_id, f"bdtx-{place.record_id}", place.record_id))
        return cells

    def _add_person(
        self, cells: Verified, key: LookupKey, lookup: bytes, file: Snapshot, account: bytes,
        completion: Completion, delivery_id: int, now: int,
    ) -> None:  # fmt: skip
        id_ = self._known[key] = len(self._known) + 1
        lasting, vendor_id, claim = self._vault.key_of(LASTING), self._vendor.id, completion.claim
        sector_key = self._blind.index("sector_id", file.sector_id)
        text = file.to_json()
        digest = hashlib.blake2b(text, digest_size=16).digest()
        sealed = self._vault.seal(text, aad("people", "snapshot", sector_key), lasting)
        said = orjson.dumps([claim.lms_user_id, claim.full_name, claim.birth_date])
        told = self._vault.seal(said, aad("claimants", "sealed", vendor_id, account, id_), lasting)
        _add(cells.people, (id_, sector_key, digest, sealed, now))
        _add(cells.snapshots, (id_, sealed, now))
        _add(cells.lookups, (lookup, f"[{id_}]", now))
        _add(cells.claimants, (vendor_id, id_, account, told, delivery_id, now))


def answers_of(row: StaffRow) -> Iterable[tuple[LookupKey, Snapshot]]:
    """What the registry would answer about this person, under each key they are asked by."""
    file = Snapshot(
        sector_id=row.sector_id, full_name=row.full_name, birth_date=date.fromisoformat(row.birth_date),
        gender=row.gender, unit_code=row.unit_code, unit_name=row.unit_name, role=Role(row.role),
        status=row.status, status_since=date.fromisoformat(row.status_since),
    )  # fmt: skip
    yield LookupKey(IdentifierType.SECTOR, row.sector_id), file
    yield LookupKey(IdentifierType.PERSONAL, row.citizen_id), file


def _add(cells: Any, row: tuple[Any, ...]) -> None:
    cells.append(row)


def _now() -> int:
    return time.time_ns() // 1_000_000
