"""What a vendor, and through it a learner, is told of a completion: codes folded, texts in both languages.

a followed delivery, its verdict -> state, reason with remedy, a text that an LMS may show as it is
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.identity.policy import FAMILIES
from gateway.identity.vendor_view import fold, vendor_view
from gateway.model.reasons import OWNERS, REASONS, STATES, Owner, explain, owner_of, profile
from gateway.model.states import State
from gateway.model.texts import LANGS, Lang, Texts
from gateway.model.verdict import Verdict
from gateway.queue.following import Followed
from gateway.queue.moves import Move

TEXTS = Texts.load(Path(__file__).parent / "follow_texts")
GONE: Final = ("withdrawn", "replaced", "superseded", "discarded")  # why a voided one does not stand any more
WAITING = "upstream.waiting"
EXHAUSTED = "temis.schedule_exhausted"

EVENTS: Final = (
    "completion.delivered",
    "completion.held",
    "completion.refused",
    "completion.superseded",
    "identity.verified",
    "identity.failed",
)


@dataclass(frozen=True, slots=True)
class Why:
    """A reason as a vendor may know it. `detail` fills its text with what was sent, and nothing else."""

    code: str
    detail: Mapping[str, object]

    @property
    def owner(self) -> Owner:
        return owner_of(self.code, side=self.detail.get("side"))


def why(followed: Followed, verdict: Verdict | None = None) -> Why | None:
    """The reason for which a completion waits or was refused; None where there is nothing to explain."""
    reason = followed.reason
    if reason is None or followed.state in (State.DELIVERED, State.VOIDED):
        return None
    if verdict is not None and not verdict.verified and verdict.reason == reason:
        view = vendor_view(verdict)
        for finding in view.findings:
            if finding.code == view.reason:
                return Why(finding.code, finding.detail)
    return Why(told_code(reason, followed.state), {})


def told_code(reason: str, state: State) -> str:
    """The public code of one of ours; what has no text of its own is told by what it means for the vendor."""
    code = fold(reason)
    if code in REASONS:
        return code
    return EXHAUSTED if state is State.DEAD else WAITING


def folded_into(code: str) -> tuple[str, ...]:
    """All our codes that a vendor knows by this one: a filter by a finer code would say more than the list."""
    return tuple(one for one in REASONS if fold(one) == code)


def words(reason: Why, connector: str, lang: Lang) -> tuple[str, str]:
    """What is wrong and the next step."""
    return explain(reason.code, lang, **{"profile": profile(connector, lang), **reason.detail})


def state_text(state: State, lang: Lang) -> str:
    """The state in words."""
    return STATES[state][lang]


def learner_text(state: State, reason: Why | None, gone: str | None, connector: str, lang: Lang) -> str:
    """What the LMS may show its learner as it is: what stands, and what the learner can do, if anything."""
    if state is State.VOIDED:
        return TEXTS.get(f"learner.{gone if gone in GONE else 'discarded'}", lang)
    if state not in (State.HELD, State.DEAD) or reason is None:
        return TEXTS.get(f"learner.{state.value}", lang)
    message, remedy = words(reason, connector, lang)
    if state is State.HELD and reason.owner is Owner.LEARNER:
        return f"{message} {remedy}"
    owner = OWNERS[reason.owner][lang]
    if state is State.HELD and reason.owner in (Owner.SCHOOL, Owner.UPPER_UNIT):
        return f"{message} {TEXTS.get('learner.ask', lang, owner=owner)}"
    return TEXTS.get(f"learner.{state.value}", lang, owner=owner)


def learner_texts(state: State, reason: Why | None, gone: str | None, connector: str) -> dict[str, str]:
    """`learner_text` in both languages."""
    return {lang: learner_text(state, reason, gone, connector, lang) for lang in LANGS}


def reason_of_move(move: Move) -> Why | None:
    """The reason that a move states by itself; the text has no details then."""
    if move.state not in (State.HELD, State.DEAD):
        return None
    return Why(told_code(move.outcome, move.state), {})


def gone_of(outcome: str | None) -> str | None:
    """Why a voided completion does not stand any more, in the words of the contract."""
    return outcome if outcome in GONE else None


def events_of(move: Move) -> tuple[str, ...]:
    """The events of callbacks that a move is: none, one, or two for a hold by identity."""
    match move.state:
        case State.DELIVERED:
            return ("completion.delivered",)
        case State.DEAD:
            return ("completion.refused",)
        case State.HELD:
            by_identity = move.stage == "verify" and move.outcome.startswith(FAMILIES)
            return ("completion.held", "identity.failed") if by_identity else ("completion.held",)
        case State.VERIFIED if move.stage == "verify":
            return ("identity.verified",)
        case State.VOIDED if move.outcome in ("superseded", "replaced"):
            return ("completion.superseded",)
    return ()
