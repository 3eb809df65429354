"""`gateway serve`: takes completions over HTTP and, unless --no-worker, verifies and delivers them too."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.exits import Exit
from gateway.cli.output import invocation

if TYPE_CHECKING:
    from gateway.settings import Settings


def serve(
    ctx: typer.Context,
    no_worker: Annotated[
        bool, typer.Option("--no-worker", help="Only take completions; `gateway work` does the rest.")
    ] = False,
) -> None:
    """Start the gateway: HTTP and worker in one process, until SIGTERM."""
    from gateway.cli.serving.process import run
    from gateway.settings import require_destinations

    this = invocation(ctx)
    settings = this.settings()
    if not no_worker:
        require_destinations(settings)
    out = this.output()
    status = run(
        settings,
        _serve(settings, has_worker=not no_worker, ready=lambda url: out.say("serve.ready", address=url)),
    )
    raise typer.Exit(status)


async def _serve(settings: "Settings", *, has_worker: bool, ready: Callable[[str], None]) -> Exit:
    from gateway.api.context import Drain
    from gateway.app import open_authority, open_gateway, open_pipeline, sharing
    from gateway.cli.serving.process import ending_on_signals, open_web, spare_the_collector, work_until_drained

    drain = Drain()
    async with AsyncExitStack() as stack:
        stack.enter_context(ending_on_signals(drain))
        gateway = await stack.enter_async_context(open_gateway(settings))
        pipeline = await stack.enter_async_context(open_pipeline(gateway)) if has_worker else None
        authority = None
        if pipeline is None and settings.registry.url and settings.token_url:
            authority = await stack.enter_async_context(open_authority(gateway))
            await stack.enter_async_context(sharing(gateway, authority.gate))
        web = open_web(gateway, pipeline, drain, settings.port, authority=authority)
        ready(await stack.enter_async_context(web))
        spare_the_collector()
        return await work_until_drained(gateway, pipeline.worker if pipeline else None, drain)


COMMAND = serve
