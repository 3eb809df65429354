"""Side-by-side benchmarks: our pipeline and its yardsticks, interleaved in one run. See docs/performance.md.

`python -m bench` runs all and rewrites docs/performance.md; `python -m bench.NAME --json` runs one. Linux only.
"""

import gateway as _gateway

assert _gateway  # imported first: every yardstick uses the SQLite that the gateway uses
