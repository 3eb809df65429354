"""Rounds, medians and ratios, and the targets they are held against."""

import pytest

from bench.harness import Measured, Run
from bench.targets import TARGETS, judged


def variant(values, seen, name):
    values = iter(values)

    async def run(number):
        seen.append((number, name))
        return Run(next(values), {"all": number != 1, "n": number, "text": "x"})

    return run


@pytest.fixture
async def measured():
    """Two variants over three rounds, and one that runs in the first round only."""
    found, found.seen = Found(), []
    variants = {
        "ours": variant([10, 90, 30], found.seen, "ours"),
        "theirs": variant([20, 30, 20], found.seen, "theirs"),
        "slow": variant([5], found.seen, "slow"),
    }
    await found.interleave("/s", variants, 3, {"slow": 1})
    return found


class Found(Measured):
    """With a note of who ran when."""

    seen: list


async def test_variants_take_turns_and_none_is_always_first(measured):
    """Whatever the machine does besides strikes all of them alike."""
    assert measured.seen == [
        (0, "ours"), (0, "theirs"), (0, "slow"),
        (1, "theirs"), (1, "ours"),
        (2, "ours"), (2, "theirs"),
    ]  # fmt: skip


async def test_a_figure_is_the_median_of_its_runs(measured):
    """One disturbed run does not move it; a fact that failed once is not true."""
    told = measured.figures["ours"].as_dict()
    assert (told["median"], told["runs"], told["unit"]) == (30, [10, 90, 30], "/s")
    assert told["facts"] == {"all": False, "n": 1, "text": "x"}


async def test_a_ratio_compares_runs_of_the_same_round(measured):
    """Ratios 0.5, 3 and 1.5; of variants that ran unequally often the medians are compared."""
    measured.compare("ours", "theirs")
    measured.compare("ours", "slow")
    measured.compare("ours", "left out")
    assert measured.ratios == {
        "ours / theirs": {"median": 1.5, "low": 0.5, "high": 3},
        "ours / slow": {"median": 6, "low": 6, "high": 6},
    }


@pytest.mark.parametrize(
    ("value", "waiting", "verdict"),
    [
        (1_999, 1_000_000, "met"),
        (1_999, 20_000, "met in a smaller run"),
        (2_000, 20_000, "not met"),
        (None, 20_000, "not measured yet"),
    ],
)
def test_a_target_is_met_only_at_its_own_scale(value, waiting, verdict):
    """A figure of a small run does not prove a target about a million rows, and no figure proves nothing."""
    figures = {"first delivery": {"median": value}} if value else {}
    document = {"bench": "restart", "options": {"waiting": waiting}, "figures": figures}
    found = {target.bench: verdict.verdict for target, verdict in judged({"restart": document}, own_only=True)}
    assert found == {"restart": verdict}


def test_every_target_names_a_figure_or_is_open():
    """A target whose benchmark does not exist yet stays in the table, as not measured."""
    assert [t for t in TARGETS if bool(t.bench) != bool(t.path)] == []
    assert {verdict.verdict for _, verdict in judged({})} == {"not measured yet"}
