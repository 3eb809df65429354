"""When a failed row is due again, as data. Jitter spreads rows that failed together.

Only a record's own faults walk along SCHEDULE_S to its end; what a destination caused waits for the
destination (docs/states.md), however long that takes.
"""

import random

from gateway.model.clock import DAY_MS, HOUR_MS, SECOND_MS

# Standard Webhooks' example table: ten attempts over 75 h 35 min, which survives a weekend.
SCHEDULE_S = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
JITTER = 0.2
# A row that waits for its destination comes back soon: the breaker, not the row, decides when to call.
DESTINATION_MS = 2 * SECOND_MS
# Held rows are looked at again without any feed: after an hour, then daily for a week, then weekly.
RECHECK_MS = (HOUR_MS, *(DAY_MS for _ in range(7)), 7 * DAY_MS)
# A refusal that someone outside can cure in TEMIS is tried again daily.
CURABLE_MS = DAY_MS
LONGEST_MS = int(max(7 * DAY_MS, SCHEDULE_S[-1] * 1000) * (1 + JITTER))
MAX_UNRECORDED_CLAIMS = 5


def jittered(delay_ms: int, source: random.Random) -> int:
    """`delay_ms` ± 20 %, at least one millisecond."""
    return max(1, int(delay_ms * source.uniform(1 - JITTER, 1 + JITTER)))


def retry_ms(tries: int) -> int | None:
    """Delay after the `tries`-th own failure (1 = first). None when the schedule is exhausted."""
    return SCHEDULE_S[tries - 1] * 1000 if tries <= len(SCHEDULE_S) else None


def recheck_ms(tries: int) -> int:
    """Delay before the next look at a row that has been held `tries` times (1 = first)."""
    return RECHECK_MS[min(tries, len(RECHECK_MS)) - 1]
