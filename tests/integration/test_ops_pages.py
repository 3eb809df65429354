"""Pages of operators over HTTP: what is typed wrongly never means "all of them"."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.queue.job import JobState
from gateway.queue.reconciliations import latest
from gateway.security import totp
from gateway.storage.users import set_totp
from tests.listening import Desk, open_desk
from tests.visiting import Visitor, an_account, visiting

REPLAY = "/console/ops/replay"
DELIVERIES = "/console/ops/deliveries"
RECONCILIATION = "/console/ops/reconciliation"
HUGE = "9" * 5_000  # more digits than Python reads as a number


@pytest.fixture
async def operator(database_url: str, tmp_path: Path) -> AsyncIterator[Visitor]:
    async with open_desk(database_url, tmp_path) as desk:
        await an_account(desk, "vanhanh", "operator")
        vault = desk.gateway.vault
        await desk.gateway.db.write(lambda tx: set_totp(tx, vault, "vanhanh", totp.new_secret()))
        async with visiting(desk, "vanhanh") as made:
            yield made


async def jobs_of(desk: Desk) -> list[JobState]:
    async with desk.gateway.db.read() as tx:
        return [JobState(row.state) for row in await tx.rows("SELECT state FROM jobs")]


@pytest.mark.parametrize("step", ["/plan", ""])
async def test_a_replay_of_a_vendor_that_is_none_is_refused(operator: Visitor, step: str) -> None:
    """Its other fields alone would be everybody's deliveries."""
    answer = await operator.post(REPLAY + step, vendor="vietel", state="held")
    assert answer.status == 422
    assert "Không có đơn vị LMS này." in answer.body.decode()
    assert await jobs_of(operator.desk) == []


async def test_a_reconciliation_of_a_vendor_that_is_none_is_refused(operator: Visitor) -> None:
    """A typing error does not read all of TEMIS back."""
    answer = await operator.post(RECONCILIATION, vendor="vietel", module="")
    assert (answer.status, answer.headers["Location"]) == (303, RECONCILIATION)
    assert await latest(operator.desk.gateway.db) == []


@pytest.mark.parametrize("text", ["²", HUGE, "-1", "9" * 19])
async def test_a_number_that_is_none_is_told_and_breaks_nothing(operator: Visitor, text: str) -> None:
    """Ids of deliveries and causes, ticks of the list, the canary: each says so or is left out."""
    for fields in ({"ids": text}, {"cause": text}):
        assert (await operator.post(REPLAY + "/plan", **fields)).status == 422
    assert (await operator.post(REPLAY, state="held", canary=text)).status == 422
    answer = await operator.post(DELIVERIES + "/discard", ids=text, why="x")
    assert (answer.status, answer.headers["Location"]) == (303, DELIVERIES)


@pytest.mark.parametrize("path", [f"{DELIVERIES}.csv", f"{RECONCILIATION}/balance.csv"])
async def test_a_sheet_opens_in_a_spreadsheet(operator: Visitor, path: str) -> None:
    """A file to keep, in UTF-8 that says so, with a line of headings even when there is nothing else."""
    answer = await operator.get(path)
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert re.fullmatch(r'attachment; filename="\w+\.csv"', answer.headers["Content-Disposition"])
    assert answer.body.decode("utf-8-sig").startswith(("id,vendor,", "vendor,course,"))
    assert answer.body.startswith("\ufeff".encode())
