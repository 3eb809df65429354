"""The gateway's own HTTP floor and receive stage, whole but for storage: nothing is committed, all is accepted.

Signature, slicing, normalizing, digest and sealing are done. Settings come from the environment.
"""

import dataclasses
import os
from collections.abc import Sequence

from gateway.api.context import Drain
from gateway.app import open_gateway
from gateway.cli.serving.process import ending_on_signals, open_web, run, work_until_drained
from gateway.connectors import discover
from gateway.queue.accept import Acceptor, Also
from gateway.queue.delivery import Arrival, Receipt, ReceiptStatus, SetAside
from gateway.settings import Settings, load
from gateway.stages.receive import Receive


class _Nowhere(Acceptor):
    """Accepts everything and keeps nothing."""

    async def accept(
        self, arrivals: Sequence[Arrival], asides: Sequence[SetAside] = (), also: Also | None = None
    ) -> list[Receipt]:
        return [Receipt(ReceiptStatus.ACCEPTED, number) for number, _ in enumerate(arrivals, 1)]


async def _serve(settings: Settings) -> None:
    drain = Drain()
    with ending_on_signals(drain):
        async with open_gateway(settings) as gateway:
            receive = Receive(
                _Nowhere(gateway.db, gateway.clock), discover(), gateway.vault,
                gateway.keyring.digest.material, max_items=settings.max_batch_items,
            )  # fmt: skip
            bare = dataclasses.replace(gateway, receive=receive)
            async with open_web(bare, None, drain, settings.port):
                print("ready", flush=True)
                await work_until_drained(bare, None, drain)


if __name__ == "__main__":
    chosen = load({name: value for name, value in os.environ.items() if name.startswith("GATEWAY_")})
    run(chosen, _serve(chosen))
