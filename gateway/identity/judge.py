"""(claim, the registry's answers, policy) -> Verdict. Pure: same case and policy, same verdict, at any time.

First the one file the identifier means is looked for (`_find`), never guessed among several; then each rule
compares it with the claim. The first finding that holds is the reason.
"""

from collections.abc import Iterable
from typing import cast

from gateway.identity.case import Case
from gateway.identity.identifier import Reading, read
from gateway.identity.pair import Pair, Rule, agrees, lay
from gateway.identity.policy import Policy
from gateway.model.discovery import discover
from gateway.model.errors import ConfigError
from gateway.model.person import IdentifierType, LookupKey, Snapshot
from gateway.model.verdict import Effect, Finding, Verdict


def in_order(package: str) -> tuple[Rule, ...]:
    """The rules of a package, by their ORDER. Raises: ConfigError when one has none, or two share one."""
    orders = discover(package, "ORDER")
    by_order = {orders.get(name): cast(Rule, rule) for name, rule in discover(package, "RULE").items()}
    places = [place for place in by_order if isinstance(place, int)]
    if len(places) != len(discover(package, "RULE")):
        raise ConfigError(f"{package}: each rule needs a whole number ORDER of its own, found {orders}")
    return tuple(by_order[place] for place in sorted(places))


RULES: tuple[Rule, ...] = in_order("gateway.identity.rules")


def judge(case: Case, policy: Policy) -> Verdict:
    """Judges one claim.

    Returns: a verdict that is verified, or held with the first holding code in the order of the rules.
    Raises: ValueError when the case lacks the answer to one of `keys_of(case.claim)`.
    """
    reading = read(case.claim.identifier)
    if not reading.keys:
        return _verdict(policy, reading.findings)
    found = _find(case, reading, policy)
    if isinstance(found, Finding):
        return _verdict(policy, (found,))
    return _verdict(policy, [finding for rule in RULES for finding in rule(found, policy)], found)


def _verdict(policy: Policy, findings: Iterable[Finding], pair: Pair | None = None) -> Verdict:
    all_findings = tuple(findings)
    reason = next((finding.code for finding in all_findings if finding.effect is Effect.HOLDS), None)
    return Verdict(
        verified=reason is None,
        sector_id=pair.snapshot.sector_id if pair else None,
        reason=reason,
        rung=pair.name.rung if pair else None,
        findings=all_findings,
        policy_version=policy.version,
    )


def _find(case: Case, reading: Reading, policy: Policy) -> Pair | Finding:
    """The claim beside the one file found, or why there is none."""
    hits: list[tuple[LookupKey, Snapshot]] = []
    for key in reading.keys:
        answer = case.answers.get(key)
        if answer is None:
            raise ValueError(f"no answer in the case for a key of type {key.type}")  # its value is personal
        match answer.hits:
            case ():
                continue
            case (hit,) if key.type is not IdentifierType.SECTOR or hit.sector_id == key.value:
                hits.append((key, hit))
            case _:  # several files for one key, or the file of another code
                return policy.finding("registry.ambiguous")
    if not hits:
        return policy.finding("format.looks_like_phone" if reading.may_be_phone else "registry.not_found")
    pairs = [lay(case, reading, key, hit) for key, hit in hits]
    if len(pairs) > 1 and len({pair.snapshot.sector_id for pair in pairs}) > 1:
        pairs = [pair for pair in pairs if agrees(pair, policy)]
    if len({pair.snapshot.sector_id for pair in pairs}) != 1:
        return policy.finding("registry.ambiguous")
    return pairs[0]
