"""What is to be reached, as data, and whether a set of results reaches it."""

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Document = dict[str, Any]  # the result of one benchmark, as bench/results holds it

_OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    "≥": operator.ge,
    "≤": operator.le,
    "<": operator.lt,
}


@dataclass(frozen=True, slots=True)
class Target:
    """One target. `path` leads to the figure in the document of `bench`; empty: nothing measures it yet.

    `scale`: option of that benchmark -> how large the target wants it; a smaller run does not prove it.
    """

    sentence: str
    bound: str  # ≥, ≤ or <
    wanted: float
    unit: str = ""
    bench: str = ""
    path: tuple[str, ...] = ()
    scale: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found:
    """What became of one target."""

    verdict: str  # met, met in a smaller run, not met, not measured yet
    text: str


def _ratio(name: str, over: str) -> tuple[str, ...]:
    return ("ratios", f"{name} / {over}", "median")


def _fact(figure: str, name: str) -> tuple[str, ...]:
    return ("figures", figure, "facts", name)


TARGETS = (
    Target("single POST against the same handler without storage", "≥", 0.5, bench="accept",
           path=_ratio("single.gateway", "single.no_storage")),
    Target("single POST against a bare aiohttp echo (aim 0.35)", "≥", 0.25, bench="accept",
           path=_ratio("single.gateway", "single.echo")),
    Target("batches of 500 against raw executemany of the same rows with the same crypto", "≥", 0.5,
           bench="accept", path=_ratio("batch.gateway", "batch.raw")),
    Target("NDJSON against raw executemany", "≥", 0.5),
    Target("end to end on two cores, sandbox and generator included (aim 10 000)", "≥", 6_000, "/s",
           "end_to_end", ("figures", "serve", "median")),
    Target("end to end against the best peer that commits with fsync", "≥", 5, "×", "end_to_end",
           _ratio("serve", "best peer with fsync")),
    Target("end to end against the floor: raw sqlite3 with the same parse, crypto and rows", "≥", 0.5,
           bench="end_to_end", path=_ratio("serve", "floor")),
    Target("accept at 10⁷ rows against 10⁴", "≥", 0.2),
    Target("drain at 10⁷ rows against 10⁴", "≥", 0.8),
    Target("peak memory of `gateway serve`, end to end", "<", 300, " MB", "end_to_end",
           _fact("serve", "peak_mb")),
    Target("bytes of database per delivered completion, payload included", "≤", 3_072, " B", "end_to_end",
           _fact("serve", "bytes_each")),
    Target("bytes of database per delivered completion after payload retention", "≤", 1_228, " B"),
    Target("p99 from 202 to delivered at 300/s for 10 minutes", "<", 1_000, " ms", "latency",
           _fact("serve at 300/s", "p99_ms"), {"seconds": 600}),
    Target("kill -9 with 10⁶ waiting: time from start to the first delivery", "<", 2_000, " ms", "restart",
           ("figures", "first delivery", "median"), {"waiting": 1_000_000}),
    Target("verdict of a cached person", "<", 30, " µs", "verdict", ("figures", "judge", "median")),
    Target("verification at the source at 100/s, p99 on top of the sector database's own time", "<", 50, " ms",
           "identities", ("figures", "identities:verify", "median"), {"rate": 100, "seconds": 30}),
    Target("`gateway serve` beside a busy `gateway work` on one file: p99 of a commit", "≤", 20, " ms",
           "latency", ("figures", "commit beside busy work", "median")),
    Target("counting a replay of 10⁵ dead deliveries", "<", 2_000, " ms", "replay",
           ("figures", "plan", "median"), {"dead": 100_000}),
    Target("live commits beside a replay against alone, p95", "≤", 1.5, "×", "replay",
           _ratio("live commit beside a replay", "live commit alone"), {"dead": 100_000}),
    Target("memory that a replay of 10⁶ grows by", "<", 50, " MB", "replay", _fact("set going", "grown_mb"),
           {"dead": 1_000_000}),
)  # fmt: skip


def judged(documents: Mapping[str, Document], *, own_only: bool = False) -> Iterator[tuple[Target, Found]]:
    """Each target with what became of it. `own_only`: just those that `documents` could tell of."""
    for target in TARGETS:
        document = documents.get(target.bench)
        if document is None and own_only:
            continue
        value = _value(document, target.path)
        if document is None or value is None:
            yield target, Found("not measured yet", "–")
            continue
        is_met = _OPERATORS[target.bound](value, target.wanted)
        is_full = all(document["options"][name] >= size for name, size in target.scale.items())
        verdict = ("met" if is_full else "met in a smaller run") if is_met else "not met"
        yield target, Found(verdict, f"{told(value)}{target.unit}")


def wanted(target: Target) -> str:
    """The bound, as the table shows it."""
    return f"{target.bound} {target.wanted:,g}{target.unit}"


def _value(document: Document | None, path: tuple[str, ...]) -> float | None:
    found: Any = document
    for part in path:
        found = found.get(part) if isinstance(found, dict) else None
    return float(found) if path and isinstance(found, int | float) else None


def told(value: float | str | bool) -> str:
    """A figure as people read it: three digits that count, true and false as yes and no."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
