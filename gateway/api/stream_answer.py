"""What a stream is answered while it is still being sent: receipts and checkpoints, a line of JSON each.

Most HTTP clients read only after they have sent everything. So nothing is waited for here but
a moment once: what finds no room is left out, and fetched afterwards. Source: decisions record 0031.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import orjson
from aiohttp import web

from gateway.api.receipts import told_receipt
from gateway.model.texts import Lang
from gateway.stages.receive import ItemReceipt
from gateway.stages.streaming import is_telling

AHEAD_BYTES = 65_536  # written, and not taken by the other side yet
_WRITE_BYTES = 8_192
_LAG_S = 1.0  # a reader who is only slow gets this long, once
_LOOK_S = 0.02


class StreamAnswer:
    """The answer of one connection. `receipts_after`: receipts of later lines were left out."""

    def __init__(self, request: web.Request, response: web.StreamResponse, line: int, lang: Lang) -> None:
        self._request = request
        self._response = response
        self._lang = lang
        self._told_to = line
        self.line = line
        self.receipts_after: int | None = None

    async def tell(self, line: int, receipts: Sequence[tuple[int, ItemReceipt]]) -> None:
        """Everything up to `line` is committed."""
        chunk = b""
        for at, receipt in receipts:
            if is_telling(receipt) and self.receipts_after is None:
                chunk += orjson.dumps({"line": at, **told_receipt(receipt, self._lang)}) + b"\n"
                if len(chunk) >= _WRITE_BYTES:
                    chunk = await self._write_receipts(chunk, at)
        await self._write_receipts(chunk, line)
        self.line = line
        checkpoint = orjson.dumps({"committed_through_line": line}) + b"\n"
        if self._has_room(len(checkpoint)):
            await self._write(checkpoint)

    async def end(self, last: dict[str, object], *, within_s: float) -> None:
        """The last line, which waits for a reader. A sender who is gone is told nothing."""
        told = {"committed_through_line": self.line, **last}
        if self.receipts_after is not None:
            told["receipts_after"] = self.receipts_after
        with suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(within_s):
                await self._write(orjson.dumps(told) + b"\n")
                await self._response.write_eof()

    async def _write_receipts(self, chunk: bytes, to_line: int) -> bytes:
        if self.receipts_after is None:
            if chunk and not await self._room_soon(len(chunk)):
                self.receipts_after = self._told_to
            else:
                await self._write(chunk)
                self._told_to = to_line
        return b""

    async def _room_soon(self, n_bytes: int) -> bool:
        for _ in range(int(_LAG_S / _LOOK_S)):
            if self._has_room(n_bytes):
                return True
            await asyncio.sleep(_LOOK_S)
        return self._has_room(n_bytes)

    def _has_room(self, n_bytes: int) -> bool:
        transport = self._request.transport
        return transport is None or transport.get_write_buffer_size() + n_bytes <= AHEAD_BYTES

    async def _write(self, chunk: bytes) -> None:
        if chunk and self._request.transport is not None:
            with suppress(ConnectionError):  # whoever is gone asks for the stream later
                await self._response.write(chunk)
