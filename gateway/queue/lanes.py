"""Lanes keep one source's backlog from standing in front of everybody else's.

A lane is a number on the row: fixed lanes for special traffic, and one per vendor from VENDOR on.
"""

from collections.abc import Iterator, Sequence

SUSPECT = 1  # rows whose workers died: claimed one at a time
INTERACTIVE = 2  # an admin waits for it
REPLAY = 3
DEADLINE = 4
VENDOR = 100  # + vendor id

FIXED = (INTERACTIVE, DEADLINE, SUSPECT, REPLAY)
WEIGHTS = {INTERACTIVE: 4, DEADLINE: 4}


def parked_lane(vendor_id: int, lane: int) -> int:
    """Where a row of a paused vendor waits that stood in the fixed `lane`; nobody goes there."""
    return -(10 * vendor_id + lane)


def vendor_lane(vendor_id: int) -> int:
    return VENDOR + vendor_id


class Rota:
    """Goes round the lanes by weight, so that each gets its share however long the others' backlogs are."""

    def __init__(self) -> None:
        self._turn = 0

    def order(self, lanes: Sequence[int]) -> Iterator[int]:
        """All lanes once, starting one further at each call; weighted lanes start more often."""
        starts = [lane for lane in lanes for _ in range(WEIGHTS.get(lane, 1))]
        if not starts:
            return
        first = lanes.index(starts[self._turn % len(starts)])
        self._turn += 1
        yield from lanes[first:]
        yield from lanes[:first]
