"""How much each source may ask: a bucket for each, filled a little all the time.

Each process takes its share of a source's limit; a request costs no query.
Source: draft-ietf-httpapi-ratelimit-headers.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

WINDOW_S = 60
POLICY = "source"


class Standing(NamedTuple):
    """Where a source stands after one request."""

    limit: int  # requests a window, of this process
    remaining: int
    wait_s: int  # 0: taken; else after so many seconds another one is
    reset_s: int  # until the whole limit is there again

    @property
    def headers(self) -> dict[str, str]:
        """RateLimit-Policy and RateLimit."""
        return {
            "RateLimit-Policy": f'"{POLICY}";q={self.limit};w={WINDOW_S}',
            "RateLimit": f'"{POLICY}";r={self.remaining};t={self.reset_s}',
        }


@dataclass(slots=True)
class _Bucket:
    left: float
    at_ms: int


class Quota:
    """The buckets of one process."""

    def __init__(self) -> None:
        self._buckets: dict[int, _Bucket] = {}
        self._processes = 1

    def share_among(self, processes: int) -> None:
        """So many processes serve now; each takes an equal part."""
        self._processes = max(1, processes)

    def take(self, source_id: int, per_min: int, now_ms: int) -> Standing:
        """One request of a source that may send `per_min` a minute."""
        limit = max(1, per_min // self._processes)
        bucket = self._buckets.setdefault(source_id, _Bucket(limit, now_ms))
        passed_ms = max(0, now_ms - bucket.at_ms)
        bucket.left = min(limit, bucket.left + limit * passed_ms / (WINDOW_S * 1000))
        bucket.at_ms = now_ms
        each_s = WINDOW_S / limit
        wait_s = 0
        if bucket.left >= 1:
            bucket.left -= 1
        else:
            wait_s = max(1, math.ceil((1 - bucket.left) * each_s))
        return Standing(limit, int(bucket.left), wait_s, math.ceil((limit - bucket.left) * each_s))
