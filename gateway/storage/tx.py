"""What a transaction offers, the same on both engines: rows of a statement, statements, many rows at once."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from sqlalchemy import Executable

from gateway.storage.rows import Cell, Kind, json_rows, pack


class Tx(Protocol):
    """One transaction. `rows` and `run` take SQL with :named parameters; cells of a row are its attributes."""

    dialect: str

    async def rows(self, sql: str, /, **parameters: Cell) -> Sequence[Any]:
        """All rows of a statement (also RETURNING; without an order unless the SQL says one)."""
        ...

    async def run(self, sql: str, /, **parameters: Cell) -> int:
        """Runs a statement. Returns: rows changed."""
        ...

    async def run_many(self, sql: str, rows: Sequence[Mapping[str, Cell]]) -> None:
        """Runs a statement once for each of `rows` in the driver (blobs); no rows is no statement."""
        ...

    async def insert_many(self, statement: Executable, rows: Sequence[Mapping[str, Cell]]) -> None:
        """`run_many` of a statement that SQLAlchemy words; its wording costs some 100 us each time."""
        ...

    def json_rows(self, *columns: tuple[str, Kind], parameter: str = "rows") -> str:
        """The derived table `x` that reads `:rows`, or another parameter (storage/rows.py)."""
        return json_rows(self.dialect, columns, parameter)

    @staticmethod
    def pack(rows: Sequence[Sequence[Cell]]) -> str:
        return pack(rows)
