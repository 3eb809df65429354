"""Log lines: one JSON object each, redacted, from structlog and from the standard library alike."""

import io
import json
import logging
import warnings

import pytest
import structlog

from gateway.model.errors import ConfigError
from gateway.observe.logs import configure


@pytest.fixture
def out():
    """Where configured logs go; the process-wide configuration is put back afterwards."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    levels = {name: logging.getLogger(name).level for name in logging.root.manager.loggerDict}
    yield io.StringIO()
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)
    for name in logging.root.manager.loggerDict:
        logging.getLogger(name).setLevel(levels.get(name, logging.NOTSET))


def lines(out: io.StringIO) -> list[dict]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_line_is_one_json_object_with_time_level_and_event(out):
    """Collectors read lines; people search by event and field."""
    configure("info", json=True, stream=out)
    structlog.get_logger().info("accepted", vendor="viettel", items=3)
    [line] = lines(out)
    assert line.pop("at").endswith("Z")
    assert line == {"level": "info", "event": "accepted", "vendor": "viettel", "items": 3}


def test_lines_are_redacted_on_both_ways(out):
    """A library that logs a value is cleaned as we are."""
    configure("info", json=True, stream=out)
    structlog.get_logger().info("looked up 3300012345", full_name="Nguyễn Thị Hòa")
    logging.getLogger("some.library").warning("cannot find %s", "3300012345")
    text = out.getvalue()
    assert len(lines(out)) == 2
    assert "3300012345" not in text
    assert "Hòa" not in text
    assert lines(out)[1]["logger"] == "some.library"


def test_fields_bound_to_the_task_are_on_every_line(out):
    """One trace is followed from the vendor's request to TEMIS."""
    configure("info", json=True, stream=out)
    with structlog.contextvars.bound_contextvars(trace_id="0af7651916cd43dd8448eb211c80319c"):
        structlog.get_logger().info("a")
        logging.getLogger("some.library").error("b")
    assert {line["trace_id"] for line in lines(out)} == {"0af7651916cd43dd8448eb211c80319c"}


def test_an_exception_is_told_without_its_values(out):
    """The traceback says where, the message says no name."""
    configure("info", json=True, stream=out)
    try:
        raise ValueError("bad 'Nguyễn Thị Hòa'")
    except ValueError:
        structlog.get_logger().exception("failed")
        logging.getLogger("some.library").exception("failed too")
    for line in lines(out):
        assert line["failure"]["type"] == "ValueError"
        assert line["failure"]["message"] == "bad '…'"
        assert any("test_logs.py" in frame for frame in line["failure"]["frames"])


def test_the_level_holds_for_us_and_for_libraries(out):
    """At warning nothing below is written; libraries that tell of every call are quiet at info."""
    configure("warning", json=True, stream=out)
    structlog.get_logger().info("no")
    logging.getLogger("some.library").info("no")
    structlog.get_logger().warning("yes")
    configure("info", json=True, stream=out)
    logging.getLogger("httpx").info("no")
    assert [line["event"] for line in lines(out)] == ["yes"]


def test_configuring_again_does_not_double_the_lines(out):
    """A reload must not write everything twice."""
    configure("info", json=True, stream=out)
    configure("info", json=True, stream=out)
    logging.getLogger("some.library").error("once")
    assert len(lines(out)) == 1


def test_a_terminal_gets_lines_for_human_eyes(out):
    """Without a choice the stream decides: JSON for a pipe, readable lines for a terminal."""
    configure("info", stream=out)
    structlog.get_logger().info("piped")
    assert lines(out)[0]["event"] == "piped"
    shown = io.StringIO()
    shown.isatty = lambda: True
    configure("info", stream=shown)
    structlog.get_logger().info("seen", vendor="vnpt")
    with pytest.raises(json.JSONDecodeError):
        lines(shown)
    assert "seen" in shown.getvalue()
    assert "vnpt" in shown.getvalue()


def test_a_failure_can_be_shown_on_a_terminal(out):
    """The readable form shows a failure too."""
    configure("info", json=False, stream=out)
    try:
        raise KeyError("x")
    except KeyError:
        structlog.get_logger().exception("failed")
    assert "KeyError" in out.getvalue()


def test_warnings_of_python_are_logged(out):
    """A deprecation in production is a log line, not lost text on stderr."""
    configure("info", json=True, stream=out)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn("old", UserWarning, stacklevel=1)
    assert lines(out)[0]["logger"] == "py.warnings"


def test_an_odd_value_never_breaks_a_line(out):
    """Huge integers, lone surrogates and odd keys are logged somehow, never an exception in the logger."""
    configure("info", json=True, stream=out)
    structlog.get_logger().info("odd", number=10**30, text="\ud800", nested={1: {2: "x"}}, endless=float("inf"))
    assert lines(out)[0]["event"] == "odd"


def test_an_unknown_level_is_a_configuration_error(out):
    """A typo in the level does not silence the gateway."""
    with pytest.raises(ConfigError, match="debug, info, warning, error"):
        configure("loud", stream=out)


@pytest.mark.parametrize("error", [BrokenPipeError, OSError, ValueError])
def test_a_log_that_cannot_be_written_stops_no_work(out, error):
    """A full disk or a collector that went away must not turn a stored completion into an error."""

    class Gone(io.StringIO):
        def write(self, text):
            raise error("gone")

    configure("info", json=True, stream=Gone())
    assert structlog.get_logger().info("accepted") is None
