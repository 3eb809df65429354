"""What `serve` and `work` have in common: they run until SIGTERM, drain within the time allowed, end with 0.

A worker that dies ends its process in the same order, but with another status: half a process must not go on.
"""

import asyncio
import gc
import os
import secrets
import signal
import socket
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

import structlog
import uvloop

from gateway.api.app import make_app
from gateway.api.context import Context, Drain
from gateway.api.server import listening
from gateway.api.write_path import WritePath
from gateway.app import Authority, Gateway, Pipeline
from gateway.cli.exits import Exit
from gateway.console.mount import mount
from gateway.console.parts import Parts
from gateway.model.clock import HOUR_MS
from gateway.observe.logs import configure
from gateway.queue.terms import networks
from gateway.queue.worker import Worker
from gateway.security.tokens import Tokens
from gateway.settings import Settings
from gateway.stages.presence import Presence
from gateway.storage.data_keys import ensure_data_keys

T = TypeVar("T")
log = structlog.get_logger(__name__)

KEYS_EVERY_S = HOUR_MS / 1000
_AFTER_ERROR_S = 60.0


def run(settings: Settings, main: Coroutine[Any, Any, T]) -> T:
    """Runs a process's main coroutine on uvloop, its logs as the settings say. Returns: what it returns."""
    configure(settings.log_level, json=settings.log_json)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


@contextmanager
def ending_on_signals(drain: Drain) -> Iterator[None]:
    """SIGTERM and SIGINT begin the drain while the block runs."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, drain.begin)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


def context_of(
    gateway: Gateway, pipeline: Pipeline | None, drain: Drain, authority: Authority | None = None
) -> Context:
    """The HTTP floor's share of the gateway. `authority` is given where no pipeline brings its own."""
    authority = pipeline.authority if pipeline is not None else authority
    settings = gateway.settings
    return Context(
        clock=gateway.clock,
        db=gateway.db,
        vendors=gateway.vendors,
        receive=gateway.receive,
        metrics=gateway.metrics,
        write_path=WritePath(gateway.db),
        tokens=Tokens(gateway.keyring.digest.material),
        gates=tuple(pipeline.gates) if pipeline is not None else (),
        drain=drain,
        lang=settings.lang,
        max_body_bytes=settings.max_body_bytes,
        max_items=settings.max_batch_items,
        changes=gateway.changes,
        identities=gateway.identities,
        links=gateway.links,
        turns=gateway.turns,
        callbacks=gateway.callbacks,
        statements=gateway.statements,
        trusted_proxies=networks(settings.trusted_proxies),
        client_cert_header=settings.client_cert_header,
        streaming=gateway.streaming,
        checking=authority.checking if authority is not None else None,
        status=gateway.status,
        registry_secret=settings.registry.webhook_secret.get_secret_value(),
    )


def parts_of(gateway: Gateway, pipeline: Pipeline | None, authority: Authority | None = None) -> Parts:
    """The console's share of the gateway. `authority` is given where no pipeline brings its own."""
    authority = pipeline.authority if pipeline is not None else authority
    return Parts(
        clock=gateway.clock,
        db=gateway.db,
        vault=gateway.vault,
        blind=gateway.blind,
        units=gateway.units,
        sign_in=gateway.sign_in,
        sessions=gateway.sessions,
        users=gateway.users,
        vendors=gateway.vendors,
        courses=gateway.courses,
        snapshots=gateway.snapshots,
        accounts=gateway.accounts,
        policy=gateway.policy,
        guesses=gateway.guesses,
        wake=gateway.wake,
        links=gateway.links,
        identities=gateway.identities,
        file_checks=gateway.file_checks,
        jobs=gateway.jobs,
        replaying=gateway.replaying,
        planner=gateway.planner,
        edits=gateway.edits,
        progresses=gateway.progresses,
        headcounts=gateway.headcounts,
        course_acts=gateway.course_acts,
        metrics=gateway.metrics,
        people=authority.people if authority is not None else None,
        checking=authority.checking if authority is not None else None,
        then_and_now=authority.then_and_now if authority is not None else None,
        gates=tuple(pipeline.gates) if pipeline is not None else (),
        lang=gateway.settings.lang,
        address=gateway.settings.console_url,
    )


@asynccontextmanager
async def open_web(
    gateway: Gateway,
    pipeline: Pipeline | None,
    drain: Drain,
    port: int,
    *,
    probes_only: bool = False,
    authority: Authority | None = None,
) -> AsyncIterator[str]:
    """Listens while the block runs. Yields: the base address. Raises: OSError when the port is taken."""
    context = context_of(gateway, pipeline, drain, authority)
    app = make_app(context, probes_only=probes_only)
    if not probes_only:
        mount(app, parts_of(gateway, pipeline, authority))
    here = asyncio.create_task(_present(gateway, context)) if not probes_only else None
    try:
        async with listening(app, gateway.settings.host, port) as address:
            yield address
    finally:
        if here is not None:
            here.cancel()
            await asyncio.gather(here, return_exceptions=True)


async def _present(gateway: Gateway, context: Context) -> None:
    """Lets the other processes know of this one while it serves."""
    holder = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
    await Presence(gateway.db, gateway.clock, holder, context.quota, context.uses).run()


async def work_until_drained(gateway: Gateway, worker: Worker | None, drain: Drain) -> Exit:
    """Runs the worker, if there is one, until the drain begins and everything in hand is done.

    What is not done within `drain_s` is left: unanswered requests are sent again, leases run out.
    Returns: the exit status; BUG when the worker died, so that whoever watches the process starts it again.
    """
    keys = asyncio.create_task(_keep_data_keys(gateway))
    begun = asyncio.create_task(drain.begun())
    working = asyncio.create_task(worker.run()) if worker is not None else begun
    try:
        await asyncio.wait([begun, working], return_when=asyncio.FIRST_COMPLETED)
        status = Exit.OK if drain.has_begun else Exit.BUG  # nobody asked for it: the worker died
        drain.begin()
        log.info("drain.begun")
        if worker is not None:
            worker.stop()
        async with asyncio.timeout(gateway.settings.drain_s):
            await drain.empty()
            await asyncio.wait([working])
        if working.exception() is not None:
            status = Exit.BUG
        log.info("drain.done")
    except TimeoutError:
        log.warning("drain.cut_short", after_s=gateway.settings.drain_s)
    finally:
        tasks = {keys, begun, working}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return status


def spare_the_collector() -> None:
    """What start-up made stays for good: looking through it would stop every request for some 70 ms (0013)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


async def _keep_data_keys(gateway: Gateway) -> None:
    """Makes a new month's data key, and learns of those that other processes made."""
    while True:
        await asyncio.sleep(KEYS_EVERY_S)
        try:
            await ensure_data_keys(gateway.db, gateway.vault, gateway.clock)
        except Exception as error:  # the keys at hand go on serving
            log.error("data_keys.failed", exc_info=error)
            await asyncio.sleep(_AFTER_ERROR_S)
