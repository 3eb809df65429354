"""The navigation says where one is, also on a page that is not in it."""

import pytest

from gateway.console.navigation import pages, section_of
from gateway.console.page import Page


@pytest.mark.parametrize(
    ("name", "section"),
    [("overview", "overview"), ("failures", "failures"), ("case", "failures"), ("sign_in", None)],
)
def test_a_page_belongs_to_one_of_the_navigation(name, section):
    """Its own place, what it names, or the nearest page above its path; before sign-in there is none."""
    assert section_of(name) == section


def test_every_page_that_is_named_as_the_one_above_exists():
    """A page under another one names a page of the navigation."""
    found = [page for page in pages() if isinstance(page, Page)]
    named = {page.under for page in found if page.under}
    assert named <= {page.name for page in found if page.nav is not None}
