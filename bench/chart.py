"""Figures -> one bar chart as SVG, without script or style sheet, so that it shows anywhere."""

from collections.abc import Sequence
from html import escape

WIDTH, LABEL, ROW, PAD = 760, 250, 26, 10
OURS, OTHERS, TEXT = "#0b6e4f", "#9aa5b1", "#1f2933"


def bars(title: str, unit: str, values: Sequence[tuple[str, float, bool]]) -> str:
    """`values`: (label, figure, whether it is the gateway's own), from top to bottom."""
    longest = max((value for _, value, _ in values), default=1.0) or 1.0
    height = (len(values) + 1) * ROW + 2 * PAD
    told = "; ".join(f"{label} {value:,.0f}" for label, value, _ in values)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'font-family="sans-serif" font-size="13" fill="{TEXT}">',
        f"<title>{escape(f'{title}, {unit}: {told}')}</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="{PAD}" y="{PAD + 16}" font-weight="bold">{escape(title)}, {escape(unit)}</text>',
    ]
    for row, (label, value, is_ours) in enumerate(values, 1):
        top = PAD + row * ROW
        width = max(1.0, value / longest * (WIDTH - LABEL - 90))
        lines += [
            f'<text x="{LABEL - 8}" y="{top + 16}" text-anchor="end">{escape(label)}</text>',
            f'<rect x="{LABEL}" y="{top + 3}" width="{width:.1f}" height="{ROW - 8}" '
            f'fill="{OURS if is_ours else OTHERS}"/>',
            f'<text x="{LABEL + width + 6:.1f}" y="{top + 16}">{value:,.0f}</text>',
        ]
    return "\n".join([*lines, "</svg>", ""])
