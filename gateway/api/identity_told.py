"""A checked claim -> the JSON a vendor gets (models.Identity). Only what vendor_view lets through."""

from gateway.api.identity_asked import Asked
from gateway.connectors.faults import fault_text
from gateway.identity.vendor_view import vendor_view
from gateway.identity.vendor_words import told, words
from gateway.model.completion import Claim
from gateway.model.texts import Lang
from gateway.model.verdict import Effect
from gateway.stages.checking import Checked


def told_identity(claim: Claim, checked: Checked | None, connector: str, lang: Lang) -> dict[str, object]:
    """The verdict, or `pending` while the sector database is silent."""
    if checked is None:
        return {"lms_user_id": claim.lms_user_id, "status": "pending"}
    view = vendor_view(checked.verdict)
    shown = words(connector, view, lang)
    answer: dict[str, object] = {
        "lms_user_id": claim.lms_user_id,
        "status": "verified" if view.verified else "not_verified",
        "shown_status": shown.status,
        "message": shown.message,
    }
    if shown.remedy is not None:
        answer["remedy"] = shown.remedy
    if view.reason is not None:
        answer["reason"] = view.reason
    findings = []
    for finding in view.findings:
        if finding.effect is not Effect.SUPPORTS:
            message, remedy = told(connector, finding.code, view, lang)
            findings.append({"code": finding.code, "message": message, "remedy": remedy})
    if findings:
        answer["findings"] = findings
    return answer


def told_invalid(asked: Asked, lang: Lang) -> dict[str, object]:
    """An item that could not be read as a claim, with every fault."""
    errors = [
        {"path": one.path, "code": one.code, "message": fault_text(one.code, lang)} for one in asked.errors
    ]
    return {"status": "invalid", "errors": errors}
