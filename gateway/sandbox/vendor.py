"""The sending end of a vendor's LMS: signed batches over HTTP, sent again until they are answered.

Source: contracts/gateway/README.md (address, signature, receipts).
"""

import asyncio
import time
from collections.abc import Sequence
from itertools import count
from typing import NamedTuple

import aiohttp
import orjson

from gateway.security.signatures import sign

TRIES = 20
LONGEST_PAUSE_S = 2.0
AGAIN = frozenset((429, 502, 503, 504))


class ReceiptSeen(NamedTuple):
    """What the gateway said of one item."""

    status: str  # accepted, duplicate, …; "refused" when the request as a whole was
    delivery_id: str | None


class SendingFailed(Exception):
    """The gateway refused a request, or did not answer any try; the message holds status and code."""


class VendorClient:
    """One vendor's LMS. Batches go one after the other, since an LMS sends its events in their order."""

    def __init__(self, http: aiohttp.ClientSession, address: str, vendor: str, secret: str) -> None:
        self._http = http
        self._url = f"{address}/v1/vendors/{vendor}/completions"
        self._vendor = vendor
        self._secret = secret
        self._numbers = count(1)
        self.repeated = 0  # requests that had to be sent again

    async def send(self, items: Sequence[bytes]) -> list[ReceiptSeen]:
        """One batch of items as JSON -> their receipts, in order. Raises: SendingFailed."""
        body = b"[" + b",".join(items) + b"]"
        message_id = f"{self._vendor}-{next(self._numbers)}"  # the same in every try of this batch
        fault = "no answer"
        for tried in range(TRIES):
            if tried:
                self.repeated += 1
            try:
                status, answer, pause_s = await self._post(message_id, body)
            except (aiohttp.ClientError, TimeoutError) as error:
                fault, pause_s = type(error).__name__, LONGEST_PAUSE_S
            else:
                if "receipts" in answer:  # a batch of nothing valid has them too, under 422
                    return [ReceiptSeen(r["status"], r.get("delivery_id")) for r in answer["receipts"]]
                fault = f"{status} {answer.get('code', '')}"
                if status not in AGAIN:
                    break
            await asyncio.sleep(min(pause_s, LONGEST_PAUSE_S))
        raise SendingFailed(f"{self._vendor}: {fault}")

    async def _post(self, message_id: str, body: bytes) -> tuple[int, dict[str, list[dict[str, str]]], float]:
        """Returns: status, the JSON of the answer, seconds the gateway asks to wait."""
        signed = sign(self._secret, message_id, int(time.time()), body)
        async with self._http.post(
            self._url, data=body, headers={**signed, "Content-Type": "application/json"}
        ) as answer:
            content = await answer.read()
            after = answer.headers.get("Retry-After", "")
            pause_s = float(after) if after.isdigit() else LONGEST_PAUSE_S
            try:
                told = orjson.loads(content)
            except orjson.JSONDecodeError:
                told = {}
            return answer.status, told if isinstance(told, dict) else {}, pause_s
