"""Sources and their terms: who may send, from where, until when, how much; and the commands that say so."""

import hashlib

import orjson
import pytest

from gateway.queue.quota import Quota
from gateway.queue.terms import end_source, networks, set_terms
from gateway.queue.vendors import rotate_secret, secrets_of
from gateway.security import totp
from gateway.stages.expiring import Expiring
from gateway.stages.presence import Presence
from gateway.storage.leases import acquire
from gateway.storage.users import set_totp
from tests.integration.test_following_api import BASE, token
from tests.listening import Desk, an_item, open_desk
from tests.visiting import an_account, visiting

PROXY = networks("127.0.0.0/8")
CERT = hashlib.sha256(b"certificate").hexdigest()


@pytest.fixture
async def desk(database_url, tmp_path):
    changes = {"trusted_proxies": PROXY, "client_cert_header": "X-Client-Cert"}
    async with open_desk(database_url, tmp_path, **changes) as desk:
        yield desk


async def agree(desk: Desk, **terms) -> None:
    """New terms, and the seconds until this process knows them."""
    await set_terms(desk.gateway.db, desk.clock, "viettel", terms, by="test")
    desk.clock.advance(s=3)


async def refusals(desk: Desk, **how) -> set[str]:
    """The codes with which a completion, a withdrawal and a reading are refused; empty when all is taken."""
    reading = {
        "Authorization": f"Bearer {desk.context.tokens.issue(1, 'read', 2**33)}",
        **how.get("headers", {}),
    }
    answers = [
        await desk.post(an_item(), **how),
        await desk.post({"purpose": "read"}, path=f"{BASE}/tokens", **how),
        await desk.ask("GET", f"{BASE}/changes", headers=reading),
    ]
    return {answer.code for answer in answers if answer.status >= 400}


async def test_before_and_after_its_days_a_source_is_refused_and_nothing_is_stored(desk):
    """403 from the first minute after the last day in Việt Nam on; the last day itself counts."""
    await agree(desk, valid_from=20260310)
    assert await refusals(desk) == {"source.not_begun"}
    await agree(desk, valid_from=20260301, valid_to=20260309)
    assert await refusals(desk) == set()
    before = await desk.arrived()
    desk.clock.advance(s=12 * 3600)
    assert await refusals(desk) == {"source.ended"}
    assert await desk.arrived() == before
    answer = await desk.post(an_item())
    assert answer.status == 403
    assert "RateLimit" not in answer.headers


async def test_a_source_is_ended_without_a_restart(desk):
    """What it sends seconds later is refused; what was received before goes on; the audit says why."""
    await desk.post(an_item("before"))
    await end_source(desk.gateway.db, desk.clock, "viettel", reason="contract over", by="test")
    desk.clock.advance(s=3)
    assert await refusals(desk) == {"source.ended"}
    assert await desk.count("before") == 1
    async with desk.gateway.db.read() as tx:
        [row] = await tx.rows("SELECT act, detail FROM audit ORDER BY id DESC LIMIT 1")
    assert (row.act, orjson.loads(row.detail)) == ("source.ended", {"reason": "contract over"})


async def test_a_stranger_learns_nothing_of_a_source(desk):
    """A wrong signature is a wrong signature, whatever the terms, and uses up no limit."""
    await agree(desk, valid_to=20200101, per_min=1)
    answer = await desk.post(an_item(), headers={"webhook-signature": "v1,AAAA"})
    assert (answer.status, answer.code) == (401, "signature.no_match")


async def test_addresses_are_those_behind_our_own_proxies_only(desk):
    """X-Forwarded-For is believed from our proxies, and only its part that they wrote."""
    await agree(desk, addresses="203.0.113.0/24, 2001:db8::/32")
    assert await refusals(desk) == {"source.address"}
    for good in ("203.0.113.7", "198.51.100.1, 203.0.113.7", "203.0.113.7, 127.0.0.9", "2001:db8::5"):
        assert await refusals(desk, headers={"X-Forwarded-For": good}) == set(), good
    for bad in ("198.51.100.1", "203.0.113.7, 198.51.100.1", "nonsense", ""):
        assert await refusals(desk, headers={"X-Forwarded-For": bad}) == {"source.address"}, bad


async def test_without_a_trusted_proxy_a_header_is_nothing(database_url, tmp_path):
    """Whoever connects directly cannot talk itself onto the list."""
    async with open_desk(database_url, tmp_path, client_cert_header="X-Client-Cert") as desk:
        await agree(desk, addresses="203.0.113.0/24")
        assert await refusals(desk, headers={"X-Forwarded-For": "203.0.113.7"}) == {"source.address"}
        await agree(desk, addresses="", cert_sha256=CERT)
        assert await refusals(desk, headers={"X-Client-Cert": CERT}) == {"source.certificate"}


