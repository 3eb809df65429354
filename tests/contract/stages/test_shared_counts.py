"""Budgets and guesses over several processes and both engines: together they keep what one would keep."""

import asyncio

import pytest
from structlog.testing import capture_logs

from gateway.model.clock import DAY_MS, HOUR_MS
from gateway.observe.metrics import Metrics
from gateway.security.blind import BlindIndex
from gateway.security.keys import Key, KeyRing
from gateway.stages.budgets import Later, SharedBudgets
from gateway.stages.guesses import GUESSES
from gateway.stages.shared_guesses import SharedGuesses
from gateway.storage.audit import read_audit
from tests.unit.identity.cases import a_claim

RING = KeyRing(
    masters=(Key("m1", b"m" * 32, "2026-01-01"),),
    blinds=(Key(1, b"b" * 32, "2026-01-01"),),
    digest=Key("d1", b"d" * 32, "2026-01-01"),
)
BLIND = BlindIndex(RING)


class Process:
    """One of several, with counts of its own."""

    def __init__(self, db, clock) -> None:
        self.metrics = Metrics()
        self.shared = SharedBudgets(db, clock)
        self.budget = self.shared.budget("test", 40, HOUR_MS)
        self.guesses = SharedGuesses(db, clock, BLIND, self.metrics)

    def spend(self, n: int, key: str = "viettel") -> int:
        return sum(self.budget.take(key) for _ in range(n))

    @property
    def alarms(self) -> float:
        name = "gateway_enumeration_alarms_total"
        return self.metrics.registry.get_sample_value(name, {"vendor": "viettel"}) or 0


@pytest.fixture
def processes(db, clock):
    return [Process(db, clock) for _ in range(4)]


async def table(db, columns="*"):
    async with db.read() as tx:
        return await tx.rows(f"SELECT {columns} FROM tallies ORDER BY kind, period, key, item")


async def test_four_processes_together_keep_one_budget(processes):
    """However greedy they are: it is spent whole, and far from four times over."""
    spent = 0
    for _ in range(30):
        for process in processes:
            spent += process.spend(100)
        for process in processes:
            await process.shared.write()
    assert 40 <= spent <= 40 * 5 // 4


async def test_a_new_period_begins_anew_and_the_old_one_is_cleared(db, clock, processes):
    """An hour later there is a budget again; rows of long ago are gone."""
    one = processes[0]
    for _ in range(60):
        one.spend(100)
        await one.shared.write()
    assert one.spend(1) == 0
    clock.advance(s=2 * 3_600)
    assert one.spend(1) == 1
    await one.shared.write()
    assert len(await table(db)) == 1


async def test_keys_are_apart_and_may_be_hidden(db, processes):
    """One vendor's spending is not another's; a key that must not be stored is stored as a blind index."""
    one = processes[0]
    assert (one.spend(3), one.spend(3, "vnpt")) == (3, 3)
    hidden = one.shared.budget("account", 3, DAY_MS, hidden=lambda key: BLIND.index("t", key).hex())
    assert hidden.take("viettel/5f0a")
    await one.shared.write()
    rows = [(row.kind, row.key, row.n) for row in await table(db)]
    assert rows[1:] == [("test", "viettel", 3), ("test", "vnpt", 3)]
    assert "5f0a" not in str(rows)


async def test_what_is_spent_while_writing_is_not_lost(db, processes):
    """The next writing has it."""
    one = processes[0]
    one.spend(2)
    writing = asyncio.create_task(one.shared.write())
    await asyncio.sleep(0)
    one.spend(1)
    await writing
    await one.shared.write()
    assert [row.n for row in await table(db)] == [3]


async def test_guesses_spread_over_processes_are_one_alarm(db, processes):
    """An account whose requests go round: metric, log and audit, once, without its id or what it tried."""
    with capture_logs() as logs:
        for n in range(GUESSES * 4):
            process = processes[n % 4]
            process.guesses.not_found(
                "viettel", a_claim(lms_user_id="5f0a-account", identifier=f"31000001{n:02}")
            )
            await process.guesses.write()
    assert sum(process.alarms for process in processes) == 1
    [line] = [line for line in logs if line["event"] == "identity.enumeration"]
    [act] = [act for act in await read_audit(db) if act.act == "identity.enumeration"]
    assert (act.actor, act.detail) == ("vendor:viettel", {"identifiers": GUESSES + 1})
    written = f"{line} {act} {await table(db)}"
    assert "5f0a-account" not in written
    assert "31000001" not in written


async def test_the_same_guess_again_is_no_new_one(db, clock, processes):
    """A held result is looked at again and again, in every process; that is one identifier."""
    for process in processes:
        for _ in range(GUESSES + 2):
            process.guesses.not_found("viettel", a_claim(identifier="3100000199"))
            await process.guesses.write()
    assert sum(process.alarms for process in processes) == 0
    clock.advance(s=DAY_MS // 1000)
    for n in range(GUESSES + 1):
        processes[n % 4].guesses.not_found("viettel", a_claim(identifier=f"31000002{n:02}"))
    for process in processes:
        await process.guesses.write()
    assert sum(process.alarms for process in processes) == 1


async def test_a_deadline_day_is_no_alarm_and_few_statements(db, processes):
    """Thousands of learners with a typo each are written by the thousand, and are no attack."""
    for n in range(2_500):
        processes[0].guesses.not_found("viettel", a_claim(lms_user_id=f"account-{n}", identifier=f"3{n:09}"))
    await processes[0].guesses.write()
    assert processes[0].alarms == 0
    assert len(await table(db, "kind, period, key, item")) == 2_500


async def test_later_is_once_and_closing_forgets_nothing():
    """Asked three times, done once; at the end of the process at once."""
    done = []

    async def work():
        done.append(1)

    later = Later(work, after_s=600)
    for _ in range(3):
        later.ask()
    await later.close()
    assert done == [1]
    await later.close()
    assert done == [1]


async def test_closing_in_the_middle_of_a_writing_counts_nothing_twice(db, processes):
    """The process ends while what was spent is being written: that writing is the last one."""
    one = processes[0]
    one.shared._later._after_s = 0
    one.spend(3)
    while not one.shared._db._running:
        await asyncio.sleep(0)
    await one.shared.close()
    assert [row.n for row in await table(db)] == [3]
