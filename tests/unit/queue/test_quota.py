"""Limits of sources: each has its bucket, each process its share."""

from gateway.queue.quota import Quota


def test_a_source_may_send_its_limit_and_then_as_fast_as_it_refills():
    """Sixty a minute is sixty at once, then one a second."""
    quota = Quota()
    taken = [quota.take(1, 60, 0) for _ in range(61)]
    assert [one.wait_s for one in taken] == [0] * 60 + [1]
    assert [taken[0].remaining, taken[59].remaining] == [59, 0]
    assert quota.take(1, 60, 1_000).wait_s == 0
    assert quota.take(1, 60, 1_000).wait_s == 1
    assert quota.take(1, 60, 61_000).remaining == 59


def test_one_source_uses_up_nothing_of_another():
    """A noisy neighbour is refused by its own bucket."""
    quota = Quota()
    for _ in range(50):
        quota.take(1, 10, 0)
    assert quota.take(1, 10, 0).wait_s == 6
    assert quota.take(2, 10, 0).wait_s == 0


def test_processes_share_a_limit():
    """Three processes together take no more than was agreed."""
    quotas = [Quota() for _ in range(3)]
    for quota in quotas:
        quota.share_among(3)
    taken = sum(quota.take(1, 90, 0).wait_s == 0 for quota in quotas for _ in range(90))
    assert taken == 90


def test_the_headers_tell_policy_and_rest():
    """draft-ietf-httpapi-ratelimit-headers: quota and window, remaining and seconds to the reset."""
    standing = Quota().take(1, 120, 0)
    assert standing.headers == {"RateLimit-Policy": '"source";q=120;w=60', "RateLimit": '"source";r=119;t=1'}
