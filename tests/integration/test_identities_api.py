"""Verification at the source: what an LMS asks before it saves a profile, and what it may learn."""

import asyncio
from contextlib import asynccontextmanager
from urllib.parse import quote

import httpx
import orjson
import pytest

from gateway.app import open_pipeline
from gateway.queue.vendors import add_vendor
from gateway.sandbox.app import make_sandbox
from gateway.sandbox.roster import StaffRow
from gateway.sandbox.server import serving
from tests.integration.by_hand import Hand
from tests.integration.test_pipeline import ROSTER, viettel
from tests.listening import open_desk

VERIFY = "/v1/vendors/{vendor}/identities:verify"
OUTAGE = [{"target": "registry", "mode": "status", "status": 503}]
GONE = StaffRow("3100000090", "Trần Văn Nghỉ", "1960-01-02", status="Đã nghỉ hưu", status_since="2020-01-01")


class School:
    """An API desk whose gateway reaches a sandbox, and two vendors."""

    def __init__(self, desk, http, secrets) -> None:
        self.desk = desk
        self.http = http
        self.secrets = secrets

    async def ask(self, *claims, vendor="viettel", lang="vi"):
        body = claims[0] if len(claims) == 1 else list(claims)
        how = {"secret": self.secrets[vendor], "headers": {"Accept-Language": lang}}
        return await self.desk.post(body, path=VERIFY.format(vendor=vendor), **how)

    async def one(self, claim, **how):
        """The one identity of a 200 answer."""
        answer = await self.ask(claim, **how)
        assert answer.status == 200, answer.body
        [identity] = answer.json()["identities"]
        return identity

    async def query(self, check_id, vendor="viettel"):
        headers = self.desk.signed(b"", secret=self.secrets[vendor])
        del headers["Content-Type"]
        return await self.desk.ask("GET", f"/v1/vendors/{vendor}/identities/{check_id}", headers=headers)

    async def put(self, account, body, vendor="viettel", **changes):
        if isinstance(body, dict):
            body = {"lms_user_id": account, "saved": True, **changes} | {
                name: value for name, value in body.items() if name != "lms_user_id"
            }
        raw = orjson.dumps(body)
        path = f"/v1/vendors/{vendor}/accounts/{quote(account, safe='')}"
        headers = self.desk.signed(raw, secret=self.secrets[vendor])
        return await self.desk.ask("PUT", path, data=raw, headers=headers)

    async def faults(self, faults):
        await self.http.put("/_control/faults", json=faults)


def claim_of(n: int, **changes):
    person = ROSTER[n]
    return {
        "lms_user_id": f"account-{n}",
        "identifier": person.sector_id,
        "full_name": person.full_name,
        "birth_date": person.birth_date,
        "unit_code": "31000717",
        "role": "GV",
        **changes,
    }


@asynccontextmanager
async def opened(database_url, tmp_path):
    async with (
        serving(make_sandbox([*ROSTER, GONE])) as base,
        httpx.AsyncClient(base_url=base) as http,
        open_desk(
            database_url,
            tmp_path,
            env={
                "GATEWAY_TOKEN_URL": f"{base}/oauth/token",
                "GATEWAY_REGISTRY_URL": f"{base}/registry",
                "GATEWAY_TEMIS_URL": f"{base}/temis",
                "GATEWAY_REGISTRY_TIMEOUT_S": "2",
            },
        ) as desk,
    ):
        g = desk.gateway
        vnpt = await add_vendor(g.db, g.vault, g.clock, "vnpt", "vnpt")
        desk.clock.advance(s=3)  # vendors are read again every two seconds
        yield School(desk, http, {"viettel": desk.secret, "vnpt": vnpt})


@pytest.fixture
async def school(database_url, tmp_path):
    async with opened(database_url, tmp_path) as school:
        yield school


async def stored(school) -> dict[str, int]:
    async with school.desk.gateway.db.read() as tx:
        return {
            table: (await tx.rows(f"SELECT COUNT(*) AS n FROM {table}"))[0].n
            for table in ("accounts", "claimants", "deliveries", "verifications", "identity_checks")
        }


