"""gateway/outbound/breaker.py: when a destination may be called."""

import pytest

from gateway.model.errors import (
    CredentialsRefused,
    Failing,
    NotSent,
    RefusedWhole,
    Throttled,
    Unanswered,
    Untrusted,
)
from gateway.outbound.breaker import Breaker, BreakerLimits, BreakerState


class Seconds:
    """A monotonic clock that only the test moves."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def now() -> Seconds:
    return Seconds()


@pytest.fixture
def breaker(now: Seconds) -> Breaker:
    return Breaker(now)


def fail(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        breaker.record_failure(Failing("x", status=500))


@pytest.mark.parametrize(
    "error",
    [
        NotSent("x"),
        Unanswered("x"),
        Failing("x", status=502),
        RefusedWhole("x", status=422),
        Throttled("x", status=503),
    ],
)
def test_five_failures_in_a_row_open_it(breaker, error):
    """Whatever kind of call-level failure it is, the fifth in a row stops the calls, and says so once."""
    assert [breaker.record_failure(error) for _ in range(6)] == [False, False, False, False, True, False]
    assert breaker.state is BreakerState.OPEN
    assert not breaker.allows()


def test_a_success_between_failures_starts_the_row_again(breaker):
    """Four failures, a success and four failures are no outage."""
    fail(breaker, 4)
    breaker.record_success()
    fail(breaker, 4)
    assert breaker.allows()


def test_seventy_percent_of_ten_calls_open_it(breaker):
    """A destination that answers now and then is still failing when 7 of 10 calls fail."""
    for fails in (3, 3):
        fail(breaker, fails)
        breaker.record_success()
    assert breaker.allows()
    fail(breaker, 1)  # 7 of 9: too few calls to judge by
    assert breaker.allows()
    fail(breaker, 1)  # 8 of 10
    assert breaker.state is BreakerState.OPEN


def test_six_of_ten_do_not_open_it(breaker):
    """Below 70 % calls go on."""
    for _ in range(3):
        fail(breaker, 2)
        breaker.record_success()
    breaker.record_success()
    assert breaker.allows()


def test_failures_older_than_the_window_are_forgotten(breaker, now):
    """Only the last five minutes count towards the share."""
    fail(breaker, 4)
    breaker.record_success()
    now.at += 301
    fail(breaker, 4)
    breaker.record_success()
    fail(breaker, 4)  # 8 of 9 in the window; with the old ones it would be 12 of 14
    assert breaker.state is BreakerState.CLOSED


def test_an_open_breaker_lets_one_probe_through(breaker, now):
    """After 30 s exactly one call may try; the others go on waiting."""
    fail(breaker, 5)
    assert breaker.wait_s() == pytest.approx(30)
    now.at += 29.9
    assert not breaker.allows()
    now.at += 0.1
    assert breaker.allows()
    assert breaker.is_probe
    assert not breaker.allows()


def test_a_successful_probe_closes_it(breaker, now):
    """The first success ends the outage and says so, so that the rows that waited become due."""
    fail(breaker, 5)
    now.at += 30
    breaker.allows()
    assert breaker.record_success()
    assert not breaker.is_probe
    assert breaker.allows()
    assert breaker.allows()
    assert not breaker.record_success()


def test_a_failed_probe_waits_a_whole_interval_again(breaker, now):
    """The destination is not hammered while it is down."""
    fail(breaker, 5)
    now.at += 30
    breaker.allows()
    now.at += 10
    breaker.record_failure(Unanswered("x"))
    assert breaker.wait_s() == pytest.approx(30)


def test_a_probe_that_never_reports_is_replaced(breaker, now):
    """A prober that dies without a word must not keep the destination closed for ever."""
    fail(breaker, 5)
    now.at += 30
    breaker.allows()
    now.at += 30
    assert breaker.allows()


def test_a_probe_that_is_not_made_can_be_given_back(breaker, now):
    """An empty lane that was allowed the probe must not cost the others half a minute."""
    fail(breaker, 5)
    now.at += 30
    breaker.allows()
    breaker.forgo()
    assert not breaker.is_probe
    assert breaker.allows()


def test_giving_back_without_a_probe_changes_nothing(breaker, now):
    """Only the probe can be given back: an open breaker stays open."""
    fail(breaker, 5)
    breaker.forgo()
    assert not breaker.allows()


def test_a_call_from_before_the_opening_does_not_move_the_probe(breaker, now):
    """Calls that were under way when it opened report late and change nothing."""
    fail(breaker, 5)
    now.at += 20
    breaker.record_failure(Unanswered("late"))
    breaker.record_failure(CredentialsRefused("late"))
    assert breaker.wait_s() == pytest.approx(10)
    assert breaker.state is BreakerState.OPEN


def test_refused_credentials_pause_it_at_once(breaker, now):
    """One refusal of our credentials is enough; it is probed each 60 s and ends by itself."""
    assert breaker.record_failure(CredentialsRefused("x", status=403))
    assert breaker.state is BreakerState.PAUSED
    assert breaker.wait_s() == pytest.approx(60)
    now.at += 60
    assert breaker.allows()
    breaker.record_failure(CredentialsRefused("x", status=401))
    assert breaker.wait_s() == pytest.approx(60)
    now.at += 60
    breaker.allows()
    assert breaker.record_success()
    assert breaker.state is BreakerState.CLOSED


def test_an_untrusted_certificate_pauses_it_at_once(breaker):
    """An expired certificate does not mend itself: nobody tries five times, and people are told."""
    assert breaker.record_failure(Untrusted("x"))
    assert breaker.state is BreakerState.PAUSED
    assert breaker.wait_s() == pytest.approx(60)


def test_what_another_process_found_out_is_adopted(breaker, now):
    """The others need not fail five times each; and who adopts tells nobody what all know."""
    assert not breaker.adopt(BreakerState.OPEN, 12)
    assert breaker.state is BreakerState.OPEN
    assert breaker.wait_s() == pytest.approx(12)
    assert breaker.adopt(BreakerState.CLOSED, 0)
    assert breaker.allows()
    assert not breaker.adopt(BreakerState.DELAYED, 5)
    assert breaker.wait_s() == pytest.approx(5)
    assert breaker.changes == 0


def test_a_probe_under_way_decides_by_itself(breaker, now):
    """News from others that is older than our own call does not overrule its outcome."""
    fail(breaker, 5)
    now.at += 30
    assert breaker.allows()
    assert not breaker.adopt(BreakerState.CLOSED, 0)
    breaker.record_failure(Failing("x", status=500))
    assert breaker.state is BreakerState.OPEN


def test_changes_are_counted_for_the_others(breaker, now):
    """Tripping, a failed probe, a delay and closing are news; a call that fails or succeeds is none."""
    fail(breaker, 4)
    assert breaker.changes == 0
    fail(breaker, 1)
    now.at += 30
    breaker.allows()
    fail(breaker, 1)
    assert breaker.changes == 2
    breaker.record_failure(Throttled("x", status=429))
    breaker.record_success()
    breaker.record_success()
    assert breaker.changes == 4


def test_a_probe_may_find_another_reason(breaker, now):
    """Credentials repaired, destination down: what people are told changes with it."""
    breaker.record_failure(CredentialsRefused("x"))
    now.at += 60
    breaker.allows()
    assert breaker.record_failure(Failing("x", status=500))
    assert breaker.state is BreakerState.OPEN
    assert breaker.wait_s() == pytest.approx(30)


def test_retry_after_delays_and_counts_as_no_failure(breaker, now):
    """A destination that names the time is obeyed and never called broken for it."""
    assert not breaker.record_failure(Throttled("x", status=503, retry_after_s=7))
    assert breaker.state is BreakerState.DELAYED
    assert breaker.wait_s() == pytest.approx(7)
    assert not breaker.allows()
    now.at += 7
    assert breaker.state is BreakerState.CLOSED
    assert breaker.allows()


def test_a_short_retry_after_again_and_again_is_asked_ever_more_rarely(breaker, now):
    """Two seconds, told for hours, would be thousands of attempts a row: up to one probe interval is waited."""
    waited = []
    for _ in range(8):
        assert not breaker.record_failure(Throttled("x", status=503, retry_after_s=2))
        waited.append(round(breaker.wait_s()))
        now.at += breaker.wait_s()
    assert waited == [2, 2, 4, 8, 16, 30, 30, 30]
    breaker.record_success()
    breaker.record_failure(Throttled("x", status=503, retry_after_s=2))
    assert breaker.wait_s() == pytest.approx(2)


def test_a_shorter_delay_never_shortens_a_longer_one(breaker):
    """Of two answers that name a time, the later time holds."""
    breaker.record_failure(Throttled("x", status=429, retry_after_s=60))
    breaker.record_failure(Throttled("x", status=429, retry_after_s=1))
    breaker.record_success()
    assert breaker.wait_s() == pytest.approx(60)


def test_a_429_without_a_time_delays_by_the_default(breaker):
    """429 says slow down even when it does not say for how long."""
    breaker.record_failure(Throttled("x", status=429))
    assert breaker.wait_s() == pytest.approx(10)


def test_an_open_breaker_obeys_retry_after_as_well(breaker, now):
    """A probe answered with a time waits for that time, not just for the interval."""
    fail(breaker, 5)
    now.at += 30
    breaker.allows()
    breaker.record_failure(Throttled("x", status=503, retry_after_s=600))
    now.at += 599
    assert not breaker.allows()
    now.at += 1
    assert breaker.allows()


def test_the_limits_are_settable(now):
    """Every constant is data."""
    breaker = Breaker(now, BreakerLimits(in_a_row=1, probe_s=0.5))
    fail(breaker, 1)
    assert breaker.wait_s() == pytest.approx(0.5)
