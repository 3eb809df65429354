"""Findings and verdicts: the result of judging one claim against the sector database."""

from enum import StrEnum
from typing import Self

from msgspec import field

from gateway.model.value import Value


class Effect(StrEnum):
    """What one finding does to the verdict."""

    SUPPORTS = "supports"
    NEUTRAL = "neutral"  # says something worth showing, decides nothing
    WARNS = "warns"
    HOLDS = "holds"


class Finding(Value, frozen=True, kw_only=True):
    """Result of one rule. `code` is a reason code or a bare attribute name; never a personal value."""

    code: str
    effect: Effect
    detail: dict[str, str | int] = field(
        default_factory=dict
    )  # fillers for the reason's text: {"n": 9}; no personal values

    @classmethod
    def supports(cls, code: str, **detail: str | int) -> Self:
        return cls(code=code, effect=Effect.SUPPORTS, detail=detail)

    @classmethod
    def neutral(cls, code: str, **detail: str | int) -> Self:
        return cls(code=code, effect=Effect.NEUTRAL, detail=detail)

    @classmethod
    def warns(cls, code: str, **detail: str | int) -> Self:
        return cls(code=code, effect=Effect.WARNS, detail=detail)

    @classmethod
    def holds(cls, code: str, **detail: str | int) -> Self:
        return cls(code=code, effect=Effect.HOLDS, detail=detail)


class Verdict(Value, frozen=True, kw_only=True):
    """All findings together. Verified when nothing holds; then `sector_id` names the person."""

    verified: bool
    sector_id: str | None = None  # the one person found, also on a hold where one was found
    reason: str | None = None  # first holding code, in the order the rules are asked
    rung: int | None = None  # 1-5, first rung of the name ladder that matched (5: different)
    findings: tuple[Finding, ...] = ()
    policy_version: str

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(f.code for f in self.findings if f.effect is Effect.WARNS)
