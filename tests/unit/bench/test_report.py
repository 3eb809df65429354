"""The page of results: written from bench/results alone, and nothing on it is invented."""

import xml.etree.ElementTree as ElementTree

import pytest

from bench import report
from bench.targets import TARGETS

DOCUMENT = {
    "bench": "end_to_end",
    "at": "2026-11-22T10:00:00+00:00",
    "took_s": 5,
    "commit": "abc1234",
    "has_changes": False,
    "machine": {
        "cores": 2, "cpu": "A CPU", "memory_gb": 8, "kernel": "6", "python": "3.11", "sqlite": "3.53.4",
        "storage": "ext4", "fsync_ms": 0.2,
    },
    "others_cores": 0.01,
    "is_quiet": True,
    "options": {"total": 20_000},
    "figures": {
        "serve": {"unit": "completions/s", "median": 6_500, "runs": [6_500], "facts": {"peak_mb": 301}},
        "floor": {"unit": "completions/s", "median": 13_000, "runs": [13_000], "facts": {}},
    },
    "ratios": {"serve / floor": {"median": 0.5, "low": 0.4, "high": 0.6}},
    "notes": ["A note."],
}  # fmt: skip


def test_the_page_says_what_the_kept_results_say():
    """A figure that was edited by hand, or a result without its page, is found."""
    page = report.PAGE.read_text("utf-8")
    part = page.partition(report.BEGIN)[2].partition(report.END)[0]
    assert part == f"\n{report.written(report.read())}\n"
    shown = {name: (report.PAGE.parent / report.PAGE.stem / name).read_text("utf-8") for name, _ in charts()}
    assert shown == dict(charts())


def charts():
    return list(report.charts(report.read()))


def test_only_the_part_between_the_markers_is_replaced(tmp_path):
    """What people wrote around it stays, however often it is written."""
    page = tmp_path / "performance.md"
    page.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n", "utf-8")
    report.write({"end_to_end": DOCUMENT}, page)
    once = page.read_text("utf-8")
    report.write({"end_to_end": DOCUMENT}, page)
    assert page.read_text("utf-8") == once
    assert once.startswith(f"before\n{report.BEGIN}\n")
    assert once.endswith(f"\n{report.END}\nafter\n")
    assert "old" not in once
    assert (tmp_path / "performance" / "end-to-end.svg").exists()


def test_every_target_has_a_line_whether_or_not_it_was_measured():
    """What has no figure says so; nothing is met without one."""
    text = report.written({"end_to_end": DOCUMENT})
    lines = [
        line for line in text.splitlines() if line.endswith(("| met |", "| not met |", "| not measured yet |"))
    ]
    assert len(lines) == len(TARGETS)
    assert sum(line.endswith("| met |") for line in lines) == 2
    [memory] = [line for line in lines if "peak memory" in line]
    assert memory.endswith("| < 300 MB | 301 MB | not met |")


@pytest.mark.parametrize(("is_quiet", "is_told"), [(True, False), (False, True)])
def test_a_disturbed_run_is_called_so(is_quiet, is_told):
    """A figure that was measured beside other work is not to be quoted as the machine's."""
    text = report.written({"end_to_end": DOCUMENT | {"is_quiet": is_quiet}})
    assert ("**Disturbed:** other programs used 0.01 cores" in text) is is_told
    assert "commit abc1234; 2 cores" in text


def test_a_chart_is_whole_xml_and_runs_nothing():
    """It is shown by browsers and mail programs: no script, no style sheet, a title for those who hear it."""
    [(name, chart)] = report.charts({"end_to_end": DOCUMENT | {"figures": {"a & <b>": {"median": 0}}}})
    root = ElementTree.fromstring(chart)
    assert name == "end-to-end.svg"
    assert {element.tag.rpartition("}")[2] for element in root.iter()} == {"svg", "title", "rect", "text"}
    assert "a & <b> 0" in root[0].text
