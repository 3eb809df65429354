"""Questions to the sector database that arrive close together, put as one: one call, one transaction.

A call costs far more than an identifier in it. The first question after a quiet moment leaves at once, so
nobody waits while little is asked; the next ones within `pace_s` leave together, and while all turns are taken
they gather until one is free. What joins a call is asked when the call leaves, never before it joined.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple

from gateway.identity.snapshots import Known
from gateway.model.errors import UpstreamError
from gateway.model.person import LookupKey

FULL = 100  # keys of a call that waits for nobody: the registry takes no more at once
PACE_S = 0.02  # a question waits so long at most for others, while turns are free


class Told(NamedTuple):
    """What came back: answers by key, how many of them others had asked for, and the failure of the rest."""

    answers: dict[LookupKey, Known]
    joined: int
    error: UpstreamError | None


class _Call:
    """One call, not yet left or under way."""

    def __init__(self) -> None:
        self.keys: dict[LookupKey, None] = {}
        self.askers = 0
        self.task: asyncio.Task[Mapping[LookupKey, Known]]


class Joined:
    """Asks by `ask`, at most `turns` calls at once that are not full. Equal keys under way are asked once."""

    def __init__(
        self,
        ask: Callable[[Sequence[LookupKey]], Awaitable[Mapping[LookupKey, Known]]],
        *,
        turns: int,
        pace_s: float = PACE_S,
    ) -> None:
        self._ask = ask
        self._turns = asyncio.Semaphore(turns)
        self._pace_s = pace_s
        self._left_s = float("-inf")  # when the last call left, by the loop's clock
        self._open: _Call | None = None  # the one that may still be joined
        self._calls: dict[LookupKey, _Call] = {}

    async def ask(self, keys: set[LookupKey]) -> Told:
        """Answers for `keys`, in as many calls as they happen to be part of.

        An UpstreamError is told to everybody whose keys were in that call; what else `ask` raises is raised
        for each of them. A call ends early only when the last who asked for it is cancelled.
        """
        theirs = {key: self._calls[key] for key in keys if key in self._calls}
        calls = set(theirs.values())
        if mine := keys - theirs.keys():
            calls.add(self._join(mine))
        for call in calls:
            call.askers += 1
        try:
            await asyncio.wait([call.task for call in calls])
        finally:
            for call in calls:
                call.askers -= 1
                if not call.askers and not call.task.done():
                    self._forget(call)  # first: nobody may join a call that is about to end
                    call.task.cancel()
        answers: dict[LookupKey, Known] = {}
        failure: UpstreamError | None = None
        for call in calls:
            error = call.task.exception()
            if isinstance(error, UpstreamError):
                failure = error
            elif error is not None:
                raise error
            else:
                found = call.task.result()
                answers |= {key: found[key] for key in keys & found.keys()}
        return Told(answers, len(theirs.keys() & answers.keys()), failure)

    def _join(self, keys: set[LookupKey]) -> _Call:
        call = self._open
        if call is None or len(call.keys) + len(keys) > FULL:
            call = self._open = _Call()
            call.task = asyncio.create_task(self._run(call))
            call.task.add_done_callback(_hear)
        call.keys |= dict.fromkeys(keys)
        self._calls |= dict.fromkeys(keys, call)
        return call

    async def _run(self, call: _Call) -> Mapping[LookupKey, Known]:
        try:
            if len(call.keys) >= FULL:
                return await self._leave(call)
            async with self._turns:
                early_s = self._left_s + self._pace_s - asyncio.get_running_loop().time()
                if early_s > 0:
                    await asyncio.sleep(early_s)
                return await self._leave(call)
        finally:
            self._forget(call)

    async def _leave(self, call: _Call) -> Mapping[LookupKey, Known]:
        if self._open is call:
            self._open = None
        self._left_s = asyncio.get_running_loop().time()
        return await self._ask(sorted(call.keys))

    def _forget(self, call: _Call) -> None:
        if self._open is call:
            self._open = None
        for key in call.keys:
            if self._calls.get(key) is call:
                del self._calls[key]


def _hear(task: "asyncio.Task[object]") -> None:
    """Takes note of an error that nobody is left to hear: it is no fault of the program."""
    if not task.cancelled():
        task.exception()
