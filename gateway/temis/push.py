"""One attempt to deliver a batch: a batch that fails as a whole is bisected until the culprit stands alone.

items -> 1..n calls -> one PushResult each, in the order given
"""

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from math import ceil, log2

import msgspec

from gateway.model.errors import Failing, NotSent, RefusedWhole, UpstreamError
from gateway.temis.client import TemisClient
from gateway.temis.contract import ItemAnswer, RecordItem
from gateway.temis.outcomes import OutcomeRow, for_answer, for_error

MOST_POISON = 8  # culprits that one attempt looks for; more wait for the next attempt
CONFLICT = 409
CALLS_WITHOUT_SUCCESS = 15  # three whole levels of bisection


class PushResult(msgspec.Struct, frozen=True):
    """What became of one item in this attempt. Exactly one of `answer` and `error` is set."""

    answer: ItemAnswer | None
    error: UpstreamError | None
    sent: bool  # some call carried it
    unknown: bool  # a call that may have been applied carried it, and no answer settled it
    poison: bool  # it failed alone while another item succeeded: its own fault

    @property
    def row(self) -> OutcomeRow:
        """Its line of the outcome table: about the last call. `unknown` speaks of the whole attempt."""
        if self.answer is not None:
            return for_answer(self.answer)
        assert self.error is not None
        return for_error(self.error, poison=self.poison)


async def push(
    client: TemisClient,
    items: Sequence[RecordItem],
    *,
    recently_succeeded: Callable[[], bool],
    before_call: Callable[[], Awaitable[None]],
    is_answering: bool = False,
) -> list[PushResult]:
    """Push 1 to 200 items with different keys.

    `recently_succeeded` says whether TEMIS has taken another item lately: a 5xx or 409 is bisected only then,
    or when TEMIS `is_answering` other questions now. Poison is only what failed while another item was taken.
    `before_call` runs before each call: it renews the lease and takes the turn at the limiter. What it raises
    ends the attempt and is passed on.

    One culprit among n is found within 2·⌈log2 n⌉ + 1 calls.
    """
    attempt = _Attempt(client, items, recently_succeeded, before_call, is_answering)
    await attempt.run()
    return attempt.results()


class _Attempt:
    def __init__(
        self,
        client: TemisClient,
        items: Sequence[RecordItem],
        recently_succeeded: Callable[[], bool],
        before_call: Callable[[], Awaitable[None]],
        is_answering: bool,
    ) -> None:
        self._client = client
        self._items = items
        self._recently_succeeded = recently_succeeded
        self._before_call = before_call
        self._is_answering = is_answering
        size = len(items)
        self._answers: list[ItemAnswer | None] = [None] * size
        self._errors: list[UpstreamError | None] = [None] * size
        self._sent = [False] * size
        self._unknown = [False] * size
        self._alone: list[int] = []  # items that failed in a call of their own
        self._calls = 0
        self._most_calls = 1 + 2 * MOST_POISON * max(1, ceil(log2(max(1, size))))

    async def run(self) -> None:
        """Breadth first, so that the good halves succeed early and tell an outage from a culprit."""
        whole = range(len(self._items))
        failing = deque(await self._failures([whole]))
        while failing and not self._is_hopeless():
            part = failing.popleft()
            if len(part) == 1:
                self._alone.append(part.start)
                continue
            middle = part.start + len(part) // 2
            halves = await self._failures([range(part.start, middle), range(middle, part.stop)])
            failed = [part, *halves]
            if part == whole and len(halves) == 2 and all(map(self._failed_as_one, failed)):
                return  # an outage, not a culprit
            failing.extend(halves)

    def results(self) -> list[PushResult]:
        poison = frozenset(self._alone) if self._others_succeed() else frozenset[int]()
        return [
            PushResult(answer, None if answer else error, sent, unknown and answer is None, i in poison)
            for i, (answer, error, sent, unknown) in enumerate(
                zip(self._answers, self._errors, self._sent, self._unknown, strict=True)
            )
        ]

    async def _failures(self, parts: list[range]) -> list[range]:
        """Send these parts one after the other. Returns: those whose failure splitting may explain.

        Any other failure (no answer, throttle, credentials) ends the attempt for all that is not settled.
        """
        failed = []
        for part in parts:
            await self._before_call()
            self._calls += 1
            try:
                answers = await self._client.push(self._items[part.start : part.stop])
            except UpstreamError as error:
                self._note(part, error)
                if not self._may_split(error):
                    self._stop(error)
                    return []
                failed.append(part)
            else:
                self._answers[part.start : part.stop] = answers
                self._sent[part.start : part.stop] = [True] * len(part)
        return failed

    def _note(self, part: range, error: UpstreamError) -> None:
        settles = for_error(error).clears_unknown
        for i in part:
            self._errors[i] = error
            self._sent[i] |= not isinstance(error, NotSent)
            self._unknown[i] |= not settles

    def _may_split(self, error: UpstreamError) -> bool:
        is_up = self._is_answering or self._others_succeed()
        return isinstance(error, RefusedWhole) or (_may_be_one_item(error) and is_up)

    def _stop(self, error: UpstreamError) -> None:
        self._calls = self._most_calls
        for i, answer in enumerate(self._answers):
            if answer is None and i not in self._alone:
                self._errors[i] = error

    def _is_hopeless(self) -> bool:
        nothing = not self._any_answer() and self._calls >= CALLS_WITHOUT_SUCCESS
        return nothing or self._calls >= self._most_calls

    def _failed_as_one(self, part: range) -> bool:
        return _may_be_one_item(self._errors[part.start])

    def _any_answer(self) -> bool:
        return any(answer is not None for answer in self._answers)

    def _others_succeed(self) -> bool:
        return self._any_answer() or self._recently_succeeded()


def _may_be_one_item(error: UpstreamError | None) -> bool:
    """Whether one item can bring this on the whole call: 5xx and 409, which by themselves prove no outage.

    A 409 that were only repeated would be repeated for ever, together with everything beside the culprit.
    """
    return isinstance(error, Failing) and ((error.status or 500) >= 500 or error.status == CONFLICT)
