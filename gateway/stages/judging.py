"""opened completions -> accounts, registry answers, courses -> one verdict and one result each.

Everything a batch needs is read at once: a query for its accounts, one for people, one for courses, one for who
else states the same people. An outage of the registry is never a verdict.
"""

from collections.abc import Mapping, Sequence

import msgspec

from gateway.bdtx.courses import Courses, MappedCourse
from gateway.bdtx.recognition import check_result
from gateway.bdtx.school_years import resolve as resolve_year
from gateway.identity.accounts import Account, Accounts, Statement
from gateway.identity.accounts import Known as KnownAccount
from gateway.identity.case import AccountFacts, Case, UnitFacts, keys_of
from gateway.identity.identifier import read
from gateway.identity.judge import judge
from gateway.identity.people import People
from gateway.identity.policy import Policy
from gateway.identity.snapshots import Known, Person
from gateway.identity.waits import waits_of
from gateway.model.clock import Clock, local_date
from gateway.model.completion import Claim, Completion
from gateway.model.merge import rank
from gateway.model.outcomes import Advance, Hold, RetryLater, Wait
from gateway.model.person import LookupKey
from gateway.model.reasons import owner_of
from gateway.model.states import State
from gateway.model.verdict import Effect, Verdict
from gateway.queue.delivery import Delivery, Result, Target
from gateway.security.blind import BlindIndex
from gateway.stages.account_facts import facts_of
from gateway.stages.unit_facts import FactsOfUnits
from gateway.stages.waiting import blinded

Opened = tuple[Delivery, Completion]


class Judged(msgspec.Struct, frozen=True):
    """A result and, when there was a verdict, what it rests on."""

    result: Result
    case: Case | None = None
    verdict: Verdict | None = None
    person: Person | None = None
    age_ms: int = 0
    link_version: int | None = None
    statement: Statement | None = None  # what is worth keeping of whom the account states


class _Question(msgspec.Struct, frozen=True):
    """One delivery on its way to a verdict. `claim` is what is judged: as sent, but for a confirmed link."""

    delivery: Delivery
    completion: Completion
    account: Account
    known: KnownAccount
    claim: Claim
    link_version: int | None
    keys: tuple[LookupKey, ...]


