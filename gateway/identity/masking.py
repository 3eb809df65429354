"""Identifiers and numbers made safe to show: the ends stay, the middle is covered."""

COVER = "•"
_SHOWN = 2


def mask(value: str) -> str:
    """`7407137235` -> `74••••••35`. The length stays; a value of five characters or fewer is covered whole."""
    if len(value) <= 2 * _SHOWN + 1:
        return COVER * len(value)
    return value[:_SHOWN] + COVER * (len(value) - 2 * _SHOWN) + value[-_SHOWN:]
