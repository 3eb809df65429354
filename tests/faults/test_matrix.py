"""Every fault of the sandbox at each of TEMIS, the sector database and the token service.

While it lasts everything waits and burns no try; afterwards all drains by itself, each record standing once.
"""

import pytest
import pytest_asyncio

from tests.builders import FakeClock
from tests.faults.standing import MODULES, people, standing

ITEMS = 3
REFUSED, THROTTLED, CREDENTIALS = "upstream.refused_whole", "upstream.throttled", "upstream.credentials"
FAILING, UNANSWERED, GARBLED = "upstream.failing", "upstream.unanswered", "upstream.garbled"
NOT_SENT = "upstream.not_sent"

STATUSES = {
    302: FAILING, 400: REFUSED, 401: CREDENTIALS, 403: CREDENTIALS, 404: FAILING, 408: FAILING, 409: FAILING,
    410: FAILING, 413: REFUSED, 422: REFUSED, 425: FAILING, 429: THROTTLED, 500: FAILING, 502: FAILING,
    503: THROTTLED, 504: FAILING,
}  # fmt: skip
BY_STATUS = [({"mode": "status", "status": status}, code) for status, code in STATUSES.items()]
OTHERS = [
    ({"mode": "status", "status": 429, "retry_after_s": 90}, THROTTLED),
    ({"mode": "status", "status": 503, "retry_after_s": 86_400}, THROTTLED),
    ({"mode": "status", "status": 500, "stores": True}, FAILING),
    ({"mode": "status", "status": 504, "stores": True}, FAILING),
    ({"mode": "latency", "latency_ms": 20}, None),
    ({"mode": "latency", "latency_ms": 600}, UNANSWERED),
    ({"mode": "reset"}, UNANSWERED),
    ({"mode": "silent"}, UNANSWERED),
    ({"mode": "garbage"}, GARBLED),
    ({"mode": "token_expired"}, CREDENTIALS),
]
# What the token service does wrong concerns the call that was to be made: it was not sent.
OF_TOKENS = [
    ({"mode": "status", "status": 400}, CREDENTIALS),
    ({"mode": "status", "status": 401}, CREDENTIALS),
    ({"mode": "status", "status": 429}, THROTTLED),
    ({"mode": "status", "status": 500}, NOT_SENT),
    ({"mode": "reset"}, NOT_SENT),
    ({"mode": "silent"}, NOT_SENT),
    ({"mode": "garbage"}, NOT_SENT),
    ({"mode": "latency", "latency_ms": 600}, NOT_SENT),
]
MATRIX = [
    *(({"target": "temis", **fault}, code) for fault, code in (*BY_STATUS, *OTHERS)),
    *(({"target": "registry", **fault}, code) for fault, code in (*BY_STATUS, *OTHERS)),
    *(({"target": "token", **fault}, code) for fault, code in OF_TOKENS),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(tmp_path_factory):
    """One gateway for the whole matrix: each case has people and events of its own."""
    folder = tmp_path_factory.mktemp("matrix")
    roster = people(len(MATRIX) + 1)
    url = f"sqlite:///{folder / 'gateway.db'}"
    async with standing(url, folder, FakeClock(), roster) as place:
        yield place


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("case", "fault", "code"),
    [(n, fault, code) for n, (fault, code) in enumerate(MATRIX)],
    ids=["-".join(str(value) for value in fault.values()) for fault, _ in MATRIX],
)
async def test_a_fault_loses_nothing_doubles_nothing_and_burns_no_try(place, case, fault, code):
    """The attempt log says what the outcome table says, and recovery needs nobody."""
    first = case * MODULES
    await place.send(first, ITEMS)
    if fault["target"] != "registry":
        await place.drain_verification()
    if fault["target"] == "token":
        place.forget_tokens()
    place.patience(0.3 if fault.get("latency_ms", 0) > 300 else 15)
    before = len(await place.writes())
    await place.faults(fault)
    for _ in range(3):
        await place.turn()
        await place.pass_s(70)  # beyond every probe
    during = await place.outcomes(first, ITEMS)
    await place.faults()
    place.patience(15)
    await place.drain(within_s=2 * 3600)
    rows = await place.deliveries(first, ITEMS)
    assert {row.state for row in rows} == {"delivered"}
    assert {row.tries for row in rows} == {0}
    assert (await place.writes())[before:] == ["created"] * ITEMS
    troubles = {one for one in during if one.startswith("upstream.")}
    assert troubles == ({code} if code else set())
