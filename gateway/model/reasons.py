"""Reasons as data: code -> owner, severity, retryable, and what to say and do in Vietnamese and English.

Source: reasons.toml beside this file; codes are stable and public.
"""

import re
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import Field

from gateway.model.completion import Frozen
from gateway.model.texts import Lang


class Owner(StrEnum):
    """Who has to act. `upper_unit` is the commune's office or the department, by the school's level."""

    LEARNER = "learner"
    SCHOOL = "school"
    UPPER_UNIT = "upper_unit"
    VENDOR = "vendor"
    MINISTRY = "ministry"
    GATEWAY = "gateway"


class Severity(StrEnum):
    """error: a result waits for it; warning: credited, still worth correcting; info: nothing to do."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Words(Frozen):
    """One wording: what is wrong and the next step, in both languages."""

    owner: Owner
    vi: str
    vi_action: str
    en: str
    en_action: str


class Reason(Words):
    """One code. `sides` holds other words for a fault in what was `sent` or in what is `on_file`."""

    code: str
    severity: Severity
    retryable: bool  # asked again by the gateway itself; curable without a new sending
    owner_many: Owner | None = None  # who acts when a whole class or file has this fault
    sides: dict[str, Words] = Field(default_factory=dict)

    def words(self, side: object = None) -> Words:
        """The wording for a side (`Finding.detail["side"]`), or the general one."""
        return self.sides.get(str(side), self)


Text = Mapping[Lang, str]
_FILE: dict[str, Any] = tomllib.loads(Path(__file__).with_name("reasons.toml").read_text("utf-8"))

REASONS: Mapping[str, Reason] = {
    code: Reason.model_validate({"code": code, **body}) for code, body in _FILE["reasons"].items()
}
OWNERS: Mapping[str, Text] = _FILE["owners"]
STATES: Mapping[str, Text] = _FILE["states"]
FILLERS: Mapping[str, Text] = _FILE["fillers"]

_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_ISO_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)")


def explain(code: str, lang: Lang, **fill: object) -> tuple[str, str]:
    """What is wrong and the next step, filled from a finding's detail: `explain(f.code, "vi", **f.detail)`.

    A placeholder without a value gets a neutral filler. `side` picks the wording; an ISO date is written
    dd/mm/yyyy in Vietnamese.
    Raises: KeyError for a code that is not in REASONS.
    """
    words = REASONS[code].words(fill.get("side"))
    pair = (words.vi, words.vi_action) if lang == "vi" else (words.en, words.en_action)
    return _filled(pair[0], lang, fill), _filled(pair[1], lang, fill)


def owner_of(code: str, *, side: object = None, many: bool = False) -> Owner:
    """Who acts: by the side the fault is on, and by whether many people have it at once. Raises: KeyError."""
    reason = REASONS[code]
    return reason.owner_many if many and reason.owner_many else reason.words(side).owner


def profile(vendor: str, lang: Lang) -> str:
    """Where a learner of this vendor corrects the profile, the value of {profile}; neutral when unknown."""
    known: Mapping[str, Text] = _FILE["profiles"]
    return known.get(vendor, FILLERS["profile"])[lang]


def _filled(text: str, lang: Lang, fill: Mapping[str, object]) -> str:
    def value(match: re.Match[str]) -> str:
        given = fill.get(match[1])
        if given is None or given == "":
            return FILLERS[match[1]][lang] if match[1] in FILLERS else "…"
        said = str(given)
        iso = _ISO_DATE.fullmatch(said) if lang == "vi" else None
        return f"{iso[3]}/{iso[2]}/{iso[1]}" if iso else said

    return _PLACEHOLDER.sub(value, text)
