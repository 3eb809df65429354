"""A key ring for tests, without a file."""

import pytest

from gateway.security.keys import Key, KeyRing


@pytest.fixture
def ring() -> KeyRing:
    return KeyRing(
        masters=(Key("m1", b"m" * 32, "2026-11-01"),),
        blinds=(Key(1, b"b" * 32, "2026-11-01"),),
        digest=Key("d1", b"d" * 32, "2026-11-01"),
    )
