"""Ways to write one name."""

import unicodedata

import pytest

from gateway.sandbox import spelling


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("Nguyễn Thị Hòa", "Nguyễn Thị Hoà"),
        ("Lê Thủy", "Lê Thuỷ"),
        ("Trần Thúy Nga", "Trần Thuý Nga"),
        ("Đỗ Hòe", "Đỗ Hoè"),
        ("Nguyễn Thị Quý", "Nguyễn Thị Quý"),
        ("Phạm Văn Hoàn", "Phạm Văn Hoàn"),
        ("Huỳnh Thị Lan", "Huỳnh Thị Lan"),
    ],
)
def test_the_tone_moves_in_open_syllables_only(name: str, other: str) -> None:
    """hòa and hoà are one word; hoàn, huỳnh and quý have one spelling."""
    assert spelling.other_tone_place(name) == other
    assert spelling.has_other_tone_place(name) == (name != other)


def test_marks_are_dropped_and_with_them_the_stroke_of_d() -> None:
    """đ does not decompose, so dropping combining marks alone would leave it."""
    assert spelling.without_marks("Đặng Thị Hòa") == "Dang Thi Hoa"


def test_decomposed_text_is_the_same_text() -> None:
    """NFD changes bytes, not letters."""
    assert spelling.decomposed("Hòa") != "Hòa"
    assert unicodedata.normalize("NFC", spelling.decomposed("Hòa")) == "Hòa"


def test_a_western_code_page_leaves_question_marks() -> None:
    """What was lost is gone; what the code page has survives."""
    assert spelling.damaged("Nguyễn Văn Hà") == "Nguy?n V?n Hà"
    assert spelling.damaged("Vũ Hà") == "V? Hà"
