"""Lines of a file -> every fault of every item, without a gateway, keys or a network."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from gateway.connectors import Connector, Unsupported
from gateway.connectors.lines import Lines, read_line
from gateway.model.errors import FieldError, PayloadInvalid

UNSUPPORTED = "unsupported"


class Linted(NamedTuple):
    """What a line would get. `unsupported` is among its faults only here: sent, it is a receipt of its own."""

    line: int
    errors: tuple[FieldError, ...]


def lint(connector: Connector, pieces: Iterable[bytes]) -> Iterator[Linted]:
    """One for each line that holds an item."""
    for number, line in enumerate(_lines(pieces), 1):
        piece = read_line(line)
        if piece is None:
            continue
        if piece.fault is not None or piece.item is None:
            yield Linted(number, (piece.fault,) if piece.fault else ())
            continue
        try:
            connector.normalize(piece.item)
        except Unsupported as error:
            yield Linted(number, (FieldError("$", UNSUPPORTED, str(error)),))
        except PayloadInvalid as error:
            yield Linted(number, tuple(error.errors))
        else:
            yield Linted(number, ())


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    lines = Lines()
    for piece in pieces:
        yield from lines.feed(piece)
    if rest := lines.rest():
        yield rest
