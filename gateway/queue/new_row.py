"""What an outcome makes of its delivery's row: state, when it is due, tries, reason. Pure but for jitter."""

import random
from typing import NamedTuple

from gateway.model.outcomes import Advance, Bury, Hold, RetryLater
from gateway.model.states import State
from gateway.queue import retry
from gateway.queue.delivery import Delivery, Result
from gateway.queue.wake import PRUNED


class NewRow(NamedTuple):
    """The new values of one delivery."""

    state: State
    due_at_ms: int | None
    tries: int
    reason: str | None = None
    owner: str | None = None
    unknown: bool = False  # the mark "outcome unknown" stays
    leased: bool = False  # claimed by the next stage in the same statement


def new_row(result: Result, now: int, jitter: random.Random, woken: set[tuple[str, str]]) -> NewRow:
    delivery, outcome = result.delivery, result.outcome
    match outcome:
        case Advance(state=State.VERIFIED):
            return NewRow(State.VERIFIED, now, 0)
        case Advance(state=state, cause=cause):
            if state is not State.VOIDED:
                return NewRow(state, None, 0)
            # TEMIS may have it, until it answers the winner: without the winner it would have to be taken back.
            return NewRow(state, None, 0, reason=cause, unknown=delivery.was_unknown and not result.not_sent)
        case Hold(reason=reason, owner=owner, waits=waits):
            tries = delivery.tries + 1 if delivery.state is State.HELD else 1
            delay = retry.CURABLE_MS if reason.startswith("temis.") else retry.recheck_ms(tries)
            is_woken = PRUNED in woken or any((wait.kind, wait.key) in woken for wait in waits)
            due = now if is_woken else now + retry.jittered(delay, jitter)
            return NewRow(State.HELD, due, tries, reason, owner)
        case RetryLater(own_fault=False, code=code, delay_ms=delay_ms, outcome_unknown=unknown):
            delay = retry.DESTINATION_MS if delay_ms is None else delay_ms
            due = now + retry.jittered(delay, jitter)
            unknown = unknown or (delivery.was_unknown and not result.not_sent)
            return NewRow(delivery.state, due, delivery.tries, code, None, unknown)
        case RetryLater(code=code, outcome_unknown=unknown, delay_ms=least_ms):
            delay_or_end = retry.retry_ms(delivery.tries + 1)
            if delay_or_end is None and not unknown:
                return NewRow(State.DEAD, None, delivery.tries + 1, code, "gateway")
            due = now + max(retry.jittered(delay_or_end or retry.CURABLE_MS, jitter), least_ms or 0)
            return NewRow(delivery.state, due, delivery.tries + 1, code, None, unknown)
        case Bury(reason=reason):
            return NewRow(State.DEAD, None, delivery.tries, reason, "gateway")
    raise AssertionError(f"no row for {outcome!r}")


def leased(row: NewRow, until_ms: int) -> NewRow:
    """The row as a claim of the deliver stage would leave it."""
    return row._replace(due_at_ms=until_ms, leased=True) if row.state is State.VERIFIED else row


def leaves_record(delivery: Delivery, row: NewRow) -> bool:
    """An identity hold takes the delivery out of its record; a curable refusal of TEMIS does not."""
    return row.state is State.HELD and delivery.state is not State.VERIFIED
