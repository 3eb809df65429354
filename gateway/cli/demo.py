"""`gateway demo`: completions of both vendors travel through a real gateway into a made-up TEMIS."""

from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.exits import Exit
from gateway.cli.output import Json, Output, invocation

if TYPE_CHECKING:
    from gateway.cli.demonstration.place import Place
    from gateway.cli.demonstration.play import Ending


def demo(
    ctx: typer.Context,
    completions: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="How many completions are sent.")
    ] = 2_000,
    serve: Annotated[bool, typer.Option("--serve", help="Keep everything running afterwards.")] = False,
    data_dir: Annotated[
        Path | None, typer.Option(help="A new or empty folder for it; by default a temporary one.")
    ] = None,
    json: Json = False,
) -> None:
    """Show the whole way at work: both vendors, the sector database, TEMIS and an outage of it."""
    import asyncio

    import uvloop

    from gateway.cli.demonstration.place import make_place
    from gateway.observe.logs import configure

    run = invocation(ctx)
    configure("error", json=False)
    out = run.output(json)
    place = make_place(data_dir, run.lang)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        ending = runner.run(_unless_stopped(_perform(place, run.env, out, completions, stays_up=serve)))
    if ending is None:
        raise typer.Exit(Exit.INTERRUPTED)
    if not ending.is_good:
        raise typer.Exit(Exit.FAULT)


async def _perform(
    place: "Place", env: Mapping[str, str], out: Output, completions: int, *, stays_up: bool
) -> "Ending":
    import asyncio
    from contextlib import AsyncExitStack

    from gateway.app import open_gateway
    from gateway.cli.demonstration import cast, office, report, serving, stage
    from gateway.cli.demonstration.play import play
    from gateway.sandbox.app import make_sandbox
    from gateway.sandbox.server import serving as serving_sandbox
    from gateway.settings import load

    out.say("demo.begin", n=completions, folder=place.folder)
    settings = load(place.settings())
    await stage.make_storage(settings)
    people, items = cast.cast(completions)
    async with AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(open_gateway(settings))
        secrets = await stage.add_vendors(gateway)
        await stage.map_courses(gateway)
        await office.bring_units(gateway)
        await stack.enter_async_context(serving_sandbox(make_sandbox(people), place.sandbox_port))
        await stack.enter_async_context(serving.serving(place.environment(env), place.gateway, place.log_file))
        ending = await play(gateway, place, secrets, people, items, out)
        report.report(out, ending, len(items))
        logins = await office.hand_out(gateway, office.busiest(people, items)) if stays_up else []
        file = place.folder / "logins.txt"
        if stays_up:
            codes = asyncio.create_task(office.keep_codes(file, out.run.lang, logins))
            stack.callback(codes.cancel)
            office.show(out, logins, place.gateway, file)
        report.what_next(out, ending, place, stays_up=stays_up)
        out.data(report.as_dict(ending, place, len(items)) | office.as_dict(logins))
        if stays_up:
            await _stopped()
    return ending


async def _unless_stopped(work: "Coroutine[Any, Any, Ending]") -> "Ending | None":
    """Cancels `work` on a signal, so that it takes down what it started. Returns: None when that happened."""
    import asyncio

    task = asyncio.create_task(work)
    _on_signals(task.cancel)
    await asyncio.wait([task])
    return None if task.cancelled() else task.result()


async def _stopped() -> None:
    """Returns at the next signal to stop."""
    import asyncio

    stopped = asyncio.Event()
    _on_signals(stopped.set)
    await stopped.wait()


def _on_signals(act: Callable[[], Any]) -> None:
    """From now on `act` is what a signal to stop does; one that is ignored here (nohup) stays so."""
    import asyncio
    import signal

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            asyncio.get_running_loop().add_signal_handler(number, act)


COMMAND = demo
