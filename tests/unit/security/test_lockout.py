"""Pauses after wrong passwords."""

from gateway.security.lockout import pause_ms


def test_pauses_double_up_to_an_hour():
    """Four slips are free; a guesser gets a few dozen tries a day."""
    assert [pause_ms(n) // 60_000 for n in range(13)] == [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60]
    assert pause_ms(10**9) == 3_600_000
