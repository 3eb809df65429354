"""Suggestions for an unmapped course: the likely module first, nothing where nothing is alike."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.bdtx.mapping import LIMIT, WHY, suggest
from gateway.bdtx.modules import catalogue

MODULES = catalogue().all()


@pytest.mark.parametrize(
    ("course_code", "title", "first"),
    [
        ("gvpt_3", None, ("GVPT03", "same_code")),
        ("gvmn 5", "x", ("GVMN05", "same_code")),
        ("VT-GVPT03-2025", "x", ("GVPT03", "code_inside_code")),
        ("A-QLMN7", None, ("QLMN07", "code_inside_code")),
        ("KH001", "Mô đun GVPT 03: Phát triển chuyên môn", ("GVPT03", "code_inside_title")),
        ("K1", "Mô đun 3 - chương trình ETEP dành cho giáo viên", ("ETEP03", "etep_number")),
        ("K1", "Module 9 (09 mô đun cốt lõi)", ("ETEP09", "etep_number")),
        ("K2", "[2025-2026] Bồi dưỡng bình đẳng giới - Hải Phòng khóa 2", ("HL07", "similar_title")),
        ("K3", "HỌC THÔNG QUA CHƠI", ("HL09", "similar_title")),
        ("K4", "Tư vấn tâm lí cho học sinh THCS", ("HL06", "similar_title")),
        ("K5", "Huong dan tre su dung Internet an toan, hieu qua", ("HL08", "similar_title")),
        ("K6", "Ứng dụng công nghệ thông tin trong dạy học", ("GVPT15", "similar_title")),
    ],
)
def test_the_likely_module_comes_first(course_code, title, first):
    """Spellings, decorated titles and abbreviations as vendors write them lead to the right module."""
    assert suggest(course_code, title, MODULES)[0] == first


@pytest.mark.parametrize(
    ("course_code", "title"),
    [
        (None, None),
        ("", ""),
        ("KH2025", "Giáo dục"),
        ("X", "Bồi dưỡng giáo viên phổ thông"),
        ("X", "Phòng cháy chữa cháy trong trường học"),
        ("GVPT99", "Mô đun 3"),
        ("X", "Mô đun 12 ETEP"),
    ],
)
def test_nothing_alike_gives_no_suggestion(course_code, title):
    """A wrong suggestion costs more than none: a number alone or a general title says nothing."""
    assert suggest(course_code, title, MODULES) == []


@given(st.text(max_size=30), st.text(max_size=80))
def test_suggestions_are_few_known_and_explained(course_code, title):
    """Any text a vendor writes gives at most five modules, each once, each with a reason we have words for."""
    found = suggest(course_code, title, MODULES)
    assert len(found) <= LIMIT
    assert len({code for code, _ in found}) == len(found)
    assert all(why in WHY for _, why in found)


def test_every_reason_has_words_in_both_languages():
    """The mapping page shows each reason in Vietnamese and English."""
    assert all(len(texts) == 2 and all(texts) for texts in WHY.values())
