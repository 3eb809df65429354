"""Findings as a row of `verifications` keeps them: [code, effect] or [code, effect, detail] each, as JSON."""

from collections.abc import Sequence

import orjson

from gateway.model.verdict import Effect, Finding


def pack_findings(findings: Sequence[Finding]) -> str:
    """What `unpack_findings` reads."""
    return orjson.dumps(
        [[f.code, f.effect.value, f.detail] if f.detail else [f.code, f.effect.value] for f in findings]
    ).decode()


def unpack_findings(stored: str) -> tuple[Finding, ...]:
    """In the order in which they were found."""
    return tuple(
        Finding(code=code, effect=Effect(effect), detail=detail[0] if detail else {})
        for code, effect, *detail in orjson.loads(stored)
    )
