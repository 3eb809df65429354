"""What the gateway answers, as models: the source of contracts/gateway/schemas/ and openapi.json.

Answers are written straight from our values, which is faster; tests hold them against these models.
A field that has nothing to say is left out, never null or empty.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel

from gateway.model.states import State
from gateway.queue.delivery import ReceiptStatus


class Answer(BaseModel):
    """Base of all answers."""

    model_config = ConfigDict(extra="forbid")


class ItemError(Answer):
    """One fault of one field."""

    path: str = Field(
        description="JSON path inside the item; $ is the item itself.", examples=["$.user.userId"]
    )
    code: str = Field(description="Stable code.", examples=["field.missing"])
    message: str = Field(description="What to do, in the language asked for. Never quotes a value.")


class Receipt(Answer):
    """What became of one item; receipts stand in the order of the items."""

    event_id: str | None = Field(None, description="The vendor's event id; absent when it could not be read.")
    status: ReceiptStatus
    delivery_id: str | None = Field(
        None, description="The gateway's id of the delivery; absent when there is none (invalid, unsupported)."
    )
    errors: list[ItemError] | None = Field(None, min_length=1, description="Only with `invalid`.")


class Receipts(Answer):
    """The answer to completions: all of it is committed before it is sent."""

    receipts: list[Receipt] = Field(min_length=1)


class StreamRequest(Answer):
    """The body that opens a stream: `{}` for a new one, or the id of one to go on with."""

    stream: str | None = Field(
        None, pattern=r"^[A-Za-z0-9._~-]{1,64}$", description="An id of the vendor's choice, or an earlier one."
    )


class OpenedStream(Answer):
    """A stream is open. What older connections of it still send is not committed any more."""

    stream: str
    token: str = Field(description="Bearer token for one body of lines, which may outlast it.")
    token_expires_in_s: int
    committed_through_line: int = Field(ge=0, description="The first line of the body is the one after it.")


class StreamState(Answer):
    """How far a stream is committed."""

    stream: str
    committed_through_line: int = Field(ge=0)
    opened_at: str
    changed_at: str


class LineReceipt(Receipt):
    """What became of one line that was not plainly accepted."""

    line: int = Field(ge=1, description="Counted from 1 over the whole stream.")


class LineReceipts(Answer):
    """A page of receipts, by line."""

    receipts: list[LineReceipt]
    next: int = Field(ge=0, description="`after` of the following page, also when this one is empty.")
    more: bool = Field(description="Whether to ask for it at once; otherwise later, while the stream runs.")


class NamedEvent(Answer):
    """The body of a withdrawal: the event of the address, and nothing else."""

    event_id: str = Field(description="The vendor's event id as it is, not percent-encoded.")


class Withdrawal(Answer):
    """The answer to a withdrawal. Doing it twice is no error: then the list is empty."""

    event_id: str
    withdrawn: list[str] = Field(description="Ids of the deliveries taken back by this request.")


class IdentityFinding(Answer):
    """One thing to know about a verified or refused claim."""

    code: str = Field(examples=["attribute.name_mismatch"])
    message: str
    remedy: str


class Identity(Answer):
    """What the sector database says of one claim, in words that a vendor may know."""

    lms_user_id: str | None = Field(None, description="As asked; absent when it could not be read.")
    status: Literal["verified", "not_verified", "pending", "invalid"] = Field(
        description="pending: the sector database has not answered yet, which is no failure."
    )
    shown_status: str | None = Field(None, description="The status for the learner, in the LMS's own words.")
    message: str | None = Field(None, description="The message for the learner, in the LMS's own words.")
    remedy: str | None = Field(None, description="The next step.")
    reason: str | None = Field(None, description="The code that holds. contracts/gateway/README.md lists them.")
    findings: list[IdentityFinding] | None = Field(None, min_length=1)
    errors: list[ItemError] | None = Field(None, min_length=1, description="Only with `invalid`.")


class Identities(Answer):
    """One answer per claim, in the order asked."""

    id: str | None = Field(None, description="With 202: ask GET …/identities/{id} again, for a day.")
    identities: list[Identity] = Field(min_length=1)


class AccountLink(Answer):
    """The link of an LMS account to a person is in force."""

    lms_user_id: str
    version: int = Field(ge=1, description="Rises with every change of the link.")
    woken: int = Field(ge=0, description="Held completions of the account that are judged again now.")


class TokenRequest(Answer):
    """The body that opens a token; it names what the token is for."""

    purpose: Literal["read"]


class Token(Answer):
    """A bearer token of the vendor."""

    token: str
    expires_at: str = Field(description="RFC 3339 in UTC; the token is refused from then on.")


class ToldReason(Answer):
    """Why a completion waits or was refused, in words that a vendor may know."""

    code: str = Field(description="docs/reasons.md, folded for vendors.", examples=["registry.not_found"])
    owner: str = Field(description="Who acts.", examples=["learner", "school", "vendor", "gateway"])
    message: str
    remedy: str


class LearnerText(Answer):
    """What an LMS may show its learner as it is."""

    vi: str
    en: str


class CompletionState(Answer):
    """One completion as it is now."""

    event_id: str
    revision: int
    delivery_id: str
    state: State
    state_text: str
    received_at: str = Field(description="RFC 3339 with Việt Nam's offset, like all times here.")
    changed_at: str
    reason: ToldReason | None = Field(None, description="With held and dead, and while something is retried.")
    gone: Literal["withdrawn", "replaced", "superseded", "discarded"] | None = Field(
        None, description="With voided: why it does not stand any more."
    )
    superseded_by: str | None = Field(None, description="The delivery that stands in its place, where known.")
    learner_text: LearnerText


class CompletionChange(Answer):
    """One change of state that was."""

    at: str
    revision: int
    state: State
    code: str | None = Field(None, description="Of a hold or refusal: the reason's code.")
    gone: Literal["withdrawn", "replaced", "superseded", "discarded"] | None = None


class CompletionStory(CompletionState):
    """The newest revision of an event, and what came before."""

    history: list[CompletionChange] = Field(description="Oldest first, of all revisions; at most 100.")
    earlier: list[CompletionState] = Field(description="Older revisions, newest first; at most 19.")


class CompletionPage(Answer):
    """A page of completions by the order of receipt."""

    completions: list[CompletionState]
    next: str = Field(description="`after` of the following page, also when this one is empty.")
    more: bool = Field(description="Whether to ask for it at once; otherwise later, for what is new.")


class MoveTold(Answer):
    """One entry of the change feed."""

    seq: str = Field(description="Place in the feed; rises, with gaps.")
    at: str
    event_id: str
    revision: int
    delivery_id: str
    state: State
    events: list[str] = Field(description="The callback events that this change is; may be empty.")
    code: str | None = Field(None, description="Of a hold or refusal: the reason's code.")
    gone: Literal["withdrawn", "replaced", "superseded", "discarded"] | None = None


class MovePage(Answer):
    """A page of the change feed."""

    changes: list[MoveTold]
    next: str = Field(description="`after` of the following page, also when this one is empty.")
    more: bool


CallbackEvent = Literal[
    "completion.delivered",
    "completion.held",
    "completion.refused",
    "completion.superseded",
    "identity.verified",
    "identity.failed",
]


class CallbackWanted(Answer):
    """The body that registers a callback."""

    url: str = Field(max_length=2_000, description="https, a public host, no user and no fragment.")
    events: list[CallbackEvent] = Field(min_length=1, max_length=12)


class CallbackAct(Answer):
    """The body that changes a callback; it names the callback of the address."""

    callback_id: str
    act: Literal["prove", "pause", "resume", "remove"]


class CallbackAdded(Answer):
    """A new callback. The secret is not shown again."""

    callback_id: str
    state: Literal["unproved"]
    secret: str = Field(description="whsec_ and base64: what our messages are signed with.")


class CallbackChanged(Answer):
    """The state that an act has led to."""

    callback_id: str
    state: Literal["unproved", "active", "paused", "disabled", "removed"]


class CallbackTold(Answer):
    """One callback."""

    callback_id: str
    url: str
    events: list[CallbackEvent]
    state: Literal["unproved", "active", "paused", "disabled"]
    reason: Literal["vendor", "failing", "gone"] | None = Field(
        None, description="Of a stop: the vendor's own, every message failing to its end, or a 410."
    )


class CallbackMessage(Answer):
    """One message to one callback, and what became of it."""

    seq: str
    event: CallbackEvent
    delivery_id: str
    at: str = Field(description="When the completion changed.")
    status: Literal["waiting", "told", "given_up"]
    tries: int
    told_at: str | None = None
    next_try_at: str | None = None
    http_status: int | None = Field(None, description="What the receiver answered last.")
    error: str | None = Field(None, examples=["callback.status", "upstream.unanswered"])


class Callbacks(Answer):
    """All callbacks of a vendor."""

    callbacks: list[CallbackTold]


class CallbackInDetail(CallbackTold):
    """A callback with its messages."""

    messages: list[CallbackMessage]


class ForeseenCourse(Answer):
    """What the course of a class comes to."""

    module: str | None = Field(None, description="Absent while nobody has mapped the course.")
    school_year: str | None = None
    reasons: list[IdentityFinding] = Field(description="What will hold every result of the course.")


class ForeseenLearner(Answer):
    """What will become of one learner's result if the course is passed."""

    lms_user_id: str | None = None
    outcome: Literal["will_be_credited", "will_be_held", "pending", "invalid"] = Field(
        description="`pending`: the sector database has not answered, ask again."
    )
    reasons: list[IdentityFinding] | None = Field(None, description="With will_be_held: the person's first.")
    errors: list[ItemError] | None = Field(None, min_length=1, description="Only with `invalid`.")