async def test_a_certificate_is_asked_for_where_it_was_agreed(desk):
    """Optional mutual TLS: the proxy checks the certificate, the gateway whose it is."""
    await agree(desk, cert_sha256=CERT.upper())
    assert await refusals(desk) == {"source.certificate"}
    assert await refusals(desk, headers={"X-Client-Cert": "0" * 64}) == {"source.certificate"}
    colons = ":".join(CERT[n : n + 2] for n in range(0, 64, 2)).upper()
    assert await refusals(desk, headers={"X-Client-Cert": colons}) == set()


async def test_a_limit_is_told_kept_and_refills(desk):
    """Every answer says what is left; beyond the limit it is 429 and nothing is stored."""
    await agree(desk, per_min=3)
    left = [(await desk.post(an_item())).headers["RateLimit"] for _ in range(3)]
    assert left == ['"source";r=2;t=20', '"source";r=1;t=40', '"source";r=0;t=60']
    before = await desk.arrived()
    answer = await desk.post(an_item())
    assert (answer.status, answer.code) == (429, "rate.exceeded")
    assert answer.headers["Retry-After"] == "20"
    assert answer.headers["RateLimit-Policy"] == '"source";q=3;w=60'
    assert await desk.arrived() == before
    desk.clock.advance(s=20)
    assert (await desk.post(an_item())).status == 202


async def test_processes_find_each_other_and_share(desk):
    """Two processes take half each; when one leaves, the other has the whole again."""
    g = desk.gateway
    one, two = Quota(), desk.context.quota
    first = Presence(g.db, desk.clock, "a", one, desk.context.uses)
    second = Presence(g.db, desk.clock, "b", two, desk.context.uses)
    await first.tick()
    await second.tick()
    await first.tick()
    assert one.take(7, 60, 0).limit == two.take(7, 60, 0).limit == 30
    await first.leave()
    await second.tick()
    assert two.take(7, 60, 0).limit == 60
    desk.clock.advance(s=60)
    await first.tick()
    assert one.take(7, 60, 0).limit == 60  # the second has not been seen for a minute


async def test_the_last_use_of_each_secret_is_known_to_the_minute(desk):
    """A rotation ends when the old secret is not used any more; writing that down costs one write a minute."""
    g = desk.gateway
    new = await rotate_secret(g.db, g.vault, desk.clock, "viettel")
    desk.clock.advance(s=3)
    presence = Presence(g.db, desk.clock, "a", desk.context.quota, desk.context.uses)
    await desk.post(an_item())
    await presence.tick()
    newest, oldest = await secrets_of(g.db, 1)
    assert (newest["last_used_at"], oldest["last_used_at"]) == (None, desk.clock.now_ms())
    await desk.post(an_item(), secret=new)
    await presence.tick()
    assert (await secrets_of(g.db, 1))[0]["last_used_at"] is None
    desk.clock.advance(s=60)
    await presence.tick()
    assert (await secrets_of(g.db, 1))[0]["last_used_at"] == desk.clock.now_ms() - 60_000


async def test_the_end_of_a_source_is_told_a_month_a_week_and_a_day_ahead(desk):
    """Each step once, whichever process leads."""
    g = desk.gateway
    await agree(desk, valid_to=20260408)
    lease = await acquire(g.db, desk.clock, "leader", "test", 90 * 86_400_000)
    told = []
    for _ in range(32):
        await Expiring(g.db, desk.clock, ttl_ms=90 * 86_400_000).run(lease)
        await Expiring(g.db, desk.clock, ttl_ms=90 * 86_400_000).run(lease)
        async with g.db.read() as tx:
            rows = await tx.rows("SELECT kind, severity, detail FROM alerts ORDER BY id")
        told = [(row.kind, row.severity, orjson.loads(row.detail)["within_days"]) for row in rows]
        desk.clock.advance(s=86_400)
    assert told == [
        ("source.ending", "warning", 30), ("source.ending", "warning", 7), ("source.ending", "critical", 1),
    ]  # fmt: skip


async def test_a_token_opened_before_the_end_ends_with_it(desk):
    """A token is looked at together with the source's row."""
    reading = {"Authorization": f"Bearer {await token(desk)}"}
    await agree(desk, valid_to=20260308)
    assert (await desk.ask("GET", f"{BASE}/changes", headers=reading)).code == "source.ended"


async def test_the_console_warns_operators_and_the_sources_own_people(desk):
    """A banner within thirty days of the end; a school is not told of it."""
    await an_account(desk, "oper", role="operator")
    await an_account(desk, "lms", role="vendor", vendor_id=1)
    for login in ("oper", "lms"):
        secret = totp.new_secret()
        await desk.gateway.db.write(
            lambda tx, login=login, secret=secret: set_totp(tx, desk.gateway.vault, login, secret)
        )
    await agree(desk, valid_to=20260401)
    for login in ("oper", "lms"):
        async with visiting(desk, login) as visitor:
            page = (await visitor.get("/console/account")).body.decode()
            assert "viettel" in page, login
            assert "01/04/2026" in page, login
    await agree(desk, valid_to=20260601)
    async with visiting(desk, "oper") as visitor:
        assert "01/06/2026" not in (await visitor.get("/console/account")).body.decode()
