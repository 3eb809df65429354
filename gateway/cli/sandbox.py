"""`gateway sandbox`: stand-ins for TEMIS, the sector database and their token service, on one port."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.output import invocation


def sandbox(
    ctx: typer.Context,
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port to listen on.")] = 9200,
    roster: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="CSV of the people that the sector database knows."),
    ] = None,
    people: Annotated[
        int, typer.Option(min=1, max=2_000_000, help="How many people to make up when no roster is given.")
    ] = 2_000,
) -> None:
    """Start the sandbox: TEMIS, the sector database and their token service, with faults on demand."""
    import asyncio

    from gateway.model.clock import SystemClock, local_date
    from gateway.sandbox.population import population
    from gateway.sandbox.server import run

    out = invocation(ctx).output()
    made_up = None if roster else population(people, today=local_date(SystemClock().now_ms()))
    asyncio.run(
        run(port, roster, people=made_up, ready=lambda address: out.say("sandbox.ready", address=address))
    )


COMMAND = sandbox
