"""What an operator does to single deliveries: discard, restore, edit by two people."""

from gateway.cli.handling.discarding import discard, restore
from gateway.cli.handling.editing import approve, edit

__all__ = ["approve", "discard", "edit", "restore"]
