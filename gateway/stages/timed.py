"""One call to an outside system, measured: a histogram for dashboards, one wide line in the log."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from prometheus_client import Histogram

from gateway.model.errors import UpstreamError

log = structlog.get_logger(__name__)


@contextmanager
def timed(calls: Histogram | None, destination: str, call: str, items: int) -> Iterator[None]:
    """Measures the block. `result` is `answered`, or the class of the failure; what it raises goes on."""
    began = time.monotonic()
    result, status = "answered", None
    try:
        yield
    except UpstreamError as error:
        result, status = error.code.removeprefix("upstream."), error.status
        raise
    except BaseException:
        result = "given_up"  # the process ends, or somebody waits no more
        raise
    finally:
        took_s = time.monotonic() - began
        if calls is not None:
            calls.labels(destination, result).observe(took_s)
        log.info(
            "call",
            destination=destination,
            call=call,
            items=items,
            result=result,
            status=status,
            ms=round(took_s * 1000, 1),
        )
