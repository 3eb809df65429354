"""Hints beside `not found`, within their budgets, and the alarm for who keeps guessing."""

from datetime import date

import pytest

from gateway.model.completion import Claim
from gateway.model.errors import Unanswered
from gateway.model.person import Snapshot
from gateway.model.verdict import Effect, Finding, Verdict
from gateway.observe.metrics import Metrics
from gateway.stages.guesses import GUESSES, Guesses
from gateway.stages.near_misses import ACCOUNT_SEARCHES, VENDOR_SEARCHES, Budget, NearMisses
from tests.builders import FakeClock

BORN = date(1985, 3, 7)
MEANT = Snapshot(sector_id="3100000001", full_name="Nguyễn Thị Hòa", birth_date=BORN)
NOT_FOUND = Verdict(
    verified=False,
    reason="registry.not_found",
    findings=(Finding.holds("registry.not_found"),),
    policy_version="t",
)


def a_claim(account: str = "a", identifier: str = "3100000010", **changes) -> Claim:
    fields = {"full_name": "Nguyễn Thị Hòa", "birth_date": BORN, **changes}
    return Claim(lms_user_id=account, identifier=identifier, **fields)


class Registry:
    """A search that always finds one person, and counts."""

    def __init__(self, error=None, meant=MEANT.sector_id) -> None:
        self.searches = 0
        self._meant = MEANT.replace(sector_id=meant)
        self._error = error

    async def search(self, full_name, birth_date):
        self.searches += 1
        if self._error:
            raise self._error
        return (self._meant,)


@pytest.fixture
def registry() -> Registry:
    return Registry()


async def test_a_slip_is_told_masked_beside_the_verdict(clock, registry):
    """The verdict stays what it was; the hint names the slip and covers the identifier."""
    hints = await NearMisses(clock, registry).hints([("viettel", a_claim(), NOT_FOUND)])
    finding = hints[0].findings[-1]
    assert (finding.code, finding.effect) == ("registry.near_miss", Effect.NEUTRAL)
    assert finding.detail == {"masked": "31••••••01", "slip": "swapped"}
    assert (hints[0].reason, hints[0].verified) == ("registry.not_found", False)


@pytest.mark.parametrize(
    ("reason", "typed", "meant", "slip"),
    [
        ("registry.not_found", "3100000010", "3100000001", "swapped"),
        ("registry.not_found", "310000001", "3100000001", "missing_digit"),
        ("format.looks_like_phone", "0800000018", "0800000019", "wrong_digit"),
        ("format.length", "31000000012", "3100000001", "extra_digit"),
    ],
)
async def test_a_slip_is_told_whatever_the_identifier_looks_like(clock, reason, typed, meant, slip):
    """Not found is not found, also when the reason says that it looks like a phone or has a digit too many."""
    registry = Registry(meant=meant)
    hints = await NearMisses(clock, registry).hints(
        [("viettel", a_claim(identifier=typed), NOT_FOUND.replace(reason=reason))]
    )
    assert hints[0].findings[-1].detail["slip"] == slip
    assert hints[0].reason == reason


@pytest.mark.parametrize("typed", ["33", "031085000001", "310000000123"])
async def test_what_can_be_no_slip_costs_no_search(clock, registry, typed):
    """Two digits, or a personal number, are never one slip away from a sector identifier."""
    for reason in ("format.length", "registry.not_found"):
        verdict = NOT_FOUND.replace(reason=reason)
        assert await NearMisses(clock, registry).hints([("viettel", a_claim(identifier=typed), verdict)]) == {}
    assert registry.searches == 0


async def test_only_not_found_is_searched_for(clock, registry):
    """Whoever was found, or sent no name or birth date, costs no search."""
    held = NOT_FOUND.replace(reason="attribute.name_mismatch")
    verdicts = [
        ("viettel", a_claim(), held),
        ("viettel", a_claim(full_name=None), NOT_FOUND),
        ("viettel", a_claim(full_name="  "), NOT_FOUND),
        ("viettel", a_claim(birth_date=None), NOT_FOUND),
    ]
    assert await NearMisses(clock, registry).hints(verdicts) == {}
    assert registry.searches == 0


async def test_an_account_has_few_searches_a_day(clock, registry):
    """Trying on is no way through the sector database; the next day there are some again."""
    misses = NearMisses(clock, registry)
    for _ in range(ACCOUNT_SEARCHES + 2):
        await misses.hints([("viettel", a_claim(), NOT_FOUND)])
    assert registry.searches == ACCOUNT_SEARCHES
    clock.advance(s=86_400)
    await misses.hints([("viettel", a_claim(), NOT_FOUND)])
    assert registry.searches == ACCOUNT_SEARCHES + 1


async def test_a_vendor_has_its_own_budget(clock, registry):
    """A list of names is not run against the sector database; another vendor is not concerned."""
    misses = NearMisses(clock, registry)
    many = [("viettel", a_claim(f"a{n}"), NOT_FOUND) for n in range(VENDOR_SEARCHES + 50)]
    hints = await misses.hints(many)
    assert registry.searches == len(hints) == VENDOR_SEARCHES
    assert await misses.hints([("vnpt", a_claim(), NOT_FOUND)])


async def test_a_search_that_fails_costs_only_the_hint(clock):
    """The verdict is recorded as it is."""
    misses = NearMisses(clock, Registry(Unanswered("POST /staff:search: no answer")))
    assert await misses.hints([("viettel", a_claim(), NOT_FOUND)]) == {}


def test_a_budget_forgets_the_oldest_first():
    """Memory is bounded, however many accounts there are."""
    budget = Budget(FakeClock(), 1, 1000, size=2)
    assert budget.take("a") and budget.take("b") and budget.take("c")
    assert not budget.take("c") and budget.take("a")


def alarms(metrics: Metrics) -> float:
    found = metrics.registry.get_sample_value("gateway_enumeration_alarms_total", {"vendor": "viettel"})
    return found or 0


def test_one_account_with_many_identifiers_is_an_alarm(clock):
    """Once a day for each account; the same identifier again is no new guess."""
    metrics = Metrics()
    guesses = Guesses(clock, metrics)
    for n in range(GUESSES):
        for _ in range(3):
            guesses.not_found("viettel", a_claim(identifier=f"310000010{n}"))
    assert alarms(metrics) == 0
    for n in range(20):
        guesses.not_found("viettel", a_claim(identifier=f"31000002{n:02}"))
    assert alarms(metrics) == 1
    clock.advance(s=86_400)
    for n in range(20):
        guesses.not_found("viettel", a_claim(identifier=f"31000002{n:02}"))
    assert alarms(metrics) == 2


def test_a_deadline_day_is_no_alarm(clock):
    """Ten thousand learners with a typo each are not an attack."""
    metrics = Metrics()
    guesses = Guesses(clock, metrics)
    for n in range(10_000):
        guesses.not_found("viettel", a_claim(f"account-{n}", identifier=f"3{n:09}"))
    assert alarms(metrics) == 0
