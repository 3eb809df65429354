"""Numbers -> coordinates of charts; templates/charts.html draws them as SVG without any inline style."""

from collections.abc import Sequence
from typing import NamedTuple


class Bar(NamedTuple):
    """One part of a bar, in hundredths of the chart's width."""

    start: float
    width: float


def shares(parts: Sequence[float], whole: float | None = None) -> list[Bar]:
    """Parts of one stacked bar; `whole` (by default their sum) fills the width."""
    total = whole if whole is not None else sum(parts)
    bars, start = [], 0.0
    for part in parts:
        width = 100 * part / total if total else 0.0
        bars.append(Bar(round(start, 3), round(width, 3)))
        start += width
    return bars


def ceiling(values: Sequence[float]) -> float:
    """A round number at or above all values: the top of the scale."""
    top = max(values, default=0)
    if top <= 0:
        return 1
    power = 1.0
    while power * 10 <= top:
        power *= 10
    while power > top:
        power /= 10
    return next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= top)


def line(values: Sequence[float], *, width: float, height: float, top: float | None = None) -> str:
    """Points of a polyline, left to right, zero at the bottom."""
    top = top or ceiling(values)
    step = width / max(len(values) - 1, 1)
    return " ".join(f"{n * step:.1f},{height - height * value / top:.1f}" for n, value in enumerate(values))
