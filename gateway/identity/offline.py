"""Claims checked against a roster file, without network or storage: NDJSON lines -> one result each, in order.

In:  {"id", "identifier", "full_name", "birth_date", "unit_code", "role", "completed_at"}
Out: {"id", "verdict": "verified"|"held", "reason", "warnings", "rung", "findings"}, or {"id", "line", "error"}
"""

import json
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

import msgspec

from gateway.identity.case import Case, keys_of
from gateway.identity.days import read_day, read_moment
from gateway.identity.judge import judge
from gateway.identity.near_miss import is_sought, near_miss, with_near_miss
from gateway.identity.policy import Policy
from gateway.identity.roster import Roster, read_role
from gateway.model.completion import Claim
from gateway.model.errors import FieldError, PayloadInvalid
from gateway.model.verdict import Verdict

_TEXTS = ("identifier", "full_name", "birth_date", "unit_code", "role")


def check(lines: Iterable[bytes], roster: Roster, policy: Policy, today: date) -> Iterator[dict[str, Any]]:
    """One result for each line that is not blank, in the order given; a bad line never stops the others.

    `today` stands in for a completion date that is not stated.
    """
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        item: dict[str, Any] = {}
        try:
            item = _item(line)
            verdict = _judged(item, roster, policy, today)
        except PayloadInvalid as error:
            yield _refusal(item, number, error)
        else:
            yield _result(item, verdict)


def _judged(item: dict[str, Any], roster: Roster, policy: Policy, today: date) -> Verdict:
    claim, completed_on = _claim(item, today)
    case = Case(claim=claim, completed_on=completed_on, answers=roster.answers(keys_of(claim)))
    verdict = judge(case, policy)
    if is_sought(verdict.reason, claim):
        hint = near_miss(claim, roster.born_on(claim.birth_date))
        return with_near_miss(verdict, hint) if hint else verdict
    return verdict


def _item(line: bytes) -> dict[str, Any]:
    try:
        # Numbers with a point or exponent stay text: 3.3E+09 must be seen as what a spreadsheet left.
        item = json.loads(
            line.decode("utf-8-sig"), parse_float=str, parse_constant=_refused, object_pairs_hook=_once
        )
    except (ValueError, RecursionError):  # ValueError: not UTF-8, not JSON, NaN, a key twice, a huge number
        raise PayloadInvalid([FieldError("$", "line.not_json", "not one JSON object in UTF-8")]) from None
    if not isinstance(item, dict):
        raise PayloadInvalid([FieldError("$", "line.not_object", "expected a JSON object")])
    return item


def _refused(constant: str) -> None:
    raise ValueError(constant)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    item = dict(pairs)
    if len(item) < len(pairs):
        raise ValueError("a key twice")
    return item


def _claim(item: dict[str, Any], today: date) -> tuple[Claim, date]:
    """Raises: PayloadInvalid naming every field of a wrong type. What a person typed is never an error."""
    # A whole number is taken as its digits: the zero it lost before it came here, the rules will notice.
    texts = {name: str(item[name]) if _is_whole(item.get(name)) else item.get(name) for name in _TEXTS}
    wrong = [name for name, text in texts.items() if not isinstance(text, str | None)]
    stated = item.get("completed_at")
    is_moment = isinstance(stated, str) or _is_whole(stated)
    completed_on = today if stated is None else read_moment(stated) if is_moment else None
    if completed_on is None:
        wrong.append("completed_at")
    if _key(item) is None and item.get("id") is not None:
        wrong.append("id")
    if wrong or completed_on is None:
        raise PayloadInvalid([FieldError(f"$.{name}", "field.wrong", _EXPECTED[name]) for name in wrong])
    birth_date = read_day(texts["birth_date"] or "")
    claim = Claim(
        lms_user_id=str(item.get("id", "")),
        identifier=texts["identifier"],
        full_name=texts["full_name"],
        birth_date=birth_date,
        birth_date_sent=None if birth_date else texts["birth_date"],
        unit_code=texts["unit_code"],
        role=read_role(texts["role"]),
    )
    return claim, completed_on


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_EXPECTED = dict.fromkeys(_TEXTS, "expected text or null") | {
    "completed_at": "expected an ISO 8601 time, a date or milliseconds since 1970",
    "id": "expected text or a whole number",
}


def _key(item: dict[str, Any]) -> str | int | None:
    key = item.get("id")
    return key if isinstance(key, str) or _is_whole(key) else None


def _result(item: dict[str, Any], verdict: Verdict) -> dict[str, Any]:
    return {
        "id": _key(item),
        "verdict": "verified" if verdict.verified else "held",
        "reason": verdict.reason,
        "warnings": list(verdict.warnings),
        "rung": verdict.rung,
        "findings": [msgspec.to_builtins(finding) for finding in verdict.findings],
    }


def _refusal(item: dict[str, Any], number: int, error: PayloadInvalid) -> dict[str, Any]:
    faults = [fault._asdict() for fault in error.errors]
    return {"id": _key(item), "line": number, "error": {"code": error.code, "faults": faults}}
