"""What commands say: sentences and tables for people, one JSON object for machines, errors on stderr.

A command takes `ctx: typer.Context` and, when it reports, `json: Json = False`:

    out = invocation(ctx).output(json)
    out.say("init.done", file=path)      # people only
    out.data({"created": True})          # machines only
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from gateway.cli.exits import is_database
from gateway.model.errors import GatewayError
from gateway.model.texts import Lang, Texts

if TYPE_CHECKING:  # both cost start-up time that `--help` should not pay
    from rich.console import Console

    from gateway.settings import Settings

TEXTS = Path(__file__).parent / "texts"
PIPED_WIDTH = 200  # a table that goes into a file or a pipe is not cut at 80 columns

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]


@dataclass(frozen=True, slots=True)
class Invocation:
    """One run of the command: its environment and the language of its reader."""

    env: Mapping[str, str]
    lang: Lang
    texts: Texts

    def settings(self) -> "Settings":
        """Raises: ConfigError naming every fault of the environment at once."""
        from gateway.settings import load

        return load(self.env)

    def text(self, key: str, **fill: object) -> str:
        return self.texts.get(key, self.lang, **fill)

    def number(self, value: float, digits: int = 0) -> str:
        """A figure as the reader writes it: 6,7 in Vietnamese, 6.7 in English."""
        shown = f"{value:.{digits}f}"
        return shown.replace(".", ",") if self.lang == "vi" else shown

    def output(self, json: bool = False) -> "Output":
        return Output(self, json=json)


def invocation(ctx: typer.Context) -> Invocation:
    """The run that a command belongs to."""
    found = ctx.find_root().obj
    assert isinstance(found, Invocation)
    return found


class Output:
    """Standard output of one command, either for people or (`json`) for machines."""

    def __init__(self, run: Invocation, *, json: bool) -> None:
        self.run = run
        self.json = json

    def say(self, key: str, **fill: object) -> None:
        """One sentence, by its text key. Silent under --json."""
        if not self.json:
            sys.stdout.write(self.run.text(key, **fill) + "\n")
            sys.stdout.flush()  # whoever reads a pipe sees the progress of a long command

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]], title: str | None = None) -> None:
        """A table; `columns` and `title` are text keys, cells are printed as they are. Silent under --json."""
        if self.json:
            return
        from rich.table import Table
        from rich.text import Text

        table = Table(title=self.run.text(title) if title else None, title_justify="left")
        for column in columns:
            table.add_column(self.run.text(column), overflow="fold")
        for row in rows:
            # Text, not str: a `[` in a value is not markup.
            table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
        console().print(table)

    def data(self, value: Any) -> None:
        """One JSON document and a newline. Silent without --json."""
        if self.json:
            import orjson

            sys.stdout.write(
                orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS).decode() + "\n"
            )


def console(file: TextIO | None = None) -> "Console":
    """A rich console on stdout, for tables and progress; wide where nobody's terminal sets a width."""
    from rich.console import Console

    stream = file or sys.stdout
    return Console(file=stream, width=None if stream.isatty() else PIPED_WIDTH, highlight=False)


def complain(run: Invocation, error: Exception) -> None:
    """One clear message on stderr: what kind of trouble, then the fault; several faults a line each."""
    code = _code(error)
    kind = run.text(f"error.{code}") if run.texts.has(f"error.{code}") else code
    lines = _message(error).splitlines() or [""]
    shown = f" {lines[0]}" if len(lines) == 1 else "".join(f"\n  - {line}" for line in lines)
    sys.stderr.write(run.text("error.line", kind=kind) + shown + "\n")


def _code(error: Exception) -> str:
    if isinstance(error, GatewayError):
        return error.code
    if is_database(error):
        return "database"
    return "os" if isinstance(error, OSError) else "internal.error"


def _message(error: Exception) -> str:
    if is_database(error):
        # The driver's first line: what follows it in SQLAlchemy's text are the statement and its values.
        cause = getattr(error, "orig", None) or error
        return f"{type(cause).__name__}: {str(cause).partition(chr(10))[0]}"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return str(error)
