"""How long verification at the source takes on top of the sector database's own time, at a steady rate.

One learner a request, another each time, so every question is asked live. The same questions are first asked of
the sector database directly, by the same client at the same rate: its own time. Times count from the moment a
request was due, however slow the answers are.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice

import aiohttp
import orjson

from bench.completions import REPEATS, VENDOR, people_for, roster
from bench.harness import CPU, Bench, Measured, Run, main
from bench.pipeline import pipeline
from bench.place import Place, a_place
from bench.processes import Failed
from gateway.sandbox.roster import StaffRow
from gateway.security.signatures import sign

_VERIFY = f"/v1/vendors/{VENDOR}/identities:verify"
_VERIFIED = b'"status":"verified"'
_WARM = 50  # requests at the same rate that do not count: connections and token are there by then

Ask = Callable[[StaffRow], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Options:
    """How long, how fast."""

    seconds: int = field(default=30, metadata={"help": "how long the rate is kept up"})
    rate: int = field(default=100, metadata={"help": "questions a second"})
    rounds: int = field(default=3, metadata={"help": "how often it runs"})


async def measure(options: Options) -> Measured:
    """Each round on a gateway of its own. Raises: Failed when somebody was not verified."""
    measured = Measured()
    await measured.interleave(
        "ms (p99 less the registry's median)",
        {"identities:verify": lambda _: verified(options.rate, options.seconds)},
        options.rounds,
    )
    measured.notes.append("Every question was asked live and answered as verified.")
    return measured


async def verified(rate: int, seconds: int) -> Run:
    """The 99th of 100 answers less the sector database's median. Raises: Failed."""
    total = rate * seconds
    async with a_place((_WARM + total) * REPEATS) as place, pipeline(place, has_worker=False) as parts:
        people = iter(roster(people_for((_WARM + total) * REPEATS)))
        async with aiohttp.ClientSession() as http:
            direct = _direct(place, http, await _token(place, http))
            through = _through(place, http)
            asked = list(islice(people, _WARM + total))
            own = await _steadily(direct, asked, rate)
            before = sum(process.cpu_s() for process in parts.gateway)
            ours = await _steadily(through, asked, rate)
            cpu_s = sum(process.cpu_s() for process in parts.gateway) - before
        await parts.stop_gateway()
    facts = {
        "registry_p50_ms": _at(own, 50),
        "registry_p99_ms": _at(own, 99),
        "p50_ms": _at(ours, 50),
        "p99_ms": _at(ours, 99),
        "worst_ms": round(ours[-1], 2),
        CPU: round(1e6 * cpu_s / len(asked)),
    }
    return Run(_at(ours, 99) - _at(own, 50), facts)


async def _steadily(ask: Ask, people: list[StaffRow], rate: int) -> list[float]:
    """Milliseconds each answer took from when its question was due, ascending; those of _WARM left out."""
    start, took = time.perf_counter(), list[float]()

    async def one(number: int, person: StaffRow) -> None:
        due = start + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        await ask(person)
        if number >= _WARM:
            took.append(1000 * (time.perf_counter() - due))

    await asyncio.gather(*(one(number, person) for number, person in enumerate(people)))
    return sorted(took)


def _through(place: Place, http: aiohttp.ClientSession) -> Ask:
    numbers = _numbers()

    async def ask(person: StaffRow) -> None:
        number = next(numbers)
        body = orjson.dumps(
            {
                "lms_user_id": f"account-{number}",
                "identifier": person.sector_id,
                "full_name": person.full_name,
                "birth_date": person.birth_date,
                "unit_code": person.unit_code,
                "role": person.role,
            }
        )
        headers = sign(place.secret, f"msg_{number}", int(time.time()), body)
        headers["Content-Type"] = "application/json"
        async with http.post(place.address + _VERIFY, data=body, headers=headers) as answer:
            said = await answer.read()
        if answer.status != 200 or _VERIFIED not in said:
            raise Failed(f"the gateway answered {answer.status}: {said[:300]!r}")

    return ask


def _direct(place: Place, http: aiohttp.ClientSession, token: str) -> Ask:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    async def ask(person: StaffRow) -> None:
        body = orjson.dumps({"identifiers": [{"type": "sector_id", "value": person.sector_id}]})
        address = f"{place.sandbox}/registry/staff:lookup"
        async with http.post(address, data=body, headers=headers) as answer:
            said = await answer.read()
        if answer.status != 200 or person.sector_id.encode() not in said:
            raise Failed(f"the sandbox answered {answer.status}: {said[:300]!r}")

    return ask


async def _token(place: Place, http: aiohttp.ClientSession) -> str:
    form = {"grant_type": "client_credentials", "client_id": "bench", "client_secret": ""}
    async with http.post(f"{place.sandbox}/oauth/token", data=form) as answer:
        return str((await answer.json())["access_token"])


def _numbers() -> Iterator[int]:
    yield from range(1, 1 << 62)


def _at(took: list[float], percent: int) -> float:
    return round(took[min(len(took) - 1, len(took) * percent // 100)], 2)


BENCH = Bench("identities", Options, measure, {"seconds": 1, "rate": 50, "rounds": 1})

if __name__ == "__main__":
    main(BENCH)
