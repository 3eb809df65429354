"""gateway/outbound/refusals.py: Retry-After."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from gateway.model.errors import Throttled
from gateway.outbound.exchange import Reply
from gateway.outbound.refusals import refusal, retry_after_s
from tests.builders import NOON

AT = datetime.fromtimestamp(NOON / 1000, UTC)


def http_date(at):
    return format_datetime(at, usegmt=True)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("5", 5),
        (" 120 ", 120),
        ("3600", 3600),
        ("86400", 3600),
        (http_date(AT + timedelta(seconds=90)), 90),
        (http_date(AT - timedelta(seconds=90)), 0),
        (http_date(AT + timedelta(days=2)), 3600),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 0),
        (None, None),
        ("", None),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("٥", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_up_to_an_hour(value, seconds):
    """Both forms of RFC 9110 are read, at most an hour is obeyed, nonsense is no time at all."""
    assert retry_after_s(value, None, now_ms=NOON) == seconds


def test_a_date_counts_from_the_answers_own_clock():
    """A destination whose clock is an hour ahead still means the 30 seconds it meant."""
    ahead = AT + timedelta(hours=1)
    value, date = http_date(ahead + timedelta(seconds=30)), http_date(ahead)
    assert retry_after_s(value, date, now_ms=NOON) == 30


@pytest.mark.parametrize("status", [429, 503])
def test_a_throttle_carries_its_time(status):
    """The breaker is told how long to wait."""
    reply = Reply(status, httpx.Headers({"retry-after": "7"}), b"")
    error = refusal(reply, "POST /x", now_ms=NOON)
    assert isinstance(error, Throttled)
    assert error.retry_after_s == 7


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_every_2xx_is_an_answer(status):
    """Only what is not 2xx is a refusal."""
    assert refusal(Reply(status, httpx.Headers(), b""), "POST /x", now_ms=NOON) is None
