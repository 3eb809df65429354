"""The sandbox's vendor client against a real server: it signs, and it sends again until it is answered."""

import itertools
import json

import aiohttp
import pytest
from aiohttp import web

from gateway.cli.demonstration.feed import Sent, feed
from gateway.model.errors import Refused
from gateway.sandbox.item import Expected, Item
from gateway.sandbox.server import serving
from gateway.sandbox.vendor import SendingFailed, VendorClient
from gateway.security.signatures import new_secret, verify

SECRET = new_secret()


def a_gateway(*answers: web.Response) -> tuple[web.Application, list[tuple[str, list[object]]]]:
    """A server that gives `answers` in turn, then takes all; and what it was sent: (message id, items)."""
    seen: list[tuple[str, list[object]]] = []
    turns = iter(answers)

    async def completions(request: web.Request) -> web.Response:
        body = await request.read()
        timestamp = int(request.headers["webhook-timestamp"])
        verify([SECRET], request.headers, body, timestamp)
        items = json.loads(body)
        seen.append((request.headers["webhook-id"], items))
        taken = {"receipts": [{"status": "accepted", "delivery_id": str(i)} for i, _ in enumerate(items, 1)]}
        return next(turns, None) or web.json_response(taken, status=202)

    app = web.Application()
    app.router.add_post("/v1/vendors/viettel/completions", completions)
    return app, seen


async def test_every_item_gets_its_receipt_in_order() -> None:
    """What was signed is what was sent: one array of the items as they are."""
    app, seen = a_gateway()
    async with serving(app) as address, aiohttp.ClientSession() as http:
        client = VendorClient(http, address, "viettel", SECRET)
        receipts = await client.send([b'{"eventId":"a"}', b'{"eventId":"b"}'])
    assert [(r.status, r.delivery_id) for r in receipts] == [("accepted", "1"), ("accepted", "2")]
    assert seen == [("viettel-1", [{"eventId": "a"}, {"eventId": "b"}])]


async def test_a_busy_gateway_is_asked_again_under_the_same_message_id() -> None:
    """A 503 stored nothing; the same message comes again after the pause that was asked for."""
    busy = (web.Response(status=503, headers={"Retry-After": "0"}) for _ in itertools.repeat(None, 2))
    app, seen = a_gateway(*busy)
    async with serving(app) as address, aiohttp.ClientSession() as http:
        client = VendorClient(http, address, "viettel", SECRET)
        assert len(await client.send([b"{}"])) == 1
    assert [message_id for message_id, _ in seen] == ["viettel-1"] * 3
    assert client.repeated == 2


async def test_a_refusal_is_not_sent_again() -> None:
    """A wrong signature is wrong the next time too; the code says what it was, and no item is quoted."""
    problem = web.json_response({"code": "signature.unknown_key"}, status=401)
    app, seen = a_gateway(problem)
    async with serving(app) as address, aiohttp.ClientSession() as http:
        with pytest.raises(SendingFailed, match=r"^viettel: 401 signature\.unknown_key$"):
            await VendorClient(http, address, "viettel", SECRET).send([b'{"fullName":"Lan"}'])
    assert len(seen) == 1


async def test_a_vendor_that_is_refused_ends_in_one_clear_error() -> None:
    """The demonstration stops with a sentence, not with a group of tracebacks."""
    person = Expected(
        "viettel", "a", 1, "accepted", "delivered", None, "plain", "3100000001", "GVPT03", "2025-2026"
    )
    app, _ = a_gateway(web.json_response({"code": "vendor.unknown"}, status=404))
    sent = Sent()
    async with serving(app) as address, aiohttp.ClientSession() as http:
        clients = {"viettel": VendorClient(http, address, "viettel", SECRET)}
        with pytest.raises(Refused, match=r"viettel: 404 vendor\.unknown"):
            await feed(clients, [Item("viettel", b"{}", person)], sent)
    assert sent.count == 0


async def test_a_batch_of_invalid_items_has_receipts_too() -> None:
    """422 answers the request, and still says of each item what is wrong."""
    refused = web.json_response(
        {"code": "completions.invalid", "receipts": [{"status": "invalid"}]}, status=422
    )
    app, _ = a_gateway(refused)
    async with serving(app) as address, aiohttp.ClientSession() as http:
        [receipt] = await VendorClient(http, address, "viettel", SECRET).send([b"{}"])
    assert (receipt.status, receipt.delivery_id) == ("invalid", None)
