"""`gateway settings`: the settings in use and where each comes from; secrets are never shown."""

from typing import Any

import typer

from gateway.cli.output import Json, invocation


def settings(ctx: typer.Context, json: Json = False) -> None:
    """Show the settings in use, secrets masked."""
    from pydantic import SecretStr

    from gateway.settings.load import known

    run = invocation(ctx)
    loaded = run.settings()
    rows = []
    for name, setting in known().items():
        value: Any = loaded
        for part in setting.path:
            value = getattr(value, part)
        if isinstance(value, SecretStr):
            value = "********" if value.get_secret_value() else None
        elif value is not None and not isinstance(value, bool | int | float):
            value = str(value)
        rows.append({"name": name, "value": value, "set": bool(run.env.get(name))})
    out = run.output(json)
    columns = ("settings.column.name", "settings.column.value", "settings.column.source")
    sources = {True: run.text("settings.source.env"), False: run.text("settings.source.default")}
    out.table(columns, [(row["name"], _shown(row["value"]), sources[bool(row["set"])]) for row in rows])
    out.data({"settings": rows})


def _shown(value: Any) -> str:
    if value is None:
        return "–"
    return str(value).lower() if isinstance(value, bool) else str(value)


COMMAND = settings
