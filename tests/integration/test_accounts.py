"""LMS accounts: a confirmed identifier frees what was held; no result moves to somebody else unseen."""

import httpx
import pytest

from gateway.identity.accounts import Account
from gateway.model.completion import Claim
from gateway.model.errors import Refused
from gateway.sandbox.app import make_sandbox
from gateway.sandbox.server import serving
from tests.integration.test_pipeline import ROSTER, Lab, running_gateway, viettel, wait_for


@pytest.fixture
async def lab(database_url, tmp_path):
    async with (
        serving(make_sandbox(ROSTER)) as base,
        httpx.AsyncClient(base_url=base) as http,
        running_gateway(database_url, tmp_path, base) as gateway,
    ):
        yield Lab(gateway, base, http)


def account_of(n: int) -> str:
    return f"{n:024x}"


async def person_id(lab, n: int) -> int:
    """Our id of person `n`, who has been looked up before."""
    async with lab.gateway.db.read() as tx:
        [row] = await tx.rows(
            "SELECT id FROM people WHERE sector_key = :key",
            key=lab.gateway.blind.index("sector_id", ROSTER[n].sector_id),
        )
    return row.id


async def verifications(lab, event: str):
    async with lab.gateway.db.read() as tx:
        return await tx.rows(
            "SELECT v.* FROM verifications v JOIN deliveries d ON d.id = v.delivery_id "
            "WHERE d.event_id = :e ORDER BY v.id",
            e=event,
        )


async def confirm(lab, account: str, identifier: str, person: int, **options):
    return await lab.gateway.links.confirm(1, "viettel", account, identifier, person, **options)


async def test_completions_first_the_identifier_later(lab):
    """The letter of 2022: results arrive without identifiers; once one is entered, all of them go on."""
    early = [viettel(1, event=f"early-{n}", code=f"GVPT 0{n}") for n in range(1, 4)]
    for item in early:
        del item["user"]["sectorCode"]
    await lab.send(*early, viettel(1, event="looked-up", code="GVPT 07"))
    await lab.until_settled()
    assert await lab.reason("early-1") == ("held", "format.missing")
    linked = await confirm(lab, account_of(1), ROSTER[1].sector_id, await person_id(lab, 1))
    assert (linked.version, linked.is_new, linked.woken) == (1, True, 3)
    for n in range(1, 4):
        await wait_for(lab, f"early-{n}", "delivered")
    first, last = await verifications(lab, "early-1")
    assert (first.reason, first.link_version) == ("format.missing", None)
    assert (last.verified, last.link_version) == (1, 1)  # the lineage: sent without, judged with this link


async def test_what_was_sent_stays_as_it_was_sent(lab):
    """A typo is corrected by a confirmed link; the payload keeps the typo."""
    item = viettel(2)
    item["user"]["sectorCode"] = "3100000222"
    await lab.send(item, viettel(3))
    await lab.until_settled()
    assert await lab.reason("evt-2") == ("held", "registry.not_found")
    await lab.send(viettel(2, event="known", code="GVPT 07"))
    await lab.until_settled()
    await confirm(lab, account_of(2), ROSTER[2].sector_id, await person_id(lab, 2))
    await wait_for(lab, "evt-2", "delivered")
    async with lab.gateway.db.read() as tx:
        [row] = await tx.rows(
            "SELECT d.vendor_id, d.event_id, d.revision, p.body FROM deliveries d "
            "JOIN payloads p ON p.delivery_id = d.id WHERE d.event_id = 'evt-2'"
        )
    from gateway.queue.payloads import open_body

    completion, raw = open_body(lab.gateway.vault, row.vendor_id, row.event_id, row.revision, bytes(row.body))
    assert completion.claim.identifier == "3100000222" and b"3100000222" in raw


async def test_confirming_the_same_again_changes_nothing(lab):
    """Saving a profile twice is no change: no new version, nothing judged again."""
    await lab.send(viettel(4))
    await lab.until_settled()
    person = await person_id(lab, 4)
    first = await confirm(lab, account_of(4), ROSTER[4].sector_id, person)
    again = await confirm(lab, account_of(4), ROSTER[4].sector_id, person)
    assert first.is_new and not again.is_new and again.version == first.version == 1


