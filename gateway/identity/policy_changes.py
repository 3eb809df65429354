"""Two policies -> the codes whose holds would be judged otherwise: what a change of the file wakes.

A hold waits for each code that holds it (identity/waits.py); a table of the file beside `effects` decides some
codes too, and a change of it concerns just those.
"""

from collections.abc import Mapping
from typing import Any

from gateway.identity.policy import CODES, Policy

_BIRTH_DATES = frozenset(
    {"attribute.birth_date_mismatch", "attribute.birth_date_swapped", "attribute.birth_date_missing"}
)
DECIDED_BY: Mapping[str, frozenset[str]] = {
    "rungs": frozenset({"attribute.name_mismatch", "attribute.name_variant", "registry.ambiguous"}),
    "forms": _BIRTH_DATES,
    "statuses": frozenset({"registry.inactive", "registry.status_unclear"}),
}


def tables_of(policy: Policy) -> dict[str, dict[str, Any]]:
    """A policy as plain data, to be kept and compared later."""
    return {
        "effects": {code: effect.value for code, effect in sorted(policy.effects.items())},
        "rungs": {"alone": sorted(policy.alone), "with_birth_date": sorted(policy.with_birth_date)},
        "forms": {form.value: proof.value for form, proof in sorted(policy.proofs.items())},
        "statuses": {status: standing.value for status, standing in sorted(policy.statuses.items())},
    }


def codes_concerned(before: Mapping[str, Any], policy: Policy) -> frozenset[str]:
    """Codes whose holds the change concerns; every code when what was kept has other tables."""
    now = tables_of(policy)
    if before.keys() != now.keys():
        return CODES
    found = {
        code
        for code in CODES | before["effects"].keys()
        if before["effects"].get(code) != now["effects"].get(code)
    }
    if found & _BIRTH_DATES:  # whether a variant of a name holds depends on what a birth date does
        found.add("attribute.name_variant")
    for table, codes in DECIDED_BY.items():
        if before[table] != now[table]:
            found |= codes
    return frozenset(found)