class ForeseenClass(Answer):
    """The answer to a preflight."""

    course: ForeseenCourse
    learners: list[ForeseenLearner]


class About(Answer):
    """The answer of /xapi/about."""

    version: list[str]


class StatementIds(RootModel[list[str]]):
    """The ids of the statements, in the order in which they were sent."""


class ChangesTaken(Answer):
    """The answer to changes of the sector database: they are stored."""

    changes: int = Field(ge=0, description="How many changes were in the body.")


class Problem(Answer):
    """RFC 9457. `type` and `code` are stable; `title` and `detail` are texts for people."""

    type: str = Field(examples=["urn:lms-temis-gateway:problem:body.too_large"])
    title: str
    status: int = Field(ge=400, le=599)
    detail: str
    instance: str = Field(description="Correlation id of the request, also in X-Correlation-Id.")
    code: str = Field(examples=["body.too_large"])
    server_time: str | None = Field(None, description="With 401: the gateway's clock, RFC 3339 in UTC.")
    receipts: list[Receipt] | None = Field(None, description="With 409 and 422: the receipts all the same.")
    identity: Identity | None = Field(None, description="With `identity.not_verified`: the verdict.")


class StreamLine(Answer):
    """One line of the answer to a stream: a receipt (as LineReceipt), a checkpoint, or the last line."""

    line: int | None = Field(None, ge=1, description="Only of a receipt.")
    event_id: str | None = None
    status: ReceiptStatus | None = None
    delivery_id: str | None = None
    errors: list[ItemError] | None = Field(None, min_length=1)
    committed_through_line: int | None = Field(None, ge=0, description="Everything up to it is durable.")
    ended: Literal["complete", "cut", "draining", "idle", "refused"] | None = Field(
        None, description="Only of the last line: why nothing more is read."
    )
    receipts_after: int | None = Field(
        None, ge=0, description="Only of the last line: receipts after this line were left out; fetch them."
    )
    problem: Problem | None = Field(None, description="Only of the last line, with `refused`.")


