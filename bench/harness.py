"""Runs variants in turns, so that whatever else the machine does strikes them alike; medians, ratios, results.

A benchmark is a module with a BENCH: its options, and a coroutine that measures. `main` makes a program of it.
"""

import argparse
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, Generic, TypeVar

import orjson
import uvloop
from rich.console import Console
from rich.table import Table

from bench.machine import Others, commit, machine
from bench.targets import Document, judged, told, wanted

RESULTS = Path(__file__).parent / "results"
CPU = "cpu_us"  # the fact that says how much processor time one completion took
QUIET_CORES = 0.2  # others, the kernel and a PostgreSQL of ours among them, may use so much unnoticed

RATIO = ("median", "low", "high", "cpu")
Options = TypeVar("Options")
Fact = float | int | str | bool


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of one variant measured: the figure, and facts beside it."""

    value: float
    facts: Mapping[str, Fact] = field(default_factory=dict)


Variant = Callable[[int], Awaitable[Run]]  # is told the number of its round


@dataclass(slots=True)
class Figure:
    """All runs of one variant."""

    unit: str
    runs: list[Run] = field(default_factory=list)

    @property
    def median(self) -> float:
        return median(run.value for run in self.runs)

    def as_dict(self) -> dict[str, Any]:
        return {
            "unit": self.unit,
            "median": self.median,
            "runs": [run.value for run in self.runs],
            "facts": {name: self.fact(name) for name in (self.runs[-1].facts if self.runs else ())},
        }

    def fact(self, name: str) -> Fact | None:
        """Numbers as medians; of what is true or false, whether it always was; of texts the last."""
        if not all(name in run.facts for run in self.runs):
            return None
        values = [run.facts[name] for run in self.runs]
        if all(isinstance(value, bool) for value in values):
            return all(values)
        numbers = [value for value in values if isinstance(value, int | float)]
        return median(numbers) if len(numbers) == len(values) else values[-1]


def chosen(variants: Mapping[str, Variant], names: str) -> dict[str, Variant]:
    """Those of `variants` that `names` lists, separated by `;`; all when it is empty. Raises: ValueError."""
    wanted = [name.strip() for name in names.split(";")] if names else list(variants)
    if unknown := [name for name in wanted if name not in variants]:
        raise ValueError(f"no such variant: {', '.join(unknown)}; there are: {'; '.join(variants)}")
    return {name: variants[name] for name in wanted}


@dataclass(slots=True)
class Measured:
    """What a benchmark found. `notes` are told beside the figures: what was left out, and why."""

    figures: dict[str, Figure] = field(default_factory=dict)
    ratios: dict[str, dict[str, float]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    async def interleave(
        self, unit: str, variants: Mapping[str, Variant], rounds: int, fewer: Mapping[str, int] | None = None
    ) -> None:
        """Runs all variants `rounds` times, each round beginning with another; some `fewer` times."""
        names = list(variants)
        for number in range(rounds):
            turn = number % len(names)
            for name in names[turn:] + names[:turn]:
                if number >= (fewer or {}).get(name, rounds):
                    continue
                run = await variants[name](number)
                self.figures.setdefault(name, Figure(unit)).runs.append(run)
                print(f"  {name}: {run.value:,.0f} {unit}", file=sys.stderr, flush=True)

    def compare(self, name: str, over: str) -> None:
        """Adds the ratio `name / over`: the median of the rounds' ratios, the lowest and the highest.

        `cpu`: the same by processor time a completion, which other programs disturb less.
        """
        if name not in self.figures or over not in self.figures:
            return
        above, below = self.figures[name].runs, self.figures[over].runs
        if len(above) == len(below):
            found = [a.value / b.value for a, b in zip(above, below, strict=True)]
        else:
            found = [self.figures[name].median / self.figures[over].median]
        ratio = {"median": median(found), "low": min(found), "high": max(found)}
        ours, theirs = (self.figures[one].fact(CPU) for one in (name, over))
        if isinstance(ours, float) and isinstance(theirs, float):
            ratio["cpu"] = theirs / ours
        self.ratios[f"{name} / {over}"] = ratio


@dataclass(frozen=True, slots=True)
class Bench(Generic[Options]):
    """One benchmark. `quick`: options for a try of some seconds."""

    name: str
    options: type[Options]
    measure: Callable[[Options], Awaitable[Measured]]
    quick: Mapping[str, Any]

    def run(self, options: Options) -> Document:
        """Measures, and says on what."""
        others, (head, has_changes) = Others(), commit()
        at = datetime.now(UTC)
        measured = uvloop.run(_measured(self.measure, options))
        cores = others.cores()
        return {
            "bench": self.name,
            "at": at.isoformat(timespec="seconds"),
            "took_s": round((datetime.now(UTC) - at).total_seconds(), 1),
            "commit": head,
            "has_changes": has_changes,
            "machine": machine(Path(tempfile.gettempdir())),
            "others_cores": round(cores, 2),
            "is_quiet": cores <= QUIET_CORES,
            "options": {one.name: getattr(options, one.name) for one in fields(options)},  # type: ignore[arg-type] # always a dataclass
            "figures": {name: figure.as_dict() for name, figure in measured.figures.items()},
            "ratios": measured.ratios,
            "notes": measured.notes,
        }


async def _measured(measure: Callable[[Options], Awaitable[Measured]], options: Options) -> Measured:
    return await measure(options)


def main(bench: Bench[Any], argv: Sequence[str] | None = None) -> None:
    """`python -m bench.NAME`: a table, or with --json the document; --save keeps it in bench/results."""
    parser = argparse.ArgumentParser(prog=f"python -m bench.{bench.name}")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("--save", action="store_true", help="keep the result in bench/results")
    parser.add_argument("--quick", action="store_true", help="so little work that the figures mean nothing")
    for one in fields(bench.options):
        assert one.default is not MISSING
        parser.add_argument(
            f"--{one.name.replace('_', '-')}", type=type(one.default), default=None,
            help=f"{one.metadata.get('help', '')} (default {one.default})",
        )  # fmt: skip
    given = parser.parse_args(argv)
    named = {one.name: getattr(given, one.name) for one in fields(bench.options)}
    chosen = (dict(bench.quick) if given.quick else {}) | {k: v for k, v in named.items() if v is not None}
    document = bench.run(bench.options(**chosen))
    if given.save:
        save(document)
    if given.json:
        print(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())
    else:
        show(document)


def save(document: Document, folder: Path = RESULTS) -> None:
    """Keeps it as NAME.json; the one before is replaced."""
    folder.mkdir(exist_ok=True)
    text = orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    (folder / f"{document['bench']}.json").write_bytes(text)


def show(document: Document) -> None:
    """Figures, ratios and targets as tables."""
    console = Console()
    disturbed = "" if document["is_quiet"] else f", DISTURBED: others used {document['others_cores']} cores"
    console.print(f"[bold]{document['bench']}[/] at {document['commit']}, {document['took_s']} s{disturbed}")
    table = Table("figure", "median", "runs", "beside it")
    for name, figure in document["figures"].items():
        facts = ", ".join(f"{key} {told(value)}" for key, value in figure["facts"].items())
        runs = " ".join(told(value) for value in figure["runs"])
        table.add_row(name, f"{told(figure['median'])} {figure['unit']}", runs, facts)
    console.print(table)
    if document["ratios"]:
        table = Table("ratio", "median", "lowest", "highest", "by processor time")
        for name, ratio in document["ratios"].items():
            table.add_row(name, *(f"{ratio[key]:.2f}" if key in ratio else "–" for key in RATIO))
        console.print(table)
    for note in document["notes"]:
        console.print(note, soft_wrap=True)
    for target, found in judged({document["bench"]: document}, own_only=True):
        console.print(
            f"{found.verdict}: {target.sentence}: {found.text}, wanted {wanted(target)}", soft_wrap=True
        )
