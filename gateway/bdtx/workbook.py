"""Tables for people as .xlsx: headings that stay in sight, text that no spreadsheet takes for a formula.

A cell that begins with = + - @, a tab or a line break may run as a formula once the file is saved as CSV and
opened again, so it gets an apostrophe in front (OWASP, CSV injection).
"""

from collections.abc import Iterable, Sequence
from io import BytesIO
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from xlsxwriter.format import Format

Cell = str | int | float | None

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_MAX_TEXT = 32_767  # of one cell, by the format
_NARROW, _WIDE, _MAX_WIDE = 10, 48, 60


class Marked(str):
    """A text cell that stands out: something is to be done."""


def guarded(text: str) -> str:
    """The text as no spreadsheet evaluates it."""
    safe = f"'{text}" if text.startswith(_FORMULA) else text
    return safe[:_MAX_TEXT]


class WrittenBook:
    """A workbook being written, sheet after sheet and row after row; memory does not grow with the rows."""

    def __init__(self) -> None:
        import xlsxwriter  # only when one is written

        self._content = BytesIO()
        # Rows go through a temporary file; numbers and addresses in text stay text.
        options = {
            "constant_memory": True,
            "strings_to_numbers": False,
            "strings_to_formulas": False,
            "strings_to_urls": False,
        }
        self._book = xlsxwriter.Workbook(self._content, options)
        self._head = self._format(bold=True, bg_color="#E4ECF2", text_wrap=True, valign="top", border=1)
        self._plain = self._format(text_wrap=True, valign="top")
        self._marked = self._format(text_wrap=True, valign="top", bg_color="#FBE3D6")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._book.close()

    def sheet(
        self,
        name: str,
        headings: Sequence[str],
        rows: Iterable[Sequence[Cell]],
        *,
        above: Sequence[str] = (),
        wide: Iterable[int] = (),
    ) -> None:
        """One sheet. `above`: lines over the headings. `wide`: columns that hold sentences."""
        sheet = self._book.add_worksheet(name)
        wide_columns = set(wide)
        for column, heading in enumerate(headings):
            width = _WIDE if column in wide_columns else min(max(_NARROW, len(heading) + 4), _MAX_WIDE)
            sheet.set_column(column, column, width)
        for number, line in enumerate(above):
            sheet.write_string(number, 0, guarded(line))
        top = len(above)
        for column, heading in enumerate(headings):
            sheet.write_string(top, column, guarded(heading), self._head)
        sheet.freeze_panes(top + 1, 0)
        for number, row in enumerate(rows, start=top + 1):
            for column, cell in enumerate(row):
                if isinstance(cell, str):
                    chosen = self._marked if isinstance(cell, Marked) else self._plain
                    if cell:
                        sheet.write_string(number, column, guarded(cell), chosen)
                elif cell is not None:
                    sheet.write_number(number, column, cell, self._plain)

    def content(self) -> bytes:
        """The file, once the block has ended."""
        return self._content.getvalue()

    def _format(self, **properties: Any) -> "Format":
        return self._book.add_format(properties)
