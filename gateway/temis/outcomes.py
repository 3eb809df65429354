"""The outcome table: what TEMIS did -> what follows for the delivery. Data; docs/outcomes.md shows it.

Only an answer to the item itself, or a proven poison, counts against a record. Whatever is answered to a
call as a whole is the destination's and burns no try.
"""

from dataclasses import dataclass
from enum import StrEnum

from gateway.model.errors import (
    CredentialsRefused,
    Failing,
    Garbled,
    NotSent,
    RefusedWhole,
    Throttled,
    Unanswered,
    Untrusted,
    UpstreamError,
)
from gateway.temis.contract import AnswerStatus, ItemAnswer


class OutcomeKind(StrEnum):
    """What the deliver stage does next."""

    SUCCESS = "success"  # delivered
    STALE = "stale"  # TEMIS has a higher revision already: delivered or superseded, never an error
    CURABLE = "curable"  # held until somebody outside cures it; tried again daily and on request
    REFUSE = "refuse"  # dead: nobody outside can cure it
    RETRY = "retry"  # again, later
    THROTTLE = "throttle"  # the destination named or deserves a delay
    UNKNOWN = "unknown"  # it may have been applied: read back before anything else
    DESTINATION_FAULT = "destination_fault"  # waits for the destination without limit; breaker and alert act


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """One line of the table."""

    seen: str  # what was seen, in the words of this module
    kind: OutcomeKind
    reason: str  # stable reason code
    clears_unknown: bool  # whether it proves what became of the record
    burns_try: bool  # whether it counts towards the end of the retry schedule
    says: str


K, R = OutcomeKind, OutcomeRow
# fmt: off
ROWS: tuple[OutcomeRow, ...] = (
    # answers to one item
    R("created", K.SUCCESS, "temis.created", True, False, "stored as a new record"),
    R("updated", K.SUCCESS, "temis.updated", True, False, "replaced the stored record"),
    R("unchanged", K.SUCCESS, "temis.unchanged", True, False, "the same content was stored before"),
    R("withdrawn", K.SUCCESS, "temis.withdrawn", True, False, "taken out of the person's file"),
    R("stale", K.STALE, "temis.stale", True, False, "a higher revision is stored"),
    R("refused.account_missing", K.CURABLE, "temis.account_missing", True, False, "no TEMIS account"),
    R("refused.account_stopped", K.CURABLE, "temis.account_stopped", True, False, "the account is stopped"),
    R("refused.unit_missing", K.CURABLE, "temis.unit_missing", True, False, "the unit is missing or merged"),
    R("refused.self_reported", K.CURABLE, "temis.self_reported", True, False, "a different self-report"),
    R("refused.module_unknown", K.REFUSE, "temis.module_unknown", True, True, "the catalogue is wrong"),
    R("refused.malformed", K.REFUSE, "temis.malformed", True, True, "the mapping is wrong"),
    R("refused.other", K.DESTINATION_FAULT, "temis.code_unknown", True, False, "a code outside the contract"),
    # answers to the call as a whole, and no answer
    R("not_sent", K.RETRY, "upstream.not_sent", True, False, "DNS, connect or the token: not sent"),
    R("untrusted", K.DESTINATION_FAULT, "upstream.untrusted", True, False, "TLS or its certificate: not sent"),
    R("unanswered", K.UNKNOWN, "upstream.unanswered", False, False, "sent; timeout, reset or disconnect"),
    R("garbled", K.UNKNOWN, "upstream.garbled", False, False, "2xx that is not the contract's answer"),
    R("throttled", K.THROTTLE, "upstream.throttled", True, False, "429 or 503"),
    R("credentials", K.DESTINATION_FAULT, "upstream.credentials", True, False, "401 twice, or 403"),
    R("refused_whole", K.DESTINATION_FAULT, "upstream.refused_whole", True, False, "400, 413, 422; no culprit"),
    R("failing.5xx", K.DESTINATION_FAULT, "upstream.failing", False, False, "500, 502, 504 and the like"),
    R("failing.unsettled", K.DESTINATION_FAULT, "upstream.failing", False, False, "408, 409 or 425"),
    R("failing.other", K.DESTINATION_FAULT, "upstream.failing", True, False, "3xx (not followed), 404 …"),
    # one item that fails alone while others succeed
    R("poison.refused_whole", K.RETRY, "temis.poison", True, True, "400, 413, 422 for this item alone"),
    R("poison.failing", K.RETRY, "temis.poison", False, True, "5xx or 409 for this item alone"),
)
# fmt: on
BY_SEEN = {row.seen: row for row in ROWS}
UNSETTLED = frozenset((408, 409, 425))
_BY_ERROR: dict[type[UpstreamError], str] = {
    NotSent: "not_sent",
    Untrusted: "untrusted",
    Unanswered: "unanswered",
    Garbled: "garbled",
    Throttled: "throttled",
    CredentialsRefused: "credentials",
    RefusedWhole: "refused_whole",
}


def for_answer(answer: ItemAnswer) -> OutcomeRow:
    """The row of TEMIS's answer to one item."""
    if answer.status is not AnswerStatus.REFUSED:
        return BY_SEEN[answer.status]
    return BY_SEEN.get(f"refused.{answer.code}", BY_SEEN["refused.other"])


def for_error(error: UpstreamError, *, poison: bool = False) -> OutcomeRow:
    """The row of a call that failed as a whole; `poison` when the item failed alone while others succeeded."""
    if poison:
        return BY_SEEN["poison.refused_whole" if isinstance(error, RefusedWhole) else "poison.failing"]
    if isinstance(error, Failing):
        status = error.status or 500
        if status >= 500:
            return BY_SEEN["failing.5xx"]
        return BY_SEEN["failing.unsettled" if status in UNSETTLED else "failing.other"]
    # An error of no kind we know proves nothing.
    return BY_SEEN[_BY_ERROR.get(type(error), "unanswered")]
