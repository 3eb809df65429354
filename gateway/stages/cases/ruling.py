"""Adjudication: which of several files is meant, that none is, or that an account has changed hands.

Nobody can confirm against the sector database: a choice only confirms the link of the LMS account to the file's
own identifier, and the case is judged again by the same rules. Each needs a note; while the case is still held
it can be taken back.
"""

from enum import StrEnum

from gateway.bdtx.scope import OnFile
from gateway.model.errors import Refused
from gateway.model.states import State
from gateway.security.vault import LASTING, aad
from gateway.stages.cases.reading import Case, Ruling
from gateway.stages.cases.sight import Desk, Sight
from gateway.stages.links import Links
from gateway.storage.audit import append
from gateway.storage.engine import Tx
from gateway.storage.rows import Cell
from gateway.storage.tables import rulings

LONGEST_NOTE = 1_000
REASON = "adjudicated"
ALLOWED = "change_allowed"  # the reason in words is the sealed note: people write names into it
CHANGED = "account.identifier_changed"
# Where an approver may say that nothing more is to be done: the cause lies with the person, not with a system.
CLOSABLE = ("registry.", "account.", "attribute.")
LAST_CHOICE = """
SELECT act, link_version FROM rulings WHERE delivery_id = :id ORDER BY id DESC LIMIT 1"""
SETTLE = "UPDATE cases SET settled = :settled WHERE delivery_id = :id"


class Act(StrEnum):
    """What an approver may rule; `allow` is the school admin's too."""

    CHOOSE = "choose"
    ALLOW = "allow"
    REJECT = "reject"
    REOPEN = "reopen"


def may_choose(case: Case) -> bool:
    """Whether there is a file of the viewer's to choose."""
    return case.is_held and any(hit.file is not None for hit in case.hits)


def may_allow(case: Case) -> bool:
    """Whether a change of the account waits for a decision and the new person's file is the viewer's."""
    return case.is_held and case.reason == CHANGED and case.file is not None and case.found_id is not None


def may_reject(case: Case) -> bool:
    """Whether the case can be closed as it is."""
    is_open = case.ruling is None or case.ruling.act == Act.REOPEN
    return case.is_held and is_open and (case.reason or "").startswith(CLOSABLE)


def may_reopen(case: Case) -> bool:
    """Whether the last ruling can be taken back: while the case is held, nothing has followed from it."""
    return case.is_held and case.ruling is not None and case.ruling.act != Act.REOPEN


async def choose(desk: Desk, sight: Sight, links: Links, case: Case, person_id: int, note: str) -> int:
    """This file is meant: judged again by its identifier. Returns: held deliveries judged again.

    Raises: Refused when the file is not among the viewer's hits, or the case waits no longer.
    """
    file = next((hit.file for hit in case.hits if hit.person_id == person_id), None)
    if file is None or case.sent is None or not may_choose(case):
        raise Refused("there is no such file to choose", "ruling.no_choice")
    lms_user_id, login = case.sent.claim.lms_user_id, sight.viewer.login
    sector_id = file.sector_id

    async def in_tx(tx: Tx) -> int:
        await _still_held(tx, case.id)
        linked = await links.confirm_in(
            tx, case.vendor_id, case.vendor, lms_user_id, sector_id, person_id, by=login, reason=REASON
        )
        await _write(desk, sight, tx, case, Act.CHOOSE, note, person_id, linked.version)
        return linked.woken

    return await desk.db.write(in_tx)


async def allow(desk: Desk, sight: Sight, links: Links, case: Case, person_id: int, note: str) -> int:
    """The account belongs to this person from now on, though results went to another. Returns: judged again.

    Raises: Refused when no such change waits, when its file is another unit's, or is not the one that was read.
    """
    file = case.file
    if file is None or case.sent is None or person_id != case.found_id or not may_allow(case):
        raise Refused("there is no such change to allow", "ruling.no_change")
    lms_user_id, login = case.sent.claim.lms_user_id, sight.viewer.login
    sector_id = file.sector_id

    async def in_tx(tx: Tx) -> int:
        await _still_held(tx, case.id)
        linked = await links.confirm_in(
            tx, case.vendor_id, case.vendor, lms_user_id, sector_id, person_id, by=login, reason=ALLOWED
        )
        await _write(desk, sight, tx, case, Act.ALLOW, note, person_id, linked.version)
        return linked.woken

    return await desk.db.write(in_tx)


async def reject(desk: Desk, sight: Sight, case: Case, note: str) -> None:
    """Nothing more is to be done here. It stays held: the learner's own correction still wakes it."""
    if not may_reject(case):
        raise Refused("this case cannot be closed by a ruling", "ruling.no_reject")

    async def in_tx(tx: Tx) -> None:
        await _still_held(tx, case.id)
        await _write(desk, sight, tx, case, Act.REJECT, note, None, None)
        await tx.run(SETTLE, settled=1, id=case.id)

    await desk.db.write(in_tx)


async def reopen(desk: Desk, sight: Sight, links: Links, case: Case, note: str) -> int:
    """Takes the last ruling back. Returns: held deliveries judged again."""
    if not may_reopen(case) or case.sent is None:
        raise Refused("there is no ruling to take back", "ruling.no_reopen")
    lms_user_id = case.sent.claim.lms_user_id

    async def in_tx(tx: Tx) -> int:
        await _still_held(tx, case.id)
        [last] = await tx.rows(LAST_CHOICE, id=case.id)
        woken = 0
        if last.act in (Act.CHOOSE, Act.ALLOW) and last.link_version is not None:
            woken = await links.undo_in(tx, case.vendor_id, case.vendor, lms_user_id, last.link_version)
        await _write(desk, sight, tx, case, Act.REOPEN, note, None, None)
        await tx.run(SETTLE, settled=0, id=case.id)
        return woken

    return await desk.db.write(in_tx)


def note_of(desk: Desk, ruling: Ruling, delivery_id: int) -> str:
    """The approver's note."""
    return desk.vault.open(ruling.note_sealed, _place(delivery_id, ruling.at_ms)).decode()


async def _write(
    desk: Desk,
    sight: Sight,
    tx: Tx,
    case: Case,
    act: Act,
    note: str,
    person_id: int | None,
    link_version: int | None,
) -> None:
    """The ruling and its line in the audit, which has no note: people write names into notes."""
    if not note or len(note) > LONGEST_NOTE:
        raise Refused("a ruling needs a note", "ruling.note")
    now = desk.clock.now_ms()
    row: dict[str, Cell] = {
        "delivery_id": case.id,
        "at_ms": now,
        "actor": sight.viewer.login,
        "act": act.value,
        "person_id": person_id,
        "link_version": link_version,
        "note_sealed": desk.vault.seal(note.encode(), _place(case.id, now), desk.vault.key_of(LASTING)),
    }
    await tx.insert_many(rulings.insert(), [row])
    about = f"delivery:{case.id}"
    await append(tx, now, sight.viewer.login, f"case.{act}", about, on_file=case.on_file is OnFile.SHOWN)


async def _still_held(tx: Tx, id_: int) -> None:
    [row] = await tx.rows("SELECT state FROM deliveries WHERE id = :id", id=id_)
    if row.state != State.HELD:
        raise Refused("the case waits no longer", "ruling.not_held")


def _place(delivery_id: int, at_ms: int) -> bytes:
    return aad("rulings", "note", delivery_id, at_ms)
