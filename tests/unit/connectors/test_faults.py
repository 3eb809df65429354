"""Fault texts: complete in both languages, filled from the limits in force, and used."""

import re
import string
from pathlib import Path

import pytest

import gateway.connectors
from gateway.connectors.faults import TEXTS, fault, fault_text


@pytest.mark.parametrize("code", TEXTS)
def test_every_fault_says_the_same_in_both_languages(code):
    """Both texts exist, end as sentences and name the same limits."""
    assert set(TEXTS[code]) == {"vi", "en"}
    names = [
        {field for _, field, _, _ in string.Formatter().parse(text) if field} for text in TEXTS[code].values()
    ]
    assert names[0] == names[1]
    for lang in ("vi", "en"):
        text = fault_text(code, lang)
        assert text.endswith((".", "}."))
        assert "{max" not in text


def test_every_fault_is_raised_somewhere():
    """A code nobody raises would document a fault that does not exist; one without text would crash."""
    home = Path(gateway.connectors.__file__).parent
    source = "".join(path.read_text("utf-8") for path in home.glob("*.py"))
    codes = r'"((?:field|id|revision|time|text|item|line|body)\.[a-z_0-9]+)"'
    assert set(TEXTS) == set(re.findall(codes, source))


def test_a_fault_is_stated_in_english_with_its_limit():
    """The code is what is stable; the message is for whoever reads the answer as it is."""
    assert fault("$.a", "id.too_long") == ("$.a", "id.too_long", "The id is longer than 128 characters.")
    assert fault_text("body.too_many_items", "vi", max_items=3).startswith("Quá 3 phần tử")
    assert "{…}" in fault_text("item.not_object", "en")
