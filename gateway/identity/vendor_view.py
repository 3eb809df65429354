"""A verdict in vendor-safe words: codes folded, registry values and hints left out. The table is data."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gateway.model.value import Value
from gateway.model.verdict import Effect, Finding, Verdict

_FILE: dict[str, Any] = tomllib.loads(Path(__file__).with_name("vendor_view.toml").read_text("utf-8"))
_INSTEAD: Mapping[str, str] = _FILE["instead"]
_TOLD: frozenset[str] = frozenset(_FILE["details"]["told"])

# While it is in doubt whose file this is, nothing else of the file is told: it may be a stranger's.
_WHOSE = ("attribute.name_", "attribute.birth_date_")
_OF_THE_FILE = (
    "registry.inactive",
    "registry.status_unclear",
    "attribute.unit_mismatch",
    "attribute.role_mismatch",
)


class VendorView(Value, frozen=True, kw_only=True):
    """What a vendor may know of a verdict. Each finding's detail fills its reason's text."""

    verified: bool
    reason: str | None
    findings: tuple[Finding, ...]


def fold(code: str, *, side: object = None) -> str:
    """The code a vendor is told. A fault in what was `sent` keeps its code, whatever is on file."""
    return code if side == "sent" else _INSTEAD.get(code, code)


def vendor_view(verdict: Verdict) -> VendorView:
    """The verdict as its vendor may see it: what holds first, each code once."""
    in_doubt = (verdict.reason or "").startswith(_WHOSE)
    told: dict[str, Finding] = {}
    for finding in verdict.findings:
        code = fold(finding.code, side=finding.detail.get("side"))
        if _is_told(finding, code) and not (in_doubt and code in _OF_THE_FILE):
            told.setdefault(code, _bared(finding, code))
    reason = next((code for code, finding in told.items() if finding.effect is Effect.HOLDS), None)
    return VendorView(verified=verdict.verified, reason=reason, findings=tuple(told.values()))


def _is_told(finding: Finding, code: str) -> bool:
    """What holds is told; what does not only if its code says no more of the file than was sent."""
    if finding.effect is Effect.HOLDS:
        return True
    if finding.effect is Effect.WARNS:
        return code == finding.code
    return finding.code.startswith("identifier.")


def _bared(finding: Finding, code: str) -> Finding:
    kept = {name: value for name, value in finding.detail.items() if name in _TOLD and _is_own(name, value)}
    return Finding(code=code, effect=finding.effect, detail=kept)


def _is_own(name: str, value: object) -> bool:
    return name != "side" or value == "sent"
