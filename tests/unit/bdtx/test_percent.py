"""Shares in the number format of the departments' own tables."""

import csv
from pathlib import Path

import pytest

from gateway.bdtx.percent import hundredths, percent, percent_text

TABLE = Path(__file__).parent / "samples" / "units_haiphong_2023.csv"
ROWS = list(csv.DictReader(TABLE.read_text("utf-8").splitlines()))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["unit"])
def test_every_row_of_a_real_table_comes_out_as_printed(row):
    """Half up, a decimal comma, trailing zeros dropped, and 0 where there is nobody."""
    whole, part = int(row["teachers_with_account"] or 0), int(row["self_assessed"] or 0)
    assert percent_text(part, whole, "vi") == row["percent_as_printed"]


def test_a_half_is_rounded_up():
    """Exactly between two values, which the real table never is, the larger one is printed."""
    assert hundredths(1, 800) == 13  # 0.125 %
    assert hundredths(0, 0) == 0


def test_english_readers_get_a_point():
    """The same figure for a cell and for either reader."""
    assert (percent_text(78, 100, "en"), percent_text(787, 1000, "en"), percent(787, 1000)) == (
        "78",
        "78.7",
        78.7,
    )
