"""Claims of one vendor's accounts -> live answers -> verdicts, without storing or linking anything.

What vendors ask before they save a profile, and what `gateway identity explain` shows. A registry that does not
answer in time gives no verdict, which is not a failed one.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from gateway.identity.accounts import Account, Accounts
from gateway.identity.accounts import Known as KnownAccount
from gateway.identity.case import Case, keys_of
from gateway.identity.judge import judge
from gateway.identity.people import People
from gateway.identity.policy import Policy
from gateway.identity.snapshots import Person
from gateway.model.clock import Clock, local_date
from gateway.model.completion import Claim
from gateway.model.person import LookupKey
from gateway.model.verdict import Verdict
from gateway.stages.account_facts import facts_of
from gateway.stages.guesses import NOBODYS, Guesses
from gateway.stages.judging import person_of
from gateway.stages.unit_facts import FactsOfUnits


@dataclass(frozen=True, slots=True)
class Asking:
    """One account's claim."""

    account: Account
    known: KnownAccount
    claim: Claim
    keys: tuple[LookupKey, ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """One claim's verdict as of now, and the person found."""

    case: Case
    verdict: Verdict
    person: Person | None


class Checking:
    """Checks claims live. One instance per process."""

    def __init__(
        self,
        clock: Clock,
        people: People,
        accounts: Accounts,
        policy: Policy,
        guesses: Guesses,
        units: FactsOfUnits,
        *,
        patience_s: float,
    ) -> None:
        self._clock = clock
        self._people = people
        self._accounts = accounts
        self._policy = policy
        self._guesses = guesses
        self._units = units
        self._patience_s = patience_s
        self._asking: set[asyncio.Future[Any]] = set()

    async def check(
        self, vendor_id: int, vendor: str, claims: Sequence[Claim], *, completed_on: date | None = None
    ) -> list[Checked | None]:
        """Judges each claim by the status and school of `completed_on`, or today's; always asked live.

        Returns: one for each claim, in order; None where the sector database did not answer in time.
        """
        accounts = [self._accounts.account(vendor_id, vendor, claim.lms_user_id) for claim in claims]
        known = await self._accounts.known(accounts)
        asked = [
            Asking(account, known[account], claim, keys_of(claim))
            for account, claim in zip(accounts, claims, strict=True)
        ]
        now = self._clock.now_ms()
        keys = {key for one in asked for key in one.keys}
        # The question goes on when we stop waiting: its answer is kept, and the next check finds it.
        asking = asyncio.ensure_future(self._people.know(keys, not_before_ms=now))
        self._asking.add(asking)
        asking.add_done_callback(self._asking.discard)
        await asyncio.wait([asking], timeout=self._patience_s)
        answers = asking.result()[0] if asking.done() else {}
        answered = [one for one in asked if all(key in answers for key in one.keys)]
        facts = await facts_of(self._accounts, self._people, answered, answers)
        day = completed_on or local_date(now)
        units = await self._units.of([(one.claim.unit_code, day) for one in answered])
        verdicts: dict[int, Checked] = {}
        for one, fact, unit in zip(answered, facts, units, strict=True):
            case = Case(
                one.claim,
                day,
                {key: answers[key].answer for key in one.keys},
                vendor=vendor,
                account=fact,
                unit=unit,
            )
            verdict = judge(case, self._policy)
            if verdict.reason in NOBODYS:
                self._guesses.not_found(vendor, one.claim)
            verdicts[id(one)] = Checked(case, verdict, person_of(verdict, one.keys, answers))
        return [verdicts.get(id(one)) for one in asked]
