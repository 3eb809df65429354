"""The composition root: the only place that picks classes and wires them together.

settings -> Gateway (gateway.py) -> Authority (authority.py) -> Pipeline (pipeline.py), each opened and closed
by a context manager of its own.
"""

from gateway.app.authority import Authority, open_authority
from gateway.app.duties import open_reconcile
from gateway.app.gateway import Gateway, open_gateway
from gateway.app.outside import open_caller, open_token, sharing
from gateway.app.pipeline import Pipeline, open_pipeline

__all__ = [
    "Authority",
    "Gateway",
    "Pipeline",
    "open_authority",
    "open_caller",
    "open_gateway",
    "open_pipeline",
    "open_reconcile",
    "open_token",
    "sharing",
]
