"""An LMS account that changes hands, over real HTTP: the vendor may not, whoever covers the new person may."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from gateway.api.app import make_app
from gateway.api.context import Drain
from gateway.api.server import listening
from gateway.cli.serving.process import context_of, parts_of
from gateway.console.mount import TWIN, mount
from gateway.console.page import HOME
from gateway.queue.vendors import rotate_secret
from gateway.security.signatures import sign
from gateway.storage.audit import read_audit
from gateway.storage.users import set_totp
from tests.integration.by_hand import ROSTER, completion
from tests.integration.casework import ELSEWHERE, A, B, Casework, casework
from tests.visiting import an_account, visiting

ACCOUNT = f"{1:024x}"  # that of person 1, of school A
WHY = "Cô Hòa nhận lại tài khoản của đồng nghiệp"


@dataclass
class Site:
    """A gateway behind a socket, where an account's results went to person 1."""

    lab: Casework
    address: str
    secret: str

    @property
    def gateway(self):
        return self.lab.gateway

    @property
    def clock(self):
        return self.lab.clock

    async def save(self, n: int) -> tuple[int, Any]:
        """The LMS saves person `n` in the account."""
        person = ROSTER[n]
        claim = {"identifier": person.sector_id, "full_name": person.full_name, "birth_date": person.birth_date}
        body = orjson.dumps({"lms_user_id": ACCOUNT, "saved": True, "unit_code": A, "role": "GV", **claim})
        self.clock.advance(s=1)
        headers = sign(self.secret, f"msg_{self.clock.now_ms()}", self.clock.now_ms() // 1000, body)
        url = f"{self.address}/v1/vendors/viettel/accounts/{ACCOUNT}"
        headers["Content-Type"] = "application/json"
        async with aiohttp.ClientSession() as http, http.put(url, data=body, headers=headers) as answer:
            return answer.status, orjson.loads(await answer.read())

    async def hands_over(self, n: int, event: str, code: str) -> int:
        """A result of the account that states person `n`; it waits. Returns: delivery id."""
        item = completion(n, event=event, code=code)
        item["user"]["userId"] = ACCOUNT
        [id_] = await self.lab.send(item)
        await self.lab.verify()
        row = await self.lab.row(id_)
        assert (row.state, row.reason) == ("held", "account.identifier_changed")
        return id_


@pytest.fixture
async def site(database_url: str, tmp_path: Path, clock) -> AsyncIterator[Site]:
    async with casework(database_url, tmp_path, clock) as lab:
        g = lab.gateway
        credited = await lab.passes(1)
        await lab.deliver()
        assert (await lab.row(credited)).state == "delivered"
        secret = await rotate_secret(g.db, g.vault, clock, "viettel")
        clock.advance(s=3)  # vendors are read again every two seconds
        app = make_app(context_of(g, lab.pipeline, Drain()))
        mount(app, parts_of(g, lab.pipeline))
        async with listening(app, "127.0.0.1", 0) as address:
            made = Site(lab, address, secret)
            for login, role, unit in (
                ("xem.a", "viewer", A),
                ("truong.a", "unit_admin", A),
                ("duyet.a", "approver", A),
                ("truong.b", "unit_admin", B),
                ("vanhanh", "operator", None),
            ):
                await an_account(made, login, role, unit)
            await g.db.write(lambda tx: set_totp(tx, g.vault, "vanhanh", b"2" * 20))
            yield made


async def test_the_school_admin_allows_what_the_vendor_may_not(site):
    """409 for the vendor; with a reason the admin lets the account go over, and all that waited is verified."""
    status, problem = await site.save(2)
    assert (status, problem["code"]) == (409, "account.identifier_changed")
    held = [await site.hands_over(2, "moved-1", "GVPT 05"), await site.hands_over(2, "moved-2", "GVPT 07")]
    path = f"{HOME}/cases/{held[0]}/allow"
    async with visiting(site, "truong.a") as admin:
        told = await admin.told(f"{HOME}/cases/{held[0]}")
        person = str(told["change_to"])
        assert told["may"]["allow"] and path in (await admin.get(f"{HOME}/cases/{held[0]}")).body.decode()
        assert (await admin.post(path, person=person, note="")).status == 422
        assert (await admin.post(path, person="999", note=WHY)).status == 409  # not the one that was read
        assert (await admin.post(path, person=person, note=WHY, csrf="x")).status == 403
        assert set((await site.lab.states()).values()) == {"delivered", "held"}
        assert (await admin.post(path, person=person, note=WHY)).status == 303
        ruled = (await admin.told(f"{HOME}/cases/{held[0]}"))["ruled"]
        assert (ruled["act"], ruled["by"], ruled["note"]) == ("allow", "truong.a", WHY)
        await site.lab.verify()
        assert [(await site.lab.row(id_)).state for id_ in held] == ["verified", "verified"]
        assert (await admin.post(path, person=person, note=WHY)).status == 409  # nothing waits any more
    [link] = await site.lab.rows("SELECT version, confirmed_by, reason FROM accounts")
    assert (link.version, link.confirmed_by, link.reason) == (1, "truong.a", "change_allowed")
    acts = [act for act in await read_audit(site.gateway.db, limit=500) if act.act == "case.allow"]
    assert [(act.actor, act.object) for act in acts] == [("truong.a", f"delivery:{held[0]}")]
    assert "đồng nghiệp" not in str(acts)
    assert (await site.save(2))[0] == 200


async def test_nobody_else_allows_a_change(site):
    """Another school's admin sees no such case; viewers and operators may not: nothing is linked."""
    held = await site.hands_over(2, "moved", "GVPT 05")
    async with visiting(site, "duyet.a") as approver:
        person = str((await approver.told(f"{HOME}/cases/{held}"))["change_to"])
    for login, expected in (("truong.b", 404), ("xem.a", 403), ("vanhanh", 403)):
        async with visiting(site, login) as other:
            for base in (HOME, TWIN):
                answer = await other.post(f"{base}/cases/{held}/allow", person=person, note=WHY)
                assert answer.status == expected, (login, answer.status)
    row = await site.lab.row(held)
    assert (row.state, row.reason) == ("held", "account.identifier_changed")
    assert await site.lab.rows("SELECT version FROM accounts") == []


async def test_the_unit_on_file_decides_and_not_the_claimed_one(site):
    """The vendor claims school A, the person is on file elsewhere: the admin of A cannot allow it."""
    await site.lab.moves(3, ELSEWHERE)
    held = await site.hands_over(3, "stranger", "GVPT 05")
    [found] = await site.lab.rows("SELECT person_id FROM verifications WHERE delivery_id = :id", id=held)
    async with visiting(site, "truong.a") as admin:
        told = await admin.told(f"{HOME}/cases/{held}")
        assert told["elsewhere"] and told["change_to"] is None and not told["may"]["allow"]
        answer = await admin.post(f"{HOME}/cases/{held}/allow", person=str(found.person_id), note=WHY)
        assert answer.status == 409
    assert await site.lab.rows("SELECT version FROM accounts") == []


async def test_an_allowed_change_is_taken_back_while_the_case_waits(site):
    """The new person's file has another name by then: held again, and reopening ends the link."""
    held = await site.hands_over(4, "moved", "GVPT 05")
    await site.lab.http.patch(
        f"/_control/registry/staff/{ROSTER[4].sector_id}", json={"full_name": "Lê Văn Khác"}
    )
    async with visiting(site, "duyet.a") as approver:
        person = str((await approver.told(f"{HOME}/cases/{held}"))["change_to"])
        assert (await approver.post(f"{HOME}/cases/{held}/allow", person=person, note=WHY)).status == 303
        await site.lab.verify()
        assert (await site.lab.row(held)).reason == "attribute.name_mismatch"
        answer = await approver.post(f"{HOME}/cases/{held}/rule", act="reopen", note="Nhầm người")
        assert answer.status == 303
    assert await site.lab.rows("SELECT version FROM accounts WHERE replaced_at_ms IS NULL") == []
