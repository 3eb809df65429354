"""The states and moves for readers: gateway/model/states.py -> docs/states.md."""

from collections.abc import Iterable

from gateway.model.reasons import STATES
from gateway.model.states import MOVES, State

MEANS: dict[State, str] = {
    State.ACCEPTED: "Stored durably and receipted; waits for verification.",
    State.HELD: "Waits for a change outside: a person's file, a course mapping, an account in TEMIS, a policy. "
    "`reason` and `owner` say what is wrong and who acts ([reasons.md](reasons.md)).",
    State.VERIFIED: "The person and the record are known; waits for delivery to TEMIS.",
    State.DELIVERED: "TEMIS acknowledged it.",
    State.DEAD: "Refused for good, or its own faults have exhausted the schedule; waits for a person.",
    State.VOIDED: "Does not stand any more: replaced by a correction, superseded by a better result, withdrawn "
    "or discarded. It stays visible.",
}

CAUSES: dict[str, str] = {
    "verified": "Every check passed; person, module and school year are known, the record chooses its winner.",
    "hold": "A check does not pass and somebody can mend it; reason, owner and waits are written.",
    "crash_loop": "Six claims in a row ended without a recorded outcome, the last of them alone.",
    "acknowledged": "TEMIS confirmed the record, or the read-back found it there.",
    "curable_refusal": "TEMIS refused what somebody outside can cure; sent again daily and on a wake.",
    "refused": "TEMIS refused the item itself, or its own faults have exhausted the schedule.",
    "superseded": "A correction of the same event (`replaced`) or a better result stands for the record.",
    "withdrawn": "The vendor took the event back.",
    "next_best": "What stood for the record is gone, and this is the best result left.",
    "outdated": "TEMIS answered an older revision of the record than ours by now: the winner is sent again.",
    "healed": "TEMIS does not show what it acknowledged; it is sent again.",
    "replay": "An operator asked for another try; tries and claims start at 0 again.",
    "discarded": "An operator decided, with a reason, that it shall not be delivered.",
    "restored": "An operator took a discard back.",
}

# What is said of a delivery beside its state: name -> (what it is, how it ends).
NOT_STATES: dict[str, tuple[str, str]] = {
    "due": ("`due_at_ms` is now or past", "by a claim"),
    "leased": (
        "a claim has moved `due_at_ms` ahead by the lease, raised `fence` and counted `claims`",
        "with the recorded result; after a crash with the lease, by itself",
    ),
    "retrying": (
        "still in its state, with the last outcome in `reason` and a later `due_at_ms`",
        "with a result, or after ten failures of its own",
    ),
    "waiting for a destination": (
        "retrying through no fault of its own (`upstream.waiting` and the like)",
        "when the destination answers; no try is burnt ([0011](decisions/0011-breaker-decides-when.md))",
    ),
    "paused": (
        "said of a destination or a vendor, never of a row: nothing is claimed for it",
        "by itself after refused credentials; by a person when a person paused it",
    ),
    "outcome unknown": (
        "`verified` with `unknown_since_ms`: claimed for sending, and no answer is recorded yet",
        "by an answer, or by reading TEMIS back before it is sent again "
        "([0006](decisions/0006-unknown-outcome.md))",
    ),
    "suspect": (
        "five claims without a recorded outcome: its lane is claimed one row at a time",
        "with the first recorded outcome",
    ),
    "woken": (
        "`held` and due at once, since something it waits for has changed "
        "([0009](decisions/0009-waits-and-wakes.md))",
        "by the next verdict",
    ),
}

HEAD = """\
# States of a delivery

Generated from `gateway/model/states.py` by `make contracts`; do not edit by hand.

A delivery is one row: one completion (vendor, event, revision) on its way to TEMIS, or one withdrawal that the
gateway makes itself. It is in exactly one of six states, moves only as listed here, and is never deleted. So at
every moment, for each vendor and day:
**received = accepted + held + verified + delivered + dead + voided**.
"""

MOVES_SAID = """\

*By* names the stage or the act. Every move raises `fence`, sets `changed_at_ms` and appends a line to
`attempts` in the same transaction.
"""

FOOT = """\

`fence`, `tries` and `claims` are three numbers with three uses: [0005](decisions/0005-fence-and-tries.md).
"""


def document() -> str:
    """docs/states.md, whole. Raises: KeyError for a state or cause without a meaning."""
    states = [(f"`{state}`", MEANS[state], STATES[state]["vi"]) for state in State]
    others = [(f"*{name}*", what, ends) for name, (what, ends) in NOT_STATES.items()]
    return "".join(
        [
            HEAD,
            *_table("", ("state", "means", "shown to people as"), states),
            *_table("From, to", ("", *State), _grid()),
            "\nRows are where a delivery is, columns where it goes. What is not here is refused.\n",
            *_table("Each move", ("from", "to", "cause", "by", "means"), _moves()),
            MOVES_SAID,
            *_table("What is not a state", ("said of a delivery", "is", "ends"), others),
            FOOT,
        ]
    )


def _grid() -> Iterable[tuple[str, ...]]:
    for source in State:
        moves = [{m.cause: None for m in MOVES if m[:2] == (source, target)} for target in State]
        yield (f"**{source}**", *(", ".join(causes) or "·" for causes in moves))


def _moves() -> Iterable[tuple[str, ...]]:
    """Moves that differ only in where they start share a line."""
    sources: dict[tuple[State, str, str], list[str]] = {}
    for move in MOVES:
        sources.setdefault((move.target, move.cause, move.by), []).append(f"`{move.source}`")
    for (target, cause, by), names in sources.items():
        yield ", ".join(names), f"`{target}`", cause, by, CAUSES[cause]


def _table(title: str, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterable[str]:
    columns = list(columns)
    yield f"\n## {title}\n" if title else "\n"
    for row in (columns, ["---"] * len(columns), *rows):
        yield f"| {' | '.join(row)} |\n"
