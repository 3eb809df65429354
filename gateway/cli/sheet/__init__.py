"""The lines of the balance as a table, a file and beside a vendor's totals."""

from gateway.cli.sheet.comparison import show_comparison
from gateway.cli.sheet.lines import show_lines

__all__ = ["show_comparison", "show_lines"]
