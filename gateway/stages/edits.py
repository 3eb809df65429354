"""Edit and resend: an identifier, a course or a school year that is plainly wrong, changed by two people.

A patch of the same delivery, never a revision: score, result and date change only by the vendor. The item as it
was sent stays in the payload, and the whole payload as it was until then stays with the edit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import bindparam, insert, update

from gateway.bdtx.school_years import is_school_year
from gateway.model.clock import Clock
from gateway.model.completion import Completion
from gateway.model.errors import NotFound, Refused
from gateway.queue import acts, payloads
from gateway.security.vault import Vault, aad
from gateway.storage import tables
from gateway.storage.audit import append
from gateway.storage.engine import Database, Tx
from gateway.storage.rows import Cell

EDITABLE = ("held", "dead")
MAX_IDENTIFIER = 64

READ = """
SELECT e.id, e.delivery_id, e.version, e.fields, e.change_sealed, e.why, e.proposed_by, e.proposed_at_ms,
       e.decided_by, e.decided_at_ms, e.decision, d.vendor_id, d.event_id, d.revision, d.state
FROM edits e JOIN deliveries d ON d.id = e.delivery_id"""


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be changed; None leaves a field as it is. `course`: another course of the same vendor."""

    identifier: str | None = None
    course: str | None = None
    school_year: str | None = None

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(
            name for name in ("identifier", "course", "school_year") if getattr(self, name) is not None
        )

    def __repr__(self) -> str:
        return f"Change({', '.join(self.fields)})"  # no value, wherever it is printed


@dataclass(frozen=True, slots=True)
class Edit:
    """One proposed or decided edit, without its values."""

    id: int
    delivery_id: int
    version: int
    fields: tuple[str, ...]
    why: str
    proposed_by: str
    proposed_at_ms: int
    decided_by: str | None
    decided_at_ms: int | None
    decision: str | None


