"""Masked identifiers."""

import pytest

from gateway.identity.masking import mask


@pytest.mark.parametrize(
    ("value", "masked"),
    [("7407137235", "74••••••35"), ("031185012345", "03••••••••45"), ("12345", "•••••"), ("", "")],
)
def test_the_middle_is_covered_and_the_length_stays(value, masked):
    """Two characters at each end are shown, and of a short value nothing."""
    assert mask(value) == masked
