"""Files that a page hands on: headers by their kind, a name in the reader's language, rows as CSV."""

import csv
from collections.abc import Iterable
from io import StringIO
from typing import Final
from urllib.parse import quote

from aiohttp import web

from gateway.model.sheet_cells import plain_cell

BOM: Final = "\ufeff".encode()  # by which a spreadsheet knows a CSV file as UTF-8
_KINDS: Final = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "zip": "application/zip",
}


def file_headers(plain: str, name: str | None = None) -> dict[str, str]:
    """`plain`: its name in ASCII, which ends in its kind. `name`: what browsers show instead (RFC 6266)."""
    shown = f"; filename*=UTF-8''{quote(name)}" if name else ""
    return {
        "Content-Type": _KINDS[plain.rpartition(".")[2]],
        "Content-Disposition": f'attachment; filename="{plain}"{shown}',
    }


def file_answer(content: bytes, plain: str, name: str | None = None) -> web.Response:
    """A whole file."""
    return web.Response(body=content, headers=file_headers(plain, name))


def csv_lines(rows: Iterable[Iterable[object]]) -> bytes:
    """Lines of a CSV file; nothing in them runs as a formula."""
    text = StringIO()
    csv.writer(text).writerows([plain_cell(cell) for cell in row] for row in rows)
    return text.getvalue().encode()
