"""bench/results/*.json -> the part of docs/performance.md between its markers, and the charts it shows.

`python -m bench.report` writes both anew.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import orjson

from bench.chart import bars
from bench.harness import RATIO, RESULTS
from bench.machine import ROOT
from bench.targets import Document, judged, told, wanted

PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- written by `make bench` from here -->", "<!-- to here -->"
CHARTS = {  # figures whose names begin so, by file
    "accept-single.svg": ("accept", "single.", "Single POSTs accepted"),
    "accept-batch.svg": ("accept", "batch.", "Completions accepted in batches of 500"),
    "end-to-end.svg": ("end_to_end", "", "End to end"),
}


def read(folder: Path = RESULTS) -> dict[str, Document]:
    """Every result by the name of its benchmark."""
    documents = [orjson.loads(file.read_bytes()) for file in sorted(folder.glob("*.json"))]
    return {document["bench"]: document for document in documents}


def write(documents: Mapping[str, Document], page: Path = PAGE) -> None:
    """Replaces the written part of `page`, and the charts in the folder `performance` beside it."""
    text = page.read_text("utf-8")
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    page.write_text(f"{head}{BEGIN}\n{written(documents)}\n{END}{tail}", "utf-8")
    for name, chart in charts(documents):
        target = page.parent / page.stem / name
        target.parent.mkdir(exist_ok=True)
        target.write_text(chart, "utf-8")


def written(documents: Mapping[str, Document]) -> str:
    """Targets, then each benchmark's figures, as Markdown."""
    parts = ["\n### Targets\n\n" + "\n".join(_targets(documents))]
    for name, document in documents.items():
        images = [file for file, (bench, _, _) in CHARTS.items() if bench == name]
        shown = "".join(f"![{name}]({PAGE.stem}/{file})\n" for file in images)
        parts.append(f"### {name}\n\n{_conditions(document)}\n\n" + "\n".join(_figures(document)))
        parts += ["\n".join(_ratios(document))] if document["ratios"] else []
        parts += [shown.rstrip()] if shown else []
        parts += ["\n".join(f"- {note}" for note in document["notes"])] if document["notes"] else []
    return "\n\n".join(parts) + "\n"


def charts(documents: Mapping[str, Document]) -> Iterator[tuple[str, str]]:
    """(file name, SVG) of those that there are figures for."""
    for file, (bench, prefix, title) in CHARTS.items():
        figures = documents.get(bench, {}).get("figures", {})
        values = [
            (name.removeprefix(prefix), figure["median"], "serve" in name or "gateway" in name)
            for name, figure in figures.items()
            if name.startswith(prefix)
        ]
        if values:
            yield file, bars(title, "completions/s", sorted(values, key=lambda value: -value[1]))


def _targets(documents: Mapping[str, Document]) -> Iterator[str]:
    yield "| target | wanted | found | |"
    yield "|---|---|---|---|"
    for target, found in judged(documents):
        yield f"| {target.sentence} | {wanted(target)} | {found.text} | {found.verdict} |"


def _conditions(document: Document) -> str:
    machine = document["machine"]
    code = f"commit {document['commit']}" + (" with changes" if document["has_changes"] else "")
    options = ", ".join(f"{name} {value}" for name, value in document["options"].items() if value != "")
    where = (
        f"{document['at'][:16].replace('T', ' ')} UTC, {code}; {machine['cores']} cores ({machine['cpu']}), "
        f"{machine['memory_gb']} GB, Linux {machine['kernel']}, Python {machine['python']}, "
        f"SQLite {machine['sqlite']}, {machine['storage']} with an fsync of {machine['fsync_ms']} ms; "
        f"{options}."
    )
    if document["is_quiet"]:
        return where
    return f"{where}\n**Disturbed:** other programs used {document['others_cores']} cores meanwhile."


def _figures(document: Document) -> Iterator[str]:
    yield "| figure | median | runs | beside it |"
    yield "|---|---|---|---|"
    for name, figure in document["figures"].items():
        facts = ", ".join(f"{key} {told(value)}" for key, value in figure["facts"].items())
        runs = ", ".join(told(value) for value in figure["runs"])
        yield f"| {name} | {told(figure['median'])} {figure['unit']} | {runs} | {facts} |"


def _ratios(document: Document) -> Iterator[str]:
    yield "| ratio | median | lowest | highest | by processor time |"
    yield "|---|---|---|---|---|"
    for name, ratio in document["ratios"].items():
        yield f"| {name} | " + " | ".join(f"{ratio[key]:.2f}" if key in ratio else "–" for key in RATIO) + " |"


if __name__ == "__main__":
    write(read())
