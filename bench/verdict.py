"""What one verdict costs: identifier, name, birth date, status and all other rules, on answers at hand."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import orjson

from bench.completions import VENDOR, bodies, people_for, roster
from bench.floor.work import answers_of
from bench.harness import Bench, Measured, Run, main
from bench.processes import Failed
from gateway.connectors import discover
from gateway.identity.case import Case, keys_of
from gateway.identity.judge import judge
from gateway.identity.policy import load
from gateway.model.clock import local_date
from gateway.model.person import Answer


@dataclass(frozen=True, slots=True)
class Options:
    """How many verdicts in a run."""

    cases: int = field(default=10_000, metadata={"help": "verdicts in a run"})
    rounds: int = field(default=3, metadata={"help": "how often it runs"})


async def measure(options: Options) -> Measured:
    """Judges every case each round. Raises: Failed when one is not verified."""
    cases, measured = _cases(options.cases), Measured()
    await measured.interleave("µs", {"judge": lambda _: _judged(cases)}, options.rounds)
    return measured


def _cases(total: int) -> list[Case]:
    connector = discover()[VENDOR]
    files = {key: file for row in roster(people_for(total)) for key, file in answers_of(row)}
    found = []
    for body in bodies(total):
        completion = connector.normalize(orjson.loads(body))
        answers = {
            key: Answer(hits=(files[key],), fetched_at_ms=completion.completed_at_ms, live=False)
            for key in keys_of(completion.claim)
        }
        found.append(Case(completion.claim, local_date(completion.completed_at_ms), answers, completion.vendor))
    return found


async def _judged(cases: Sequence[Case]) -> Run:
    policy = load()
    started = time.perf_counter()
    verdicts = [judge(case, policy) for case in cases]
    took_s = time.perf_counter() - started
    if not all(verdict.verified for verdict in verdicts):
        raise Failed("the cases are not all verified")
    return Run(took_s / len(cases) * 1e6)


BENCH = Bench("verdict", Options, measure, {"cases": 100, "rounds": 1})

if __name__ == "__main__":
    main(BENCH)