class Edits:
    """Proposes and decides edits. One instance per process."""

    def __init__(self, db: Database, clock: Clock, vault: Vault) -> None:
        self._db = db
        self._clock = clock
        self._vault = vault

    async def propose(self, delivery_id: int, change: Change, why: str, by: str) -> Edit:
        """Keeps the change sealed until somebody else decides. Raises: NotFound; Refused."""
        if not change.fields:
            raise Refused("an edit changes the identifier, the course or the school year", "edit_empty")
        if change.school_year is not None and not is_school_year(change.school_year):
            raise Refused("a school year is written 2025-2026", "edit_school_year")
        if change.identifier is not None and not 0 < len(change.identifier) <= MAX_IDENTIFIER:
            raise Refused("an identifier has 1 to 64 characters", "edit_identifier")

        async def in_tx(tx: Tx) -> int:
            rows = await tx.rows("SELECT vendor_id, state FROM deliveries WHERE id = :id", id=delivery_id)
            if not rows:
                raise NotFound(f"there is no delivery {delivery_id}")
            if rows[0].state not in EDITABLE:
                raise Refused("only what is held or dead can be edited", "edit_state")
            if change.course is not None and not await tx.rows(
                "SELECT 1 FROM courses WHERE vendor_id = :vendor_id AND course_key = :course",
                vendor_id=rows[0].vendor_id,
                course=change.course,
            ):
                raise NotFound("this vendor has sent no course with this id")
            [newest] = await tx.rows(
                "SELECT COALESCE(MAX(version), 0) AS version, "
                "COUNT(*) - COUNT(decision) AS undecided FROM edits WHERE delivery_id = :id",
                id=delivery_id,
            )
            if newest.undecided:
                raise Refused("an edit of this delivery waits for a decision", "edit_waiting")
            version, now = int(newest.version) + 1, self._clock.now_ms()
            plain = orjson.dumps({name: getattr(change, name) for name in change.fields})
            row: dict[str, Cell] = {
                "delivery_id": delivery_id,
                "version": version,
                "fields": orjson.dumps(change.fields).decode(),
                "change_sealed": self._vault.seal(plain, _place("change", delivery_id, version)),
                "why": why,
                "proposed_by": by,
                "proposed_at_ms": now,
            }
            await tx.insert_many(insert(tables.edits), [row])
            told = {"fields": change.fields, "version": version}
            await append(tx, now, by, "edit.propose", f"delivery:{delivery_id}", **told)
            return version

        version = await self._db.write(in_tx)
        return next(edit for edit in await self.of(delivery_id) if edit.version == version)

    async def approve(self, edit_id: int, by: str) -> Edit:
        """Applies it and sets the delivery going again, verified anew. Raises: NotFound; Refused; KeyMissing.

        Who proposed it does not decide it.
        """
        row = await self._undecided(edit_id, by)
        bodies = await payloads.load(self._db, self._vault, [row.delivery_id])
        if row.delivery_id not in bodies:
            raise Refused("what was sent is past its retention", "edit_payload")
        body = bodies[row.delivery_id]
        place = (row.vendor_id, row.event_id, row.revision)
        completion, item = payloads.open_body(self._vault, *place, body)
        sealed = bytes(row.change_sealed)
        change = orjson.loads(self._vault.open(sealed, _place("change", row.delivery_id, row.version)))
        edited = payloads.seal(self._vault, row.vendor_id, patched(completion, change), item)

        async def in_tx(tx: Tx) -> None:
            now = self._clock.now_ms()
            await self._decide(tx, row, by, "approved", now, before=body)
            statement = update(tables.payloads).where(tables.payloads.c.delivery_id == bindparam("of"))
            await tx.insert_many(statement, [{"of": row.delivery_id, "body": edited}])
            if not await acts.replay_in(tx, [row.delivery_id], now, verify_again=True, trigger="edit"):
                raise Refused("only what is held or dead can be edited", "edit_state")

        await self._db.write(in_tx)
        return await self._find(edit_id)

    async def reject(self, edit_id: int, by: str) -> Edit:
        """Nothing changes; that it was proposed stays. Raises: NotFound; Refused."""
        row = await self._undecided(edit_id, None)
        await self._db.write(lambda tx: self._decide(tx, row, by, "rejected", self._clock.now_ms()))
        return await self._find(edit_id)

    async def of(self, delivery_id: int) -> list[Edit]:
        """The edits of one delivery, oldest first."""
        async with self._db.read() as tx:
            sql = READ + " WHERE e.delivery_id = :id ORDER BY e.version"
            return [_edit(row) for row in await tx.rows(sql, id=delivery_id)]

    async def waiting(self, *, after: int = 0, limit: int = 50) -> list[Edit]:
        """0..limit edits that nobody has decided, oldest first."""
        sql = READ + " WHERE e.decision IS NULL AND e.id > :after ORDER BY e.id LIMIT :limit"
        async with self._db.read() as tx:
            return [_edit(row) for row in await tx.rows(sql, after=after, limit=limit)]

    async def _find(self, edit_id: int) -> Edit:
        return _edit(await self._row(edit_id))

    async def _row(self, edit_id: int) -> Any:
        async with self._db.read() as tx:
            rows = await tx.rows(READ + " WHERE e.id = :id", id=edit_id)
        if not rows:
            raise NotFound(f"there is no edit {edit_id}")
        return rows[0]

    async def _undecided(self, edit_id: int, by: str | None) -> Any:
        row = await self._row(edit_id)
        if row.decision is not None:
            raise Refused("this edit is decided already", "edit_decided")
        if row.proposed_by == by:
            raise Refused("an edit is approved by somebody else than who proposed it", "edit_same_person")
        return row

    async def _decide(
        self, tx: Tx, row: Any, by: str, decision: str, now: int, *, before: bytes | None = None
    ) -> None:
        changed = await tx.rows(
            "UPDATE edits SET decided_by = :by, decided_at_ms = :now, decision = :decision "
            "WHERE id = :id AND decision IS NULL RETURNING id",
            id=row.id,
            by=by,
            now=now,
            decision=decision,
        )
        if not changed:
            raise Refused("this edit is decided already", "edit_decided")
        if before is not None:
            statement = update(tables.edits).where(tables.edits.c.id == bindparam("of"))
            await tx.insert_many(statement, [{"of": row.id, "before_sealed": before}])
        told = {"fields": orjson.loads(row.fields), "version": row.version, "proposed_by": row.proposed_by}
        verb = "approve" if decision == "approved" else "reject"
        await append(tx, now, by, f"edit.{verb}", f"delivery:{row.delivery_id}", **told)


def patched(completion: Completion, change: Mapping[str, str]) -> Completion:
    """The completion with other identifier, course or school year; everything else as it was sent."""
    claim, course = completion.claim, completion.course
    if "identifier" in change:
        claim = claim.replace(identifier=change["identifier"])
    if "course" in change:
        course = course.replace(course_id=change["course"], module_hint=None)
    if "school_year" in change:
        course = course.replace(school_year=change["school_year"])
    return completion.replace(claim=claim, course=course)


def _edit(row: Any) -> Edit:
    return Edit(
        row.id,
        row.delivery_id,
        row.version,
        tuple(orjson.loads(row.fields)),
        row.why,
        row.proposed_by,
        row.proposed_at_ms,
        row.decided_by,
        row.decided_at_ms,
        row.decision,
    )


def _place(name: str, delivery_id: int, version: int) -> bytes:
    return aad("edits", name, delivery_id, version)
