"""A masked number in full, once, for a stated purpose: the audit says who saw which number, and why."""

from dataclasses import dataclass, field

from gateway.bdtx.scope import OnFile
from gateway.stages.cases.reading import Case
from gateway.stages.cases.sight import Desk, Sight
from gateway.storage.audit import append
from gateway.storage.engine import Tx

PURPOSES = ("help_learner", "correct_registry", "correct_temis", "answer_request")


@dataclass(frozen=True, slots=True)
class Revealed:
    """The numbers of one case; None where there is none, or none for this viewer."""

    identifier: str | None = field(repr=False)
    identifier_on_file: str | None = field(repr=False)
    certificate: str | None = field(repr=False)


async def reveal(desk: Desk, sight: Sight, case: Case, purpose: str) -> Revealed:
    """Shows the numbers. Raises: ValueError for a purpose that is not in the list."""
    if purpose not in PURPOSES:
        raise ValueError("no such purpose")
    sent = case.sent
    on_file = case.file.sector_id if case.file is not None and case.on_file is OnFile.SHOWN else None
    shown = Revealed(
        sent.claim.identifier if sent else None, on_file, sent.result.certificate_no if sent else None
    )
    names = ("identifier", "identifier_on_file", "certificate")
    numbers = [name for name in names if getattr(shown, name) is not None]

    async def note(tx: Tx) -> None:
        about = f"delivery:{case.id}"
        detail = {"purpose": purpose, "numbers": numbers}
        await append(tx, desk.clock.now_ms(), sight.viewer.login, "case.reveal", about, **detail)

    await desk.db.write(note)
    return shown
