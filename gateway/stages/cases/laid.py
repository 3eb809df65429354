"""The fields of a case side by side: sent, on file, and what was found about each; numbers are masked."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from gateway.identity.difference import Part, Parts, differences
from gateway.identity.masking import mask
from gateway.model.completion import Completion
from gateway.model.person import Snapshot
from gateway.model.reasons import REASONS
from gateway.model.verdict import Effect, Finding
from gateway.stages.cases.sight import Sight

FIELDS = ("identifier", "full_name", "birth_date", "unit", "role", "status")
_OF = (
    ("attribute.name", "full_name"),
    ("attribute.birth_date", "birth_date"),
    ("attribute.unit", "unit"),
    ("attribute.role", "role"),
    ("attribute.status", "status"),
    ("registry.inactive", "status"),
    ("registry.status_unclear", "status"),
    ("format.", "identifier"),
    ("identifier.", "identifier"),
    ("registry.", "identifier"),
    ("account.", "identifier"),
)
_WEIGHT = {Effect.HOLDS: 3, Effect.WARNS: 2, Effect.NEUTRAL: 1, Effect.SUPPORTS: 0}


@dataclass(frozen=True, slots=True)
class Row:
    """One field. `code`: the weightiest finding about it; of no field when nothing was compared."""

    field: str
    sent: Parts
    on_file: Parts
    code: str | None
    effect: str | None

    @property
    def is_reason(self) -> bool:
        """Whether the code has a text of its own; `attribute.name` is just an agreement."""
        return self.code in REASONS


def laid(
    sight: Sight, sent: Completion | None, file: Snapshot | None, findings: Sequence[Finding]
) -> tuple[Row, ...]:
    """One row for each field that somebody stated or something was found about."""
    claim = sent.claim if sent else None
    ours = {
        "identifier": mask(claim.identifier) if claim and claim.identifier else None,
        "full_name": claim.full_name if claim else None,
        "birth_date": (written(claim.birth_date) or claim.birth_date_sent) if claim else None,
        "unit": named(sight, claim.unit_code) if claim else None,
        "role": claim.role.value if claim and claim.role else None,
    }
    theirs = {
        "identifier": mask(file.sector_id) if file else None,
        "full_name": file.full_name if file else None,
        "birth_date": written(file.birth_date) if file else None,
        "unit": named(sight, file.unit_code, file.unit_name) if file else None,
        "role": file.role.value if file and file.role else None,
        "status": file.status if file else None,
    }
    rows = []
    for field in FIELDS:
        left, right = _sides(field, ours.get(field), theirs.get(field))
        finding = _about(field, findings)
        if left or right or finding:
            code, effect = (finding.code, finding.effect.value) if finding else (None, None)
            rows.append(Row(field, left, right, code, effect))
    return tuple(rows)


def written(day: date | None) -> str | None:
    """A date as it is compared: 05/03/1985."""
    return day.strftime("%d/%m/%Y") if day else None


def named(sight: Sight, code: str | None, name: str | None = None) -> str | None:
    """A unit by name and code; the name of today where the table knows it."""
    if not code:
        return name
    known = sight.unit(code)
    name = known.name if known else name
    return f"{name} ({code})" if name else code


def _sides(field: str, sent: str | None, on_file: str | None) -> tuple[Parts, Parts]:
    if field in ("full_name", "birth_date"):
        return differences(sent, on_file)
    return _plain(sent), _plain(on_file)


def _plain(text: str | None) -> Parts:
    return (Part(text, False),) if text else ()


def _about(field: str, findings: Sequence[Finding]) -> Finding | None:
    about = [f for f in findings if _field_of(f.code) == field]
    return max(about, key=lambda f: _WEIGHT[f.effect], default=None)


def _field_of(code: str) -> str | None:
    return next((field for beginning, field in _OF if code.startswith(beginning)), None)