async def test_vnpt_shows_its_own_words(school):
    """The strings of the letter of 2022, to the letter, in whatever language is asked for."""
    good = await school.one(claim_of(1), vendor="vnpt", lang="en")
    assert (good["status"], good["shown_status"]) == ("verified", "Đã xác thực thông tin")
    assert good["message"] == "Xác thực thông tin thành công"
    unknown = await school.one(claim_of(1, identifier="3199999999"), vendor="vnpt")
    assert (unknown["status"], unknown["shown_status"]) == ("not_verified", "Chưa xác thực thông tin")
    assert unknown["message"] == "Xác thực không thành công. Mã định danh không chính xác"
    assert unknown["reason"] == "registry.not_found"


async def test_where_the_code_is_right_the_message_does_not_blame_it(school):
    """Another name: VNPT's status stays verbatim, its message says what is wrong in our sentence."""
    other = await school.one(claim_of(2, full_name="Lê Thị Khác"), vendor="vnpt")
    assert other["shown_status"] == "Chưa xác thực thông tin"
    assert other["message"].startswith("Xác thực không thành công. Mã có trong CSDL ngành")
    assert "không chính xác" not in other["message"]
    assert other["remedy"]


async def test_viettel_gets_our_wording(school):
    """The letter only describes Viettel's messages."""
    good, bad = await school.one(claim_of(3)), await school.one(claim_of(3, birth_date="1990-09-09"))
    assert "Hoàn thành" in good["message"]
    assert bad["reason"] == "attribute.birth_date_mismatch"
    assert bad["message"].startswith("Không thể xác nhận thông tin tài khoản với cơ sở dữ liệu ngành.")


@pytest.mark.parametrize(
    "claim",
    [
        claim_of(4, full_name="Nguyễn Thị Hoa 4", birth_date=None),
        claim_of(4, full_name="Hòa Nguyễn Thị 4"),
        claim_of(4, birth_date="1985-03-06"),
        claim_of(4, birth_date="1986-03-05"),
        claim_of(4, unit_code="99999999", full_name="Ai Đó"),
        claim_of(4, identifier="3100000090", full_name="Trần Văn Khác"),
    ],
    ids=["spelling", "order", "day", "year", "school", "retired stranger"],
)
async def test_no_guess_brings_a_value_of_the_file(school, claim):
    """Neither values on file nor how near a guess was can be read from an answer."""
    answer = await school.ask(claim, lang="en")
    text = answer.body.decode()
    for value in (ROSTER[4].full_name, ROSTER[4].birth_date, "05/03/1985", "Trần Văn Nghỉ", "swapped", "slip"):
        assert value not in text
    [identity] = answer.json()["identities"]
    assert identity["reason"] in ("attribute.name_mismatch", "attribute.birth_date_mismatch")
    assert not {"registry.inactive", "attribute.unit_mismatch"} & {f["code"] for f in identity["findings"]}


async def test_many_are_answered_in_order_and_a_bad_one_alone_is_invalid(school):
    """Up to 100 in one request; what cannot be read says why and costs no other."""
    bad = claim_of(6, identifier=3100000006)  # a number loses its zeros
    del bad["lms_user_id"]
    answer = await school.ask(claim_of(5), bad, "text", claim_of(7))
    identities = answer.json()["identities"]
    assert [one["status"] for one in identities] == ["verified", "invalid", "invalid", "verified"]
    assert {(e["path"], e["code"]) for e in identities[1]["errors"]} == {
        ("$.lms_user_id", "field.missing"),
        ("$.identifier", "field.malformed"),
    }
    answer = await school.ask(*[claim_of(5)] * 101)
    assert (answer.status, answer.code) == (413, "body.too_many_items")


async def test_asking_stores_and_links_nothing(school):
    """Verifying is not saving: no account, statement or delivery comes of it."""
    await school.one(claim_of(8))
    assert set((await stored(school)).values()) == {0}


async def test_a_silent_registry_is_pending_and_never_a_failed_verification(school):
    """202 with an id; once the sector database answers, the query brings the verdict."""
    await school.faults(OUTAGE)
    answer = await school.ask(claim_of(9), claim_of(10, identifier="12"))
    assert answer.status == 202 and answer.headers["Retry-After"] == "5"
    told = answer.json()
    assert [one["status"] for one in told["identities"]] == ["pending", "not_verified"]
    assert (await school.query(told["id"])).status == 202
    await school.faults([])
    done = await school.query(told["id"])
    assert done.status == 200
    assert [one["status"] for one in done.json()["identities"]] == ["verified", "not_verified"]


