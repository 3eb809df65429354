"""`gateway version`: which release this is, and the library that keeps the data."""

import typer

import gateway
from gateway.cli.output import Json, invocation


def version(ctx: typer.Context, json: Json = False) -> None:
    """Show the release of the gateway, of Python and of SQLite."""
    import platform
    import sqlite3

    found = {
        "gateway": gateway.__version__,
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
    }
    out = invocation(ctx).output(json)
    out.say("version.line", **found)
    out.data(found)


COMMAND = version
