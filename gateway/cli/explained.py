"""One delivery in words: its state, why it is there, who acts and what they do, in the reader's language."""

from typing import TYPE_CHECKING, NamedTuple

from gateway.cli.output import Invocation

if TYPE_CHECKING:
    from gateway.queue.listing import Detail

_WITHHELD = ("masked",)  # a part of somebody's identifier: only for those in charge of that person


class Explained(NamedTuple):
    """Sentences; None where there is nothing to say."""

    state: str
    reason: str | None = None
    remedy: str | None = None
    owner: str | None = None


def explained(run: Invocation, detail: "Detail") -> Explained:
    """What a person reads of this delivery."""
    from gateway.model.reasons import OWNERS, REASONS, STATES, Owner, explain, owner_of, profile

    line = detail.line
    state = STATES[line.state][run.lang]
    if line.reason is None:
        return Explained(state)
    # What an outage left on a row is told as what it is: nobody has to do anything.
    code = "upstream.waiting" if line.reason.startswith("upstream.") else line.reason
    if code not in REASONS:
        key = next((k for k in (f"deliveries.reason.{code}", f"error.{code}") if run.texts.has(k)), None)
        by = detail.superseded_by or "–"
        return Explained(state, run.text(key, by=by) if key else code)
    fill: dict[str, object] = {"profile": profile(line.vendor, run.lang), "course": ", ".join(detail.courses)}
    findings = detail.verdict.findings if detail.verdict else ()
    for finding in findings:
        if finding.code == code:
            fill |= {name: value for name, value in finding.detail.items() if name not in _WITHHELD}
    reason, remedy = explain(code, run.lang, **fill)
    owner = Owner(line.owner) if line.owner else owner_of(code, side=fill.get("side"))
    return Explained(state, reason, remedy, OWNERS[owner][run.lang])
