"""How long a completion takes from its 202 to delivered at a steady rate, and a commit beside a busy worker.

Single POSTs come so many a second, however slow the answers are. What each completion took is read from its
rows afterwards: `attempts.at_ms` of the step to delivered less `deliveries.received_at_ms`. Both are stamped
when their transaction begins: the commit before the 202 is counted, the last one is not, so they cancel out but
for a millisecond or two.
"""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from bench.checks import all_delivered, delivered
from bench.harness import Bench, Measured, Run, Variant, main
from bench.load import Sent, Spec, load
from bench.pipeline import pipeline, until_delivered
from bench.place import Place, a_place
from bench.processes import Failed, running

_JOURNEYS = """
SELECT a.at_ms - d.received_at_ms AS took FROM deliveries d
JOIN attempts a ON a.delivery_id = d.id AND a.to_state = 'delivered' ORDER BY took"""
COMMITS = "gateway_commit_seconds"
BEYOND_S = 10.0


@dataclass(frozen=True, slots=True)
class Options:
    """How long, how fast, and before how large a backlog."""

    seconds: int = field(default=20, metadata={"help": "how long each rate is kept up"})
    slow: int = field(default=100, metadata={"help": "the lower rate, a second"})
    fast: int = field(default=300, metadata={"help": "the higher rate, a second"})
    backlog: int = field(default=25_000, metadata={"help": "completions that keep `work` busy meanwhile"})
    busy_seconds: int = field(default=4, metadata={"help": "how long the lower rate is kept up beside it"})


async def measure(options: Options) -> Measured:
    """Runs each rate on a gateway of its own. Raises: Failed when not all was delivered."""
    measured = Measured()
    rates: dict[str, Variant] = {
        f"serve at {options.slow}/s": lambda _: steady(options.slow, options.seconds),
        f"serve at {options.fast}/s": lambda _: steady(options.fast, options.seconds),
    }
    await measured.interleave("ms (median)", rates, 1)
    beside: dict[str, Variant] = {"commit beside busy work": lambda _: _beside_work(options)}
    await measured.interleave("ms (p99, at most)", beside, 1)
    if not measured.figures["commit beside busy work"].runs[0].facts["busy_to_the_end"]:
        measured.notes.append(
            "The worker had nothing to do before the end: a larger --backlog would tell more."
        )
    return measured


async def steady(rate: int, seconds: int) -> Run:
    """One rate on a new gateway: the median journey, with the 99th of 100 and the worst. Raises: Failed."""
    total = rate * seconds
    async with a_place(total) as place, pipeline(place) as parts:
        sent = await _send(place, Spec(place.address, place.secret, total, rate_per_s=rate))
        await until_delivered(place, total, parts.gateway)
        await parts.stop_gateway()
        await all_delivered(place, total)
        took = _journeys(place)
    facts = {
        "p99_ms": took[len(took) * 99 // 100],
        "worst_ms": took[-1],
        "answer_p50_ms": sent.p50_ms,
        "answer_p99_ms": sent.p99_ms,
        "sent_per_s": total / sent.took_s,
    }
    return Run(took[len(took) // 2], facts)


async def _beside_work(options: Options) -> Run:
    """First the backlog, then `work` starts on it while single POSTs arrive; commits are those of the POSTs."""
    total = options.slow * options.busy_seconds
    async with a_place(options.backlog + total) as place, pipeline(place, has_worker=False) as parts:
        await _send(place, Spec(place.address, place.secret, options.backlog, 500, 4))
        singles = Spec(
            place.address, place.secret, total, rate_per_s=options.slow, first=options.backlog, run=1
        )
        async with load(place, singles) as sender:
            argv, log = ["gateway", "work"], place.folder / "work.log"
            async with running("work", argv, place.environment(), log) as work:
                before, done_before = await _commits(place), delivered(place)
                sent = await sender.go()
                after, done = await _commits(place), delivered(place)
                await until_delivered(place, options.backlog + total, [*parts.gateway, work])
        await parts.stop_gateway()
        await all_delivered(place, options.backlog + total)
    if not sent.all_taken or sent.accepted != total:
        raise Failed(f"the gateway accepted {sent.accepted} of {total}: {sent.statuses}")
    facts = {
        "answer_p50_ms": sent.p50_ms,
        "answer_p99_ms": sent.p99_ms,
        "worked_per_s": (done - done_before) / sent.took_s,
        "busy_to_the_end": done < options.backlog,
    }
    return Run(p99_ms(before, after), facts)


async def _send(place: Place, spec: Spec) -> Sent:
    async with load(place, spec) as sender:
        sent = await sender.go()
    if not sent.all_taken or sent.accepted != spec.total:
        raise Failed(f"the gateway accepted {sent.accepted} of {spec.total}: {sent.statuses}")
    return sent


def _journeys(place: Place) -> list[int]:
    """Milliseconds of each completion, ascending."""
    connection = sqlite3.connect(place.database)
    try:
        return [took for (took,) in connection.execute(_JOURNEYS)]
    finally:
        connection.close()


async def _commits(place: Place) -> dict[float, float]:
    """Upper bound in seconds -> commits that took no longer, as `gateway serve` counts them."""
    async with aiohttp.ClientSession() as http, http.get(f"{place.address}/metrics") as answer:
        families = text_string_to_metric_families(await answer.text())
    samples = [sample for family in families if family.name == COMMITS for sample in family.samples]
    return {float(s.labels["le"]): s.value for s in samples if s.name == f"{COMMITS}_bucket"}


def p99_ms(before: Mapping[float, float], after: Mapping[float, float]) -> float:
    """The bound of the bucket that holds the 99th of 100 commits: it took that long at most.

    BEYOND_S stands for whatever is above the last bound.
    """
    counted = {bound: after[bound] - before.get(bound, 0) for bound in sorted(after)}
    wanted = 0.99 * max(counted.values())
    return 1000 * min(BEYOND_S, next(bound for bound, commits in counted.items() if commits >= wanted))


BENCH = Bench(
    "latency", Options, measure,
    {"seconds": 1, "slow": 50, "fast": 100, "backlog": 500, "busy_seconds": 1},
)  # fmt: skip

if __name__ == "__main__":
    main(BENCH)
