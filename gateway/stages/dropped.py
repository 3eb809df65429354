"""A file of completions -> the same lines that a stream would send: NDJSON, a JSON array, CSV or Excel.

A table's row keeps its number: row 7 of the sheet is line 7. Only tables and arrays are held in memory whole.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import orjson

from gateway.bdtx.sheets import MAX_BYTES, parse_sheet, read_file
from gateway.connectors import Connector
from gateway.connectors.cells import columns, headings, item_of
from gateway.connectors.slicing import slice_body
from gateway.model.errors import ConfigError, PayloadInvalid

TABLES = (".csv", ".tsv", ".xlsx", ".xls", ".xlsm")
_PIECE_BYTES = 262_144
_SPACE = b" \t\r\n\xef\xbb\xbf"


class Dropped:
    """One file, read in the form of one connector."""

    def __init__(self, path: Path, connector: Connector) -> None:
        self._path = path
        self._connector = connector
        self.is_table = path.suffix.lower() in TABLES
        self.size_bytes = path.stat().st_size

    def stream_name(self) -> str:
        """Named by what is in it, so that the same file again goes on where it was."""
        digest = hashlib.sha256()
        with self._path.open("rb") as file:
            while piece := file.read(_PIECE_BYTES):
                digest.update(piece)
        return f"file-{digest.hexdigest()[:40]}"

    def pieces(self, after: int = 0) -> Iterator[bytes]:
        """The bytes of all lines above `after`. Raises: ConfigError when it is no such file."""
        if self.is_table:
            return self._rows(after)
        with self._path.open("rb") as file:
            start = file.read(_PIECE_BYTES).lstrip(_SPACE)[:1]
        return self._items(after) if start == b"[" else self._lines(after)

    def _lines(self, after: int) -> Iterator[bytes]:
        with self._path.open("rb") as file:
            for _ in range(after):
                file.readline()
            while piece := file.read(_PIECE_BYTES):
                yield piece

    def _items(self, after: int) -> Iterator[bytes]:
        """Of an array: each item as it stands, on one line, so that its faults are told where they are."""
        try:
            slices = slice_body(read_file(self._path), max_items=MAX_BYTES)
        except PayloadInvalid as error:
            raise ConfigError(f"{self._path.name}: {error.errors[0].message}") from None
        for piece in slices[after:]:
            yield piece.raw.replace(b"\r", b" ").replace(b"\n", b" ") + b"\n"

    def _rows(self, after: int) -> Iterator[bytes]:
        cells = columns(self._connector.wire_model)
        required = [path for path, cell in cells.items() if cell.is_required]
        sheet = parse_sheet(read_file(self._path), self._path.name, headings(cells), required)
        line = after
        for row in sheet.rows:
            if row.line > line:
                blank = b"\n" * (row.line - line - 1)
                yield blank + orjson.dumps(item_of(row.cells, cells)) + b"\n"
                line = row.line