class Judging:
    """Judges batches. One instance per process."""

    def __init__(
        self,
        clock: Clock,
        blind: BlindIndex,
        people: People,
        accounts: Accounts,
        courses: Courses,
        policy: Policy,
        units: FactsOfUnits,
    ) -> None:
        self._clock = clock
        self._blind = blind
        self._people = people
        self._accounts = accounts
        self._courses = courses
        self._policy = policy
        self._units = units

    async def judge(self, opened: Sequence[Opened], seen_wake: int, *, not_before_ms: int) -> list[Judged]:
        """One Judged for each of `opened`, in order. `not_before_ms`: no answer asked earlier is used."""
        questions = await self._questions(opened)
        answers, outage = await self._people.know(
            {key for question in questions for key in question.keys}, not_before_ms=not_before_ms
        )
        courses = await self._courses.resolve(
            ((d.vendor_id, completion.course) for d, completion in opened), as_of_wake=seen_wake
        )
        answered = [q for q in questions if all(key in answers for key in q.keys)]
        told = await facts_of(self._accounts, self._people, answered, answers)
        units = await self._units.of(
            [(q.claim.unit_code, local_date(q.completion.completed_at_ms)) for q in answered],
            as_of_wake=seen_wake,
        )
        facts = {q.delivery.id: (one, unit) for q, one, unit in zip(answered, told, units, strict=True)}
        judged = []
        for question in questions:
            d = question.delivery
            if d.id not in facts:
                assert outage is not None
                later = RetryLater("upstream.waiting")
                said = Result(d, later, outage.code, http_status=outage.status, answer=outage.answer)
                judged.append(Judged(said))
                continue
            mapped = courses[d.vendor_id, question.completion.course.course_id]
            judged.append(self._judge_one(question, *facts[d.id], answers, mapped))
        return judged

    async def _questions(self, opened: Sequence[Opened]) -> list[_Question]:
        accounts = [
            self._accounts.account(d.vendor_id, completion.vendor, completion.claim.lms_user_id)
            for d, completion in opened
        ]
        known = await self._accounts.known(accounts)
        questions = []
        for (d, completion), account in zip(opened, accounts, strict=True):
            claim, link_version = confirmed(d.received_at_ms, completion.claim, known[account])
            keys = keys_of(claim)
            questions.append(_Question(d, completion, account, known[account], claim, link_version, keys))
        return questions

    def _judge_one(
        self,
        q: _Question,
        facts: AccountFacts,
        unit: UnitFacts,
        known: Mapping[LookupKey, Known],
        mapped: MappedCourse,
    ) -> Judged:
        d, completion = q.delivery, q.completion
        completed_on = local_date(completion.completed_at_ms)
        answers = {key: known[key].answer for key in q.keys}
        case = Case(q.claim, completed_on, answers, vendor=completion.vendor, account=facts, unit=unit)
        verdict = judge(case, self._policy)
        person = person_of(verdict, q.keys, known)
        now = self._clock.now_ms()
        age_ms = max((now - a.fetched_at_ms for a in answers.values() if not a.live), default=0)
        year = resolve_year(completion.course.school_year, completed_on)
        reason, waits = self._holds(completion, case, verdict, mapped, year)
        if reason is not None:
            owner = owner_of(reason, side=_side(verdict, reason))
            result = Result(d, Hold(reason, owner, blinded(self._blind, waits)), reason)
        else:
            assert person is not None and mapped.module is not None and year is not None
            r = completion.result
            place = rank(bool(r.passed), r.score_hundredths, completion.completed_at_ms)
            target = Target(person.id, mapped.module.code, year, place)
            result = Result(d, Advance(State.VERIFIED), "verified", target)
        statement = _statement(q, person, is_verified=reason is None)
        return Judged(result, case, verdict, person, age_ms, q.link_version, statement)

    def _holds(
        self, completion: Completion, case: Case, verdict: Verdict, mapped: MappedCourse, year: str | None
    ) -> tuple[str | None, list[Wait]]:
        """The first reason to hold, the person's first, and all that must change before it can go on."""
        reasons: list[str] = []
        waits = list(waits_of(case, verdict))
        if verdict.reason is not None:
            reasons.append(verdict.reason)
        if mapped.module is None:
            reasons.append("course.unmapped")
            waits.append(Wait("course", mapped.wait_key))
        if year is None:
            reasons.append("course.school_year_unclear")
        module, own_mark = mapped.module, mapped.pass_mark_hundredths
        pass_mark = module.pass_mark_hundredths if module and own_mark is None else own_mark or 0
        fault = check_result(
            completion.result.passed,
            completion.result.score_hundredths,
            pass_mark,  # 0 while unmapped: then only an unstated result is a fault
            module.boundary if module else ">=",
        )
        if fault is not None:
            reasons.append(fault)
        return (reasons[0] if reasons else None), waits


def confirmed(received_at_ms: int, claim: Claim, known: KnownAccount) -> tuple[Claim, int | None]:
    """The claim under the account's confirmed link, where that is newer than the completion or all there is."""
    link = known.link
    if link is None or link.identifier == claim.identifier:
        return claim, None
    if received_at_ms >= link.confirmed_at_ms and read(claim.identifier).keys:
        return claim, None
    return claim.replace(identifier=link.identifier), link.version


def person_of(verdict: Verdict, keys: Sequence[LookupKey], known: Mapping[LookupKey, Known]) -> Person | None:
    """The one person a verdict is about, as stored."""
    if verdict.sector_id is None:
        return None
    return next((p for key in keys if (p := known[key].people.get(verdict.sector_id)) is not None), None)


def _statement(q: _Question, person: Person | None, *, is_verified: bool) -> Statement | None:
    """Only what storage does not say yet: most completions repeat what is known."""
    if person is None:
        return None
    is_credited = q.known.stated.get(person.id)
    if is_credited or (is_credited is not None and not is_verified):
        return None
    return Statement(q.account, person.id, q.claim, q.delivery.id if is_verified else None)


def _side(verdict: Verdict, reason: str) -> object:
    """The side (`sent`, `on_file`) of the finding that holds: it decides who has to act."""
    holding = (f for f in verdict.findings if f.code == reason and f.effect is Effect.HOLDS)
    return next((f.detail.get("side") for f in holding), None)
