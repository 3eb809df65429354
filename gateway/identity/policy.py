"""The policy file, checked: what each code does, which rungs pass, what each status means. Versioned."""

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from gateway.identity import names
from gateway.identity.identifier import Form
from gateway.model.errors import ConfigError
from gateway.model.reasons import REASONS
from gateway.model.verdict import Effect, Finding

DEFAULT = Path(__file__).with_name("policy.toml")

# Codes this policy decides; the others belong to TEMIS, courses, results and the pipeline.
FAMILIES = ("format.", "identifier.", "registry.", "attribute.", "account.")
CODES = frozenset(code for code in REASONS if code.startswith(FAMILIES))

# No policy may credit a result to nobody, or to someone with another name.
_ALWAYS_HOLD = frozenset(
    {"registry.not_found", "registry.ambiguous", "attribute.name_mismatch", "attribute.name_damaged"}
    | {code for code in CODES if code.startswith("format.")}
)


class Standing(StrEnum):
    """What a status means for a result."""

    WORKING = "working"
    UNCLEAR = "unclear"
    GONE = "gone"


class Proof(StrEnum):
    """What the birth date must be for an identifier that is not in its plain form."""

    EQUAL = "equal"
    NOT_DIFFERENT = "not_different"


@dataclass(frozen=True)
class Policy:
    """Build it with `load` or `parse`. `version` names the file's version and content."""

    version: str
    effects: Mapping[str, Effect]
    alone: frozenset[int]
    with_birth_date: frozenset[int]
    proofs: Mapping[Form, Proof]
    statuses: Mapping[str, Standing]  # by the status without marks and case
    _made: dict[tuple[str, Effect], Finding] = field(default_factory=dict, repr=False, compare=False)

    def finding(self, code: str, effect: Effect | None = None, **detail: str | int) -> Finding:
        """A finding with the effect this policy gives the code, or `effect` where a rule knows better."""
        what = effect or self.effects[code]
        if detail:
            return Finding(code=code, effect=what, detail=detail)
        made = self._made.get((code, what))  # findings are immutable: one of each is enough
        if made is None:
            made = self._made[code, what] = Finding(code=code, effect=what)
        return made

    def standing(self, status: str) -> Standing:
        """Working, gone or unclear; a status the file does not list is unclear."""
        return self.statuses.get(names.bare(status), Standing.UNCLEAR)


def load(path: Path = DEFAULT) -> Policy:
    """Reads a policy file. Raises: ConfigError with all its faults at once."""
    try:
        return parse(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"identity policy {path}: {error.strerror}") from error


def parse(text: str) -> Policy:
    """TOML text -> Policy. Raises: ConfigError with all its faults at once."""
    try:
        body = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"identity policy is not TOML: {error}") from error
    faults = list(_faults(body))
    if faults:
        raise ConfigError("identity policy: " + "; ".join(faults))
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return Policy(
        version=f"{body['version']}+{digest}",
        effects={code: Effect(value) for code, value in body["effects"].items()},
        alone=frozenset(body["rungs"]["alone"]),
        with_birth_date=frozenset(body["rungs"]["with_birth_date"]),
        proofs={Form(form): Proof(proof) for form, proof in body["forms"].items()},
        statuses={names.bare(status): Standing(value) for status, value in body["statuses"].items()},
    )


def _faults(body: Mapping[str, Any]) -> list[str]:
    sections = {"effects": dict, "rungs": dict, "forms": dict, "statuses": dict, "version": str}
    wrong = [f"`{name}` is missing" for name, kind in sections.items() if not isinstance(body.get(name), kind)]
    wrong += [f"`{name}` is not known" for name in body if name not in sections]
    return wrong or [
        *_faults_of_effects(body["effects"]),
        *_faults_of_rungs(body["rungs"]),
        *_faults_of_values("forms", body["forms"], Proof),
        *(f"forms: `{form}` is not known" for form in body["forms"] if form not in _OTHER_FORMS),
        *(f"forms: `{form}` is missing" for form in _OTHER_FORMS if form not in body["forms"]),
        *_faults_of_values("statuses", body["statuses"], Standing),
    ]


_OTHER_FORMS = (Form.ZERO11.value, Form.NINE.value, Form.TWELVE.value)


def _faults_of_effects(effects: Mapping[str, Any]) -> list[str]:
    allowed = {Effect.NEUTRAL.value, Effect.WARNS.value, Effect.HOLDS.value}
    wrong = [f"effects: `{code}` is missing" for code in sorted(CODES - effects.keys())]
    for code, effect in effects.items():
        if code not in CODES:
            wrong.append(f"effects: `{code}` is not a reason code of identity")
        elif effect not in allowed:
            wrong.append(f"effects: `{code}` must be one of {', '.join(sorted(allowed))}")
        elif code in _ALWAYS_HOLD and effect != Effect.HOLDS:
            wrong.append(f"effects: `{code}` must hold")
        elif code.startswith("identifier.") and effect == Effect.HOLDS:
            wrong.append(f"effects: `{code}` must not hold by itself")
    return wrong


def _faults_of_rungs(rungs: Mapping[str, Any]) -> list[str]:
    wrong = [f"rungs: `{name}` is missing" for name in ("alone", "with_birth_date") if name not in rungs]
    for name, values in rungs.items():
        if not isinstance(values, list) or not set(values) <= {1, 2, 3, 4}:
            wrong.append(f"rungs: `{name}` must list rungs from 1 to 4")
    return wrong


def _faults_of_values(section: str, values: Mapping[str, Any], kind: type[StrEnum]) -> list[str]:
    allowed = ", ".join(member.value for member in kind)
    return [f"{section}: `{k}` must be one of {allowed}" for k, v in values.items() if v not in set(kind)]
