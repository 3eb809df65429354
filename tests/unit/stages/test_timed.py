"""gateway/stages/timed.py: every call to an outside system is measured and told in one line."""

import pytest
import structlog

from gateway.model.errors import Failing, Unanswered
from gateway.observe.metrics import Metrics
from gateway.stages.timed import timed


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


def count(metrics, result) -> float:
    labels = {"destination": "temis", "result": result}
    return metrics.registry.get_sample_value("gateway_call_seconds_count", labels) or 0


def test_an_answered_call_is_counted_and_told(metrics):
    """One wide line for each call: which, how many items, how it ended, how long it took."""
    with structlog.testing.capture_logs() as lines, timed(metrics.calls, "temis", "push", 200):
        pass
    assert count(metrics, "answered") == 1
    [line] = lines
    assert line | {"ms": 0.0} == {
        "event": "call",
        "log_level": "info",
        "destination": "temis",
        "call": "push",
        "items": 200,
        "result": "answered",
        "status": None,
        "ms": 0.0,
    }


@pytest.mark.parametrize(
    ("error", "result", "status"),
    [(Failing("x", status=502), "failing", 502), (Unanswered("x"), "unanswered", None)],
)
def test_a_failed_call_goes_on_failing_and_is_told_by_its_class(metrics, error, result, status):
    """Measuring changes nothing of what happens."""
    caught = pytest.raises(type(error))
    with structlog.testing.capture_logs() as lines, caught, timed(metrics.calls, "temis", "push", 1):
        raise error
    assert count(metrics, result) == 1
    assert (lines[0]["result"], lines[0]["status"]) == (result, status)


def test_a_call_that_is_given_up_is_no_answer(metrics):
    """A drain that cuts a call short does not look like a quick success."""
    with pytest.raises(KeyboardInterrupt), timed(metrics.calls, "temis", "push", 1):
        raise KeyboardInterrupt
    assert count(metrics, "given_up") == 1
