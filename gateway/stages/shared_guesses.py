"""Who keeps trying identifiers that nobody has, counted over all processes: metric, audit and log, once a day.

Only keyed hashes are written: of the account, and of what it tried. An account whose requests go round ten
processes is seen as one.
"""

from collections import OrderedDict
from functools import partial

import structlog

from gateway.identity.identifier import read
from gateway.model.clock import DAY_MS, Clock
from gateway.model.completion import Claim
from gateway.observe.metrics import Metrics
from gateway.security.blind import BlindIndex
from gateway.stages.budgets import Later
from gateway.stages.guesses import GUESSES, Guesses
from gateway.storage.audit import append
from gateway.storage.engine import Database, Tx
from gateway.storage.tallies import Tally, add_in, count_in, prune_in

log = structlog.get_logger(__name__)

KIND, ALARM = "guess", "guess.alarm"
_REMEMBERED = 50_000  # guesses written by this process; held rows are looked at again and again
_ROWS = 1_000

Alarm = tuple[str, str, int]  # vendor, account, different identifiers


class SharedGuesses(Guesses):
    """One instance per process; they share the table `tallies`."""

    def __init__(self, db: Database, clock: Clock, blind: BlindIndex, metrics: Metrics) -> None:
        super().__init__(clock, metrics)
        self._db = db
        self._blind = blind
        self._written: OrderedDict[Tally, None] = OrderedDict()
        self._unwritten: dict[Tally, str] = {}  # guess -> vendor
        self._later = Later(self.write)

    def not_found(self, vendor: str, claim: Claim) -> None:
        """Nobody has the identifier that this account stated. Costs two hashes; told a moment later."""
        account = self._blind.index("tally.account", f"{vendor}/{claim.lms_user_id}").hex()
        tried = self._blind.index("tally.identifier", read(claim.identifier).digits).hex()
        guess = Tally(KIND, self._clock.now_ms() // DAY_MS, account, tried)
        if guess not in self._written and guess not in self._unwritten:
            self._unwritten[guess] = vendor
            self._later.ask()

    async def write(self) -> None:
        """Writes the guesses of the last moment and gives the alarm where an account has tried too many."""
        while part := list(self._unwritten.items())[:_ROWS]:
            alarms = await self._db.write(partial(self._add, part=part))
            for guess, _ in part:
                del self._unwritten[guess]
                self._written[guess] = None
            while len(self._written) > _REMEMBERED:
                self._written.popitem(last=False)
            for vendor, account, n in alarms:
                self._metrics.enumeration.labels(vendor).inc()
                log.warning("identity.enumeration", vendor=vendor, account=account, identifiers=n)

    async def _add(self, tx: Tx, part: list[tuple[Tally, str]]) -> list[Alarm]:
        await add_in(tx, [(guess, 1) for guess, _ in part])
        alarms: list[Alarm] = []
        for day in sorted({guess.period for guess, _ in part}):
            vendors = {guess.key: vendor for guess, vendor in part if guess.period == day}
            counts = await count_in(tx, KIND, day, vendors)
            many = {key: n for key, n in counts.items() if n > GUESSES}
            # Whoever writes the alarm first gives it; the others find it given.
            given = await add_in(tx, [(Tally(ALARM, day, key), 1) for key in many])
            for tally in sorted(tally for tally, n in given.items() if n == 1):
                alarms.append((vendors[tally.key], tally.key, many[tally.key]))
            for kind in (KIND, ALARM):
                await prune_in(tx, kind, day - 1)
        for vendor, account, n in alarms:
            about = f"account:{account}"
            await append(
                tx, self._clock.now_ms(), f"vendor:{vendor}", "identity.enumeration", about, identifiers=n
            )
        return alarms

    async def close(self) -> None:
        await self._later.close()
