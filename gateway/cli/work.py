"""`gateway work`: verifies and delivers what `gateway serve` took; any number of processes on one database."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.exits import Exit
from gateway.cli.output import invocation

if TYPE_CHECKING:
    from gateway.settings import Settings


def work(
    ctx: typer.Context,
    metrics_port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="Port for health and metrics; 0 shows none.")
    ] = None,
) -> None:
    """Start a worker without HTTP for vendors, until SIGTERM."""
    from gateway.cli.serving.process import run
    from gateway.settings import require_destinations

    this = invocation(ctx)
    settings = this.settings()
    require_destinations(settings)
    port = settings.worker_metrics_port if metrics_port is None else metrics_port
    out = this.output()
    raise typer.Exit(run(settings, _work(settings, port, ready=lambda: out.say("work.ready"))))


async def _work(settings: "Settings", port: int, *, ready: Callable[[], None]) -> Exit:
    from gateway.api.context import Drain
    from gateway.app import open_gateway, open_pipeline
    from gateway.cli.serving.process import ending_on_signals, open_web, spare_the_collector, work_until_drained

    drain = Drain()
    async with AsyncExitStack() as stack:
        stack.enter_context(ending_on_signals(drain))
        gateway = await stack.enter_async_context(open_gateway(settings))
        pipeline = await stack.enter_async_context(open_pipeline(gateway))
        if port:
            await stack.enter_async_context(open_web(gateway, pipeline, drain, port, probes_only=True))
        ready()
        spare_the_collector()
        return await work_until_drained(gateway, pipeline.worker, drain)


COMMAND = work
