"""Accept-Language: the best of our two languages."""

import pytest

from gateway.api.languages import preferred


@pytest.mark.parametrize(
    ("header", "lang"),
    [
        (None, "vi"),
        ("", "vi"),
        ("vi", "vi"),
        ("en", "en"),
        ("EN-gb", "en"),
        ("en-US,en;q=0.9,vi;q=0.8", "en"),
        ("en;q=0.3, vi-VN;q=0.4", "vi"),
        ("fr, en;q=0.5", "en"),
        ("fr;q=1, de", "vi"),
        ("*", "vi"),
        ("en;q=0", "vi"),
        ("en;q=nonsense", "vi"),
        ("en;q=9", "vi"),
        ("english", "vi"),
        (",;=,", "vi"),
        ("vi, en", "vi"),
        ("en, vi", "en"),
    ],
)
def test_the_preferred_language_is_answered(header, lang):
    """By weight, then by order; what is unusable or asks for neither leaves the default."""
    assert preferred(header, "vi") == lang


def test_the_default_is_the_settings():
    """An installation may choose English for readers who state nothing."""
    assert preferred(None, "en") == "en"
    assert preferred("vi;q=0.1", "en") == "vi"
