"""A held verdict -> everything whose change could cure it. Keys are plain values; the caller blinds them."""

from gateway.identity.case import Case, keys_of
from gateway.model.outcomes import Wait
from gateway.model.verdict import Effect, Verdict

_UNIT_CODES = frozenset({"attribute.unit_mismatch"})


def account_key(vendor: str, lms_user_id: str) -> str:
    """The key of an `account` wait: an LMS user id means something only with its vendor."""
    return f"{vendor}/{lms_user_id}"


def waits_of(case: Case, verdict: Verdict) -> tuple[Wait, ...]:
    """What to wait for, sorted; empty when verified.

    person: each identifier asked for and each file found, so a new file and a corrected one both wake it;
    account: the learner's own correction, and that of others who state the same identifier;
    unit: the claimed and the filed school, where they hold; policy: each code that holds.
    """
    if verdict.reason is None:
        return ()
    keys = keys_of(case.claim)
    files = [hit for key in keys if key in case.answers for hit in case.answers[key].hits]
    accounts = {case.claim.lms_user_id, *(other.lms_user_id for other in case.account.others)}
    waits = {Wait("person", key.value) for key in keys} | {Wait("person", hit.sector_id) for hit in files}
    waits |= {Wait("account", account_key(case.vendor, account)) for account in accounts}
    holding = {finding.code for finding in verdict.findings if finding.effect is Effect.HOLDS}
    waits |= {Wait("policy", code) for code in holding}
    if holding & _UNIT_CODES:
        units = {case.claim.unit_code, *(hit.unit_code for hit in files)}
        waits |= {Wait("unit", unit) for unit in units if unit}
    return tuple(sorted(waits, key=lambda wait: (wait.kind, wait.key)))
