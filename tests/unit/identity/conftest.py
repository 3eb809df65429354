"""Fixtures of identity tests."""

import pytest

from gateway.identity import policy
from gateway.identity.policy import DEFAULT, Policy


@pytest.fixture
def strict_policy() -> Policy:
    """The shipped policy, but another school holds."""
    text = DEFAULT.read_text("utf-8")
    return policy.parse(
        text.replace('"attribute.unit_mismatch" = "warns"', '"attribute.unit_mismatch" = "holds"')
    )
