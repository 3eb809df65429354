"""docs/settings.md says what the model says."""

from pathlib import Path

from gateway.settings.document import document

PAGE = Path(__file__).parents[3] / "docs" / "settings.md"


def test_the_page_is_the_generated_one() -> None:
    """A setting changed without its page is a defect; run `python -m gateway.settings.document`."""
    assert PAGE.read_text("utf-8") == document()


def test_defaults_do_not_name_this_machine() -> None:
    """The home folder of whoever generated the page must not stand in it."""
    assert str(Path.home()) not in document()
