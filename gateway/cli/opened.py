"""Commands that need storage: settings -> open gateway -> the command's own work -> closed again.

Logs of such a command are warnings only, as lines on stderr: standard output belongs to the command.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from gateway.cli.output import Invocation
from gateway.model.errors import NotFound

if TYPE_CHECKING:
    from gateway.app import Authority, Gateway
    from gateway.queue.vendors import Vendor

T = TypeVar("T")


def on_gateway(run: Invocation, work: "Callable[[Gateway], Awaitable[T]]") -> T:
    """Opens the gateway of this environment, does `work` and closes it. Raises: ConfigError, KeyMissing."""
    import asyncio

    from gateway.app import open_gateway
    from gateway.observe.logs import configure

    settings = run.settings()

    async def opened() -> T:
        async with open_gateway(settings) as gateway:
            return await work(gateway)

    configure("warning", json=False)
    return asyncio.run(opened())


def on_authority(run: Invocation, work: "Callable[[Gateway, Authority], Awaitable[T]]") -> T:
    """As `on_gateway`, with the way to the sector database open. Raises: ConfigError naming what is not set."""
    from gateway.app import open_authority
    from gateway.settings import require_registry

    require_registry(run.settings())

    async def opened(gateway: "Gateway") -> T:
        async with open_authority(gateway) as authority:
            return await work(gateway, authority)

    return on_gateway(run, opened)


async def vendor_named(gateway: "Gateway", name: str) -> "Vendor":
    """Raises: NotFound, naming the vendors there are."""
    vendor = await gateway.vendors.find(name)
    if vendor is None:
        known = ", ".join(each.name for each in await gateway.vendors.all()) or "–"
        raise NotFound(f"{name}: no such vendor (there are: {known})")
    return vendor
