"""What is followed of a completion -> the JSON a vendor gets (models.CompletionState and its kin)."""

from collections.abc import Mapping

from gateway.model.clock import iso
from gateway.model.states import State
from gateway.model.texts import Lang
from gateway.model.verdict import Verdict
from gateway.queue.following import Change, Event, Followed
from gateway.queue.moves import Move
from gateway.stages import following


def told_state(
    followed: Followed, connector: str, lang: Lang, verdict: Verdict | None = None
) -> dict[str, object]:
    """One delivery as it is now; the verdict makes the reason's text exact."""
    reason = following.why(followed, verdict)
    gone = following.gone_of(followed.reason) if followed.state is State.VOIDED else None
    told: dict[str, object] = {
        "event_id": followed.event_id,
        "revision": followed.revision,
        "delivery_id": str(followed.id),
        "state": followed.state.value,
        "state_text": following.state_text(followed.state, lang),
        "received_at": iso(followed.received_at_ms),
        "changed_at": iso(followed.changed_at_ms),
    }
    if reason is not None:
        message, remedy = following.words(reason, connector, lang)
        told["reason"] = {
            "code": reason.code,
            "owner": reason.owner.value,
            "message": message,
            "remedy": remedy,
        }
    if gone is not None:
        told["gone"] = gone
    if followed.superseded_by is not None:
        told["superseded_by"] = str(followed.superseded_by)
    told["learner_text"] = following.learner_texts(followed.state, reason, gone, connector)
    return told


def told_story(event: Event, connector: str, lang: Lang) -> dict[str, object]:
    """The newest revision with the history of all, and the earlier ones."""
    newest, *earlier = event.revisions
    revisions = {one.id: one.revision for one in event.revisions}
    return {
        **told_state(newest, connector, lang, event.verdict),
        "history": [_told_change(change, revisions) for change in event.changes],
        "earlier": [told_state(one, connector, lang) for one in earlier],
    }


def _told_change(change: Change, revisions: Mapping[int, int]) -> dict[str, object]:
    return {
        "at": iso(change.at_ms),
        "revision": revisions[change.delivery_id],
        "state": change.state.value,
        **_because(change.state, change.outcome),
    }


def told_move(move: Move) -> dict[str, object]:
    """One entry of the change feed."""
    return {
        "seq": str(move.seq),
        "at": iso(move.at_ms),
        "event_id": move.event_id,
        "revision": move.revision,
        "delivery_id": str(move.delivery_id),
        "state": move.state.value,
        "events": list(following.events_of(move)),
        **_because(move.state, move.outcome),
    }


def _because(state: State, outcome: str) -> dict[str, object]:
    if state in (State.HELD, State.DEAD):
        return {"code": following.told_code(outcome, state)}
    gone = following.gone_of(outcome) if state is State.VOIDED else None
    return {"gone": gone} if gone is not None else {}
