"""The reasons for readers: gateway/model/reasons.toml -> docs/reasons.md."""

from gateway.model.reasons import OWNERS, REASONS, Reason

HEAD = """\
# Reasons

Generated from `gateway/model/reasons.toml` by `make contracts`; do not edit by hand.

A code says why a delivery waits or ended. Codes are stable and public. *Again by itself*: the gateway asks
again, and a change outside cures it without a new sending. Vendors see some codes folded into coarser ones, so
that answers cannot be used to guess a person's data ([identity.md](identity.md)). `{…}` is filled from the
finding; of a person's values only `{masked}` shows a part, to those who may see that person.

| who acts (`owner`) | in Vietnamese |
|---|---|
"""

FOOT = """
`error`: a result waits for it. `warning`: credited, still worth correcting. `info`: nothing to do. Which of
them holds a delivery is decided by the policy (`gateway/identity/policy.toml`), not by this list.
"""


def document() -> str:
    """docs/reasons.md, whole."""
    owners = "".join(f"| `{owner}`: {text['en']} | {text['vi']} |\n" for owner, text in OWNERS.items())
    families: dict[str, list[Reason]] = {}
    for reason in REASONS.values():
        families.setdefault(reason.code.partition(".")[0], []).append(reason)
    return HEAD + owners + FOOT + "".join(_family(name, members) for name, members in families.items())


def _family(name: str, members: list[Reason]) -> str:
    lines = [
        f"\n## {name}",
        "| code | severity | owner | again by itself | what is wrong, and what to do |",
        "|---|---|---|---|---|",
    ]
    for reason in members:
        again = "yes" if reason.retryable else "no"
        said = f"{reason.vi} {reason.vi_action}<br>*{reason.en} {reason.en_action}*"
        lines.append(f"| `{reason.code}` | {reason.severity} | {reason.owner} | {again} | {said} |")
    return "\n".join(lines) + "\n"
