"""Where is my result? What a learner has in hand -> the completions it means, within the viewer's units.

A search never says more than a list would: what belongs to another unit is as if it were not there.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any

from gateway.bdtx.places import Within
from gateway.identity.identifier import read
from gateway.identity.masking import mask
from gateway.queue.vendors import names_in
from gateway.stages.cases import keys
from gateway.stages.cases.failures import among
from gateway.stages.cases.opened import open_all
from gateway.stages.cases.sight import Desk, Sight
from gateway.storage.audit import append
from gateway.storage.engine import Tx

LONGEST = 50
MAX_TYPED = 200


class Kind(StrEnum):
    """What is searched by."""

    IDENTIFIER = "identifier"
    NAME = "name"
    CERTIFICATE = "certificate"
    COURSE = "course"
    RECEIPT = "receipt"
    EVENT = "event"


_FROM = """
SELECT c.delivery_id, c.vendor_id, c.received_at_ms, c.state AS listed, c.registry_unit, c.claimed_unit,
       c.school_code, c.course_key, c.module_code, d.event_id, d.revision, d.state, d.reason, d.changed_at_ms,
       d.due_at_ms, r.temis_record_id, r.sent_id
FROM cases c JOIN deliveries d ON d.id = c.delivery_id LEFT JOIN records r ON r.id = d.record_id"""
_END = f"ORDER BY c.delivery_id DESC LIMIT {LONGEST}"
BY_KEY = f"{_FROM} WHERE {{where}} c.{{column}} = :key {_END}"
BY_PERSON = f"""{_FROM} WHERE {{where}} c.registry_unit IS NOT NULL
AND c.person_id = (SELECT p.id FROM people p WHERE p.sector_key = :key) {_END}"""
BY_COURSE = f"{_FROM} WHERE {{where}} c.{{column}} = :typed {_END}"
BY_RECEIPT = f"{_FROM} WHERE {{where}} c.delivery_id = :id {_END}"
BY_EVENT = f"""{_FROM} WHERE {{where}} d.event_id = :typed AND d.vendor_id IN (SELECT id FROM vendors) {_END}"""


@dataclass(frozen=True, slots=True)
class Found:
    """One completion that the search means."""

    id: int
    vendor: str
    event_id: str
    state: str
    reason: str | None
    received_at_ms: int
    changed_at_ms: int
    school_code: str | None
    course: str | None
    module_code: str | None
    is_in_temis: bool  # by this very completion
    full_name: str | None = field(repr=False)
    birth_date: date | None = field(repr=False)
    identifier: str | None
    completed_at_ms: int | None


async def search(desk: Desk, sight: Sight, limit: Within, kind: Kind, typed: str) -> tuple[Found, ...]:
    """0..LONGEST completions, the newest first. That somebody searched is audited, what for is not."""
    typed = typed.strip()[:MAX_TYPED]
    where, fill = among(limit)
    async with desk.db.read() as tx:
        rows = await _rows(desk, tx, where, fill, kind, typed) if typed else []
        vendors = await names_in(tx)
    newest = sorted({row.delivery_id: row for row in rows}.values(), key=lambda row: -row.delivery_id)[:LONGEST]
    sent = await open_all(desk, newest) if sight.may("case.values_sent") else {}
    await _note(desk, sight, kind, len(newest))
    return tuple(_found(row, vendors[row.vendor_id], sent.get(row.delivery_id)) for row in newest)


async def _rows(desk: Desk, tx: Tx, where: str, fill: dict[str, str], kind: Kind, typed: str) -> Sequence[Any]:
    match kind:
        case Kind.RECEIPT:
            digits = typed.lstrip("#")
            if not (digits.isascii() and digits.isdigit() and len(digits) < 19):
                return []
            return await tx.rows(BY_RECEIPT.format(where=where), **fill, id=int(digits))
        case Kind.EVENT:
            return await tx.rows(BY_EVENT.format(where=where), **fill, typed=typed)
        case Kind.COURSE:
            code = "".join(typed.upper().split()).replace("-", "")
            by_key = BY_COURSE.format(where=where, column="course_key")
            by_module = BY_COURSE.format(where=where, column="module_code")
            found = [*await tx.rows(by_key, **fill, typed=typed)]
            return [*found, *await tx.rows(by_module, **fill, typed=code)]
        case Kind.IDENTIFIER:
            wanted = keys.identifier_keys(desk.blind, typed)
            found = [*await _by_key(tx, where, fill, "identifier_key", wanted)]
            people = [k for key in read(typed).keys for k in desk.blind.all("sector_id", key.value)]
            for person in people:
                found += await tx.rows(BY_PERSON.format(where=where), **fill, key=person)
            return found
        case Kind.NAME:
            return await _by_key(tx, where, fill, "name_key", keys.name_keys(desk.blind, typed))
        case Kind.CERTIFICATE:
            return await _by_key(tx, where, fill, "certificate_key", keys.certificate_keys(desk.blind, typed))


async def _by_key(
    tx: Tx, where: str, fill: dict[str, str], column: str, wanted: Sequence[bytes]
) -> Sequence[Any]:
    sql = BY_KEY.format(where=where, column=column)
    found: list[Any] = []
    for key in wanted:  # a few forms of one value, and the keys of before a rotation
        found += await tx.rows(sql, **fill, key=key)
    return found


async def _note(desk: Desk, sight: Sight, kind: Kind, found: int) -> None:
    async def note(tx: Tx) -> None:
        await append(tx, desk.clock.now_ms(), sight.viewer.login, "result.search", kind.value, found=found)

    await desk.db.write(note)


def _found(row: Any, vendor: str, sent: Any) -> Found:
    number = sent.claim.identifier if sent else None
    return Found(
        id=row.delivery_id,
        vendor=vendor,
        event_id=row.event_id,
        state=row.state,
        reason=row.reason,
        received_at_ms=row.received_at_ms,
        changed_at_ms=row.changed_at_ms,
        school_code=row.school_code,
        course=(sent.course.title or sent.course.course_code or row.course_key) if sent else row.course_key,
        module_code=row.module_code,
        is_in_temis=row.state == "delivered" and row.sent_id == row.delivery_id,
        full_name=sent.claim.full_name if sent else None,
        birth_date=sent.claim.birth_date if sent else None,
        identifier=mask(number) if number else None,
        completed_at_ms=sent.completed_at_ms if sent else None,
    )