async def test_a_slow_registry_is_pending_after_the_patience(database_url, tmp_path):
    """Whoever waits at the form gets an answer in time; the question goes on and its answer is not lost."""
    async with opened(database_url, tmp_path) as school:
        school.desk.context.checking._patience_s = 0.2
        await school.faults([{"target": "registry", "mode": "latency", "latency_ms": 600, "remaining": 1}])
        answer = await school.ask(claim_of(11))
        assert answer.status == 202
        async with asyncio.timeout(10):
            while (answer := await school.query(answer.json()["id"])).status == 202:
                pass
        assert answer.json()["identities"][0]["status"] == "verified"


async def test_an_id_is_the_askers_own_and_ends_after_a_day(school):
    """Another vendor, an unknown id and one of yesterday are all 404; the claims are sealed meanwhile."""
    await school.faults(OUTAGE)
    check_id = (await school.ask(claim_of(12))).json()["id"]
    async with school.desk.gateway.db.read() as tx:
        [row] = await tx.rows("SELECT * FROM identity_checks")
    assert ROSTER[12].sector_id.encode() not in bytes(row.claims_sealed)
    assert (await school.query(check_id, vendor="vnpt")).code == "not_found"
    assert (await school.query("guessed")).code == "not_found"
    school.desk.clock.advance(s=86_401)
    assert (await school.query(check_id)).code == "not_found"


async def test_saving_links_what_is_verified(school):
    """201 and version 1; saving the same again is 200; a slash in the account's id is part of it."""
    body = claim_of(13)
    first = await school.put("lop/13", body)
    assert (first.status, first.json()) == (201, {"lms_user_id": "lop/13", "version": 1, "woken": 0})
    again = await school.put("lop/13", body)
    assert (again.status, again.json()["version"]) == (200, 1)
    assert (await stored(school))["accounts"] == 1


async def test_an_account_with_a_delivered_result_is_not_moved_by_saving(school):
    """409 once a result is in TEMIS and another person is saved; the link stays, the same is 200."""
    account, gateway = f"{19:024x}", school.desk.gateway
    assert (await school.put(account, claim_of(19))).status == 201
    async with open_pipeline(gateway) as pipeline:
        hand = Hand(gateway, pipeline, school.http, school.desk.clock)
        [id_] = await hand.send(viettel(19))
        school.desk.clock.advance(s=1)
        await hand.verify()
        await hand.deliver()
        assert (await hand.row(id_)).state == "delivered"
    answer = await school.put(account, claim_of(20))
    assert (answer.status, answer.code) == (409, "account.identifier_changed")
    known = gateway.accounts.account(1, "viettel", account)
    link = (await gateway.accounts.known([known]))[known].link
    assert (link.version, link.identifier) == (1, ROSTER[19].sector_id)
    assert (await school.put(account, claim_of(19))).status == 200


async def test_saving_what_is_not_verified_links_nothing(school):
    """422 with the verdict in the LMS's words; the profile may be saved there, but results still wait."""
    answer = await school.put("a14", claim_of(14, full_name="Lê Thị Khác"), vendor="vnpt")
    assert (answer.status, answer.code) == (422, "identity.not_verified")
    assert answer.json()["identity"]["shown_status"] == "Chưa xác thực thông tin"
    assert (await stored(school))["accounts"] == 0


async def test_saving_while_the_registry_is_silent_is_told_to_come_again(school):
    """503, nothing linked, and not called a failed verification."""
    await school.faults(OUTAGE)
    answer = await school.put("a15", claim_of(15))
    assert (answer.status, answer.code) == (503, "registry.silent")
    assert (await stored(school))["accounts"] == 0


async def test_a_question_is_not_turned_into_a_link(school):
    """The signature does not cover the address: a body for another account, or a question, links nothing."""
    assert (await school.put("a17", claim_of(17), lms_user_id="a18")).code == "account.mismatch"
    assert (await school.put("a17", claim_of(17), saved=False)).code == "body.not_contract"
    assert (await stored(school))["accounts"] == 0


async def test_a_body_that_is_no_profile_is_refused(school):
    """An array or a number as identifier is 422."""
    for body in ([claim_of(16)], claim_of(16, identifier=31)):
        assert (await school.put("a16", body)).code == "body.not_contract"
