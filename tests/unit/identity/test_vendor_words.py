"""What an LMS shows its learner: verbatim for VNPT, ours for the others."""

import pytest

from gateway.identity.policy import load
from gateway.identity.vendor_view import VendorView, fold, vendor_view
from gateway.identity.vendor_words import words
from gateway.model.reasons import REASONS
from gateway.model.verdict import Effect, Finding, Verdict

POLICY = load()
HOLDING = [code for code, effect in POLICY.effects.items() if effect is Effect.HOLDS]


def a_view(code: str | None) -> VendorView:
    findings = (Finding.holds(code),) if code else ()
    return vendor_view(Verdict(verified=code is None, reason=code, findings=findings, policy_version="t"))


@pytest.mark.parametrize("connector", ["vnpt", "viettel", "another"])
@pytest.mark.parametrize("lang", ["vi", "en"])
@pytest.mark.parametrize("code", [None, *HOLDING])
def test_every_verdict_has_its_words(connector, lang, code):
    """No code leaves a learner without status, message and (unless verified) a next step; no gap stays open."""
    shown = words(connector, a_view(code), lang)
    assert shown.status and shown.message and (shown.remedy is None) == (code is None)
    assert "{" not in shown.message + (shown.remedy or "")


@pytest.mark.parametrize("code", HOLDING)
def test_vnpt_says_the_code_is_wrong_only_where_it_is(code):
    """The verbatim message blames the code; a wrong name must not send people after a new code."""
    message = words("vnpt", a_view(code), "vi").message
    is_the_code = code.startswith(("format.", "registry.not_found")) and code != "format.damaged_by_spreadsheet"
    assert (message == "Xác thực không thành công. Mã định danh không chính xác") == is_the_code
    assert message.startswith("Xác thực không thành công.")
    assert fold(code) in REASONS
