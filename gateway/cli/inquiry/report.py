"""One claim looked up live, as a report for operators: every personal value is masked."""

from typing import Any

import orjson

from gateway.identity.identifier import read
from gateway.identity.masking import mask
from gateway.model.completion import Claim, Role
from gateway.model.errors import FieldError, PayloadInvalid
from gateway.model.person import Snapshot
from gateway.model.reasons import REASONS, explain
from gateway.model.texts import Lang
from gateway.stages.checking import Checked
from gateway.stages.owners import Naming

# Field of the claim -> field of the file -> whether its values are masked, and the codes that speak of it.
_FIELDS = (
    ("identifier", "sector_id", True, ("format.", "identifier.", "registry.not_found", "registry.ambiguous")),
    ("full_name", "full_name", True, ("attribute.name_",)),
    ("birth_date", "birth_date", True, ("attribute.birth_date_",)),
    ("unit_code", "unit_code", False, ("attribute.unit_",)),
    ("role", "role", False, ("attribute.role_",)),
    (None, "status", False, ("registry.inactive", "registry.status_")),
)


def read_claim(text: str) -> Claim:
    """An identifier, or a JSON object as `identity check` reads it. Raises: PayloadInvalid."""
    text = text.strip()
    if not text.startswith("{"):
        return Claim(lms_user_id="-", identifier=text)
    from gateway.identity.days import read_day

    try:
        sent = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise PayloadInvalid([FieldError("$", "body.not_json", "the claim is no JSON")]) from None
    born = sent.get("birth_date")
    return Claim(
        lms_user_id="-",
        identifier=_text(sent, "identifier"),
        full_name=_text(sent, "full_name"),
        birth_date=read_day(born) if isinstance(born, str) else None,
        unit_code=_text(sent, "unit_code"),
        role=next((role for role in Role if role.value == sent.get("role")), None),
    )


def told(claim: Claim, checked: Checked | None, naming: Naming, lang: Lang) -> dict[str, Any]:
    """The report. `verdict`: verified, held, found (only an identifier was given), not_found or pending."""
    reading = read(claim.identifier)
    report: dict[str, Any] = {
        "form": reading.form.value,
        "asked_as": [key.type.value for key in reading.keys],
        "verdict": "pending",
        "files": 0,
        "fields": [],
        "findings": [],
    }
    if checked is None:
        return report
    hits = {hit.sector_id: hit for answer in checked.case.answers.values() for hit in answer.hits}
    verdict = checked.verdict
    on_file = hits.get(verdict.sector_id or "")
    findings = [f for f in verdict.findings if f.code in REASONS]
    is_bare = claim.full_name is None and on_file is not None
    if is_bare:  # without a name every file would be "another name": only what the identifier says counts
        findings = [f for f in findings if not f.code.startswith(("attribute.", "account."))]
    outcome = "found" if is_bare else "verified" if verdict.verified else "held" if hits else "not_found"
    report |= {
        "verdict": outcome,
        "reason": None if is_bare else verdict.reason,
        "rung": None if is_bare else verdict.rung,
        "policy_version": verdict.policy_version,
        "files": len(hits),
        "fields": [_field(claim, on_file, [f.code for f in findings], *field) for field in _FIELDS],
    }
    school = claim.unit_code or (on_file.unit_code if on_file else None)
    for finding in findings:
        owner = naming.of(finding, school)
        message, remedy = explain(finding.code, lang, **finding.detail, **owner.fill())
        told_one = {"code": finding.code, "effect": finding.effect.value, "message": message, "remedy": remedy}
        report["findings"].append(told_one | {"owner": owner.told(lang)})
    return report


def columns() -> list[str]:
    """Text keys of the table's columns."""
    return [f"identity.explain.column.{name}" for name in ("field", "sent", "on_file", "finding")]


def rows(report: dict[str, Any]) -> list[tuple[object, ...]]:
    """The fields as rows of the table."""
    return [(row["field"], row["sent"], row["on_file"], " ".join(row["findings"])) for row in report["fields"]]


def _field(
    claim: Claim,
    on_file: Snapshot | None,
    codes: list[str],
    sent: str | None,
    filed: str,
    is_personal: bool,
    families: tuple[str, ...],
) -> dict[str, Any]:
    def shown(value: object) -> str | None:
        return None if value is None else mask(str(value)) if is_personal else str(value)

    return {
        "field": filed,
        "sent": shown(getattr(claim, sent)) if sent else None,
        "on_file": shown(getattr(on_file, filed, None)),
        "findings": [code for code in codes if code.startswith(families)],
    }


def _text(sent: dict[str, Any], name: str) -> str | None:
    value = sent.get(name)
    return None if value is None else str(value)
