"""Logs: one JSON object per line on stderr, readable lines on a terminal; every line passes the redaction.

`configure` is called once, by the composition root. Records of other libraries (stdlib
logging) take the same way.
"""

import json as stdlib_json
import logging
import sys
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any, TextIO, cast

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from gateway.model.errors import ConfigError
from gateway.observe.redaction import describe, redact

LEVELS = ("debug", "info", "warning", "error")

# At `info` these tell of every connection or statement; a warning from them is worth reading.
_CHATTY = ("aiohttp.access", "httpx", "httpcore", "aiosqlite", "asyncio", "sqlalchemy", "alembic")


def configure(level: str = "info", json: bool | None = None, stream: TextIO | None = None) -> None:
    """Send all logs to `stream` (stderr). `json` None: JSON unless the stream is a terminal.

    Fields of a line: `at` (UTC), `level`, `event`, those given, and those bound for the task (trace, delivery).
    Raises: ConfigError for an unknown level.
    """
    if level not in LEVELS:
        raise ConfigError(f"log level must be one of {', '.join(LEVELS)}")
    out = stream or sys.stderr
    as_json = not out.isatty() if json is None else json
    number = logging.getLevelNamesMapping()[level.upper()]
    renderer: Processor = _to_json if as_json else structlog.dev.ConsoleRenderer(colors=out.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        _tell_failure,
    ]
    structlog.configure(
        processors=[*shared, _redact, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(cast(TextIO, _Lenient(out))),
        cache_logger_on_first_use=False,
    )
    _adopt_stdlib(out, number, shared, renderer)


class _Lenient:
    """A stream that loses lines when it is full, closed or its reader is gone; work goes on without them."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):
            self._out.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._out.flush()


def _adopt_stdlib(out: TextIO, number: int, shared: list[Processor], renderer: Processor) -> None:
    handler = logging.StreamHandler(out)
    handler.set_name("gateway")
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _redact, renderer],
        )
    )
    root = logging.getLogger()
    for old in [known for known in root.handlers if known.get_name() == "gateway"]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(number)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))
    logging.captureWarnings(True)


def _tell_failure(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """exc_info -> `failure`: type, message and frames, never local variables."""
    info = event.pop("exc_info", None)
    if info is True:
        info = sys.exc_info()
    error = info[1] if isinstance(info, tuple) else info
    if isinstance(error, BaseException):
        event["failure"] = describe(error)
    return event


def _redact(_: WrappedLogger, __: str, event: EventDict) -> MutableMapping[str, Any]:
    return redact(event)


def _to_json(_: WrappedLogger, __: str, event: EventDict) -> str:
    try:
        return orjson.dumps(event, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:  # a huge integer or a lone surrogate: a line is written all the same
        return stdlib_json.dumps(event, default=str)
