"""The body of a stream as it arrives, unpacked piece by piece: never more in memory than a piece.

Back-pressure is TCP's: what is not asked for is not read from the socket.
Source: RFC 9110, section 8.4.1.3 (gzip); RFC 1952 (members may follow each other).
"""

import zlib

import aiohttp
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from gateway.api.problems import Refusal
from gateway.stages.stream_run import Cut

PIECE_BYTES = 262_144
_GZIP = 31  # zlib's way of saying: a gzip header, the largest window
# JSON of completions packs about 20 times; what packs far better is made to fill a machine.
DENSE = 200
DENSE_FROM_BYTES = 16 * 1024 * 1024


class StreamBody:
    """What `stream_run` reads from."""

    def __init__(self, content: aiohttp.StreamReader, *, is_gzip: bool) -> None:
        self._content = content
        self._unpacking = Gunzip() if is_gzip else None

    async def read(self) -> bytes:
        """Some bytes; none once the body ended as HTTP (and gzip) say. Raises: Cut; Refusal for bad gzip."""
        unpacking = self._unpacking
        if unpacking is None:
            return await self._arrived()
        while not (piece := unpacking.piece()):
            packed = await self._arrived()
            if not packed:
                if unpacking.is_inside:
                    raise Cut
                return b""
            unpacking.feed(packed)
        return piece

    async def _arrived(self) -> bytes:
        try:
            return await self._content.readany()
        except (ConnectionError, aiohttp.ClientError, HttpProcessingError, web.RequestPayloadError):
            raise Cut from None


class Gunzip:
    """gzip -> bytes, at most a piece at a time, however dense it is."""

    def __init__(self) -> None:
        self._packed = b""
        self._member = zlib.decompressobj(_GZIP)
        self._n_in = 0
        self._n_out = 0
        self._has_begun = False  # the present member

    @property
    def is_inside(self) -> bool:
        """Whether a member has begun and not ended: stopping here is no proper end."""
        return self._has_begun

    def feed(self, packed: bytes) -> None:
        """Takes what arrived; `piece` gives it unpacked."""
        self._packed += packed
        self._n_in += len(packed)

    def piece(self) -> bytes:
        """The next bytes; none when more must arrive. Raises: Refusal `body.not_gzip`, `body.too_dense`."""
        while self._packed:
            try:
                self._has_begun = True
                out = self._member.decompress(self._packed, PIECE_BYTES)
            except zlib.error:
                raise Refusal("body.not_gzip") from None
            self._packed = self._member.unconsumed_tail
            if self._member.eof:  # another member may follow
                self._packed = self._member.unused_data
                self._member = zlib.decompressobj(_GZIP)
                self._has_begun = False
            self._n_out += len(out)
            if self._n_out > max(DENSE_FROM_BYTES, DENSE * self._n_in):
                raise Refusal("body.too_dense")
            if out:
                return out
        return b""