async def test_an_account_with_credited_results_is_not_moved_by_its_vendor(lab):
    """After a delivered result another person needs an admin and a reason; with both it is a new version."""
    await lab.send(viettel(5), viettel(6))
    await lab.until_settled()
    other = await person_id(lab, 6)
    with pytest.raises(Refused) as refused:
        await confirm(lab, account_of(5), ROSTER[6].sector_id, other)
    assert refused.value.code == "account.identifier_changed"
    with pytest.raises(Refused):
        await confirm(lab, account_of(5), ROSTER[6].sector_id, other, reason="typed wrong")
    done = await confirm(lab, account_of(5), ROSTER[6].sector_id, other, by="admin-7", reason="typed wrong")
    assert done.version == 1 and done.is_new


async def test_a_result_that_leads_to_another_person_than_before_is_held(lab):
    """The account was credited as one person and now states another, name and all: an admin has to look."""
    await lab.send(viettel(7))
    await lab.until_settled()
    moved = viettel(8, event="moved")
    moved["user"]["userId"] = account_of(7)
    await lab.send(moved)
    await lab.until_settled()
    assert await lab.reason("moved") == ("held", "account.identifier_changed")
    person = await person_id(lab, 8)
    linked = await confirm(
        lab, account_of(7), ROSTER[8].sector_id, person, by="admin-7", reason="account handed over"
    )
    assert linked.woken == 1
    await wait_for(lab, "moved", "delivered")


async def test_one_identifier_of_two_people_holds_the_one_who_is_not_its_owner(lab):
    """Somebody uses a colleague's code: the file says whose it is, so the owner goes on, the other waits."""
    await lab.send(viettel(9))
    await lab.until_settled()
    stranger = viettel(10, event="stranger")
    stranger["user"] |= {"sectorCode": ROSTER[9].sector_id}
    del stranger["user"]["birthday"]
    stranger["user"]["fullName"] = ROSTER[9].full_name.replace("Hòa", "Hoa")
    await lab.send(stranger, viettel(9, event="owner", code="GVPT 05"))
    await lab.until_settled()
    assert (await lab.reason("stranger"))[0] == "held"
    assert await lab.reason("owner") == ("delivered", None)


async def test_a_shared_identifier_holds_without_proof_and_goes_on_when_the_other_corrects_it(lab):
    """Two accounts, two birth dates, one code, none on file: both must not be credited to one person."""
    await lab.http.patch("/_control/registry/staff/3100000011", json={"birth_date": ""})
    mine, other = viettel(11, event="mine"), viettel(12, event="other")
    other["user"] |= {"sectorCode": ROSTER[11].sector_id, "fullName": ROSTER[11].full_name}
    await lab.send(mine, other)
    await lab.until_settled()
    assert await lab.reason("mine") == ("held", "account.shared_identifier")
    assert await lab.reason("other") == ("held", "account.shared_identifier")
    await lab.send(viettel(12, event="known"))  # looked up: the other person's own file
    await lab.until_settled()
    await confirm(lab, account_of(12), ROSTER[12].sector_id, await person_id(lab, 12))
    await wait_for(lab, "mine", "delivered")


async def test_one_person_with_accounts_on_two_lms_is_fine(lab):
    """The same code on Viettel and VNPT, or on two accounts of one person, holds nothing."""
    second = viettel(13, event="second-account", code="GVPT 05")
    second["user"]["userId"] = "f" * 24
    await lab.send(viettel(13), second)
    await lab.until_settled()
    assert await lab.states() == {"delivered": 2}


async def test_names_and_identifiers_of_accounts_are_sealed(lab):
    """Neither stands in the tables in clear."""
    await lab.send(viettel(14))
    await lab.until_settled()
    await confirm(lab, account_of(14), ROSTER[14].sector_id, await person_id(lab, 14))
    async with lab.gateway.db.read() as tx:
        rows = [*await tx.rows("SELECT * FROM accounts"), *await tx.rows("SELECT * FROM claimants")]
    assert len(rows) == 2
    stored = b"".join(cell if isinstance(cell, bytes) else str(cell).encode() for row in rows for cell in row)
    assert ROSTER[14].sector_id.encode() not in stored and "Hòa".encode() not in stored
    assert account_of(14).encode() not in stored


async def test_checking_stores_and_links_nothing(lab):
    """A vendor may ask as often as it likes: no account, no delivery and no statement comes of it."""
    from gateway.app import open_authority

    async with open_authority(lab.gateway) as authority:
        person = ROSTER[15]
        claim = Claim(lms_user_id="u", identifier=person.sector_id, full_name=person.full_name)
        [checked] = await authority.checking.check(1, "viettel", [claim])
    assert checked.verdict.verified and checked.person is not None
    account: Account = lab.gateway.accounts.account(1, "viettel", "u")
    known = (await lab.gateway.accounts.known([account]))[account]
    assert known.link is None and not known.stated
    assert await lab.states() == {}
