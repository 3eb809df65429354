"""How long sign-in pauses after wrong passwords: guessers are slowed down, forgetful people not shut out."""

from gateway.model.clock import HOUR_MS, MINUTE_MS

FREE_FAILURES = 5
LONGEST_MS = HOUR_MS


def pause_ms(failures: int) -> int:
    """After so many failures in a row: nothing up to four, then 1 min, 2, 4 … one hour."""
    over = failures - FREE_FAILURES
    return 0 if over < 0 else min(MINUTE_MS << min(over, 16), LONGEST_MS)