class Component(Answer):
    """One thing the gateway needs."""

    status: Literal["up", "degraded", "down"]
    state: str = Field(
        description="up or down; of an outside system its breaker: closed, delayed, open, paused."
    )
    retry_in_s: float | None = Field(None, description="When the outside system is asked again.")


class Readiness(Answer):
    """Whether to send requests here. `degraded` still takes completions: they wait for what is down."""

    status: Literal["ready", "degraded", "draining", "unready"]
    components: dict[str, Component]


class Liveness(Answer):
    """The process is alive."""

    status: Literal["alive"]


class Sheet(Answer):
    """Counts of one vendor or of all. arrived = received + what was not taken; received = sum of the states."""

    arrived: int = Field(description="Everything authenticated that was sent.")
    received: int = Field(description="Taken, by the intake ledger.")
    duplicate: int
    stale: int
    conflict: int
    invalid: int
    unsupported: int
    quarantined: int = Field(description="Bodies that could not be read at all, kept sealed.")
    accepted: int = Field(description="State: waits for verification.")
    held: int = Field(description="State: waits for a change that its reason names.")
    verified: int = Field(description="State: waits for TEMIS.")
    delivered: int = Field(description="State: TEMIS has it.")
    dead: int = Field(description="State: refused for good; an operator decides.")
    voided: int = Field(description="State: withdrawn, superseded or discarded.")
    withdrawals: int = Field(description="Deliveries of our own that take a record back; not received.")
    difference: int = Field(description="received less the sum of all states; not 0 is an alarm.")
    closes: bool


class Balance(Sheet):
    """`gateway balance --json`: the sheet of everything, and one for each vendor."""

    by_vendor: dict[str, Sheet]


class DayBalance(Sheet):
    """The sheet of one vendor and one day of receipt in Việt Nam."""

    day: str = Field(examples=["2026-03-09"])
