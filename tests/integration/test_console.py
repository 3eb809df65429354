"""The console over real HTTP on both engines: who gets in, what is refused, what the browser is told."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.bdtx.unit_store import save
from gateway.bdtx.units import Level, Unit
from gateway.bdtx.units_file import Plan
from gateway.console.cookies import csrf_of
from gateway.console.headers import POLICY
from gateway.console.mount import TWIN
from gateway.console.navigation import pages
from gateway.console.page import HOME, Act, Page, Stage
from gateway.model.roles import ACTS, RoleName, may
from gateway.outbound.destinations import pause
from gateway.security import totp
from gateway.storage.audit import read_audit
from gateway.storage.users import find_user, set_totp
from tests.listening import Desk, open_desk
from tests.visiting import PASSWORD, an_account, visiting

UNITS = [
    Unit("31", "Sở Hải Phòng", Level.DEPARTMENT),
    Unit("31312401", "TH An Đồng", Level.SCHOOL, "31", teaches=("TH",)),
]
VARIABLE = re.compile(r"\{\w+(?::((?:[^{}]|\{[^}]*\})*))?\}")


def filled(path: str) -> str:
    """A path with something that fits in the place of its variables: a number, or the first word it allows."""

    def one(match: re.Match[str]) -> str:
        pattern = match[1] or "[^/]+"
        fits = [text for text in ("7", *re.findall(r"\w+", pattern)) if re.fullmatch(pattern, text)]
        assert fits, path
        return fits[0]

    return VARIABLE.sub(one, path)


FOUND = [(filled(page.path), "GET" if isinstance(page, Page) else "POST", page) for page in pages()]
CLOSED = [(path, method) for path, method, page in FOUND if page.stage is not Stage.OPEN]


@pytest.fixture
async def desk(database_url: str, tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_desk(database_url, tmp_path) as made:
        gateway = made.gateway
        await save(gateway.db, made.clock, Plan(new=UNITS), actor="machine:test", file="u.csv", content=b"")
        yield made


@pytest.fixture
async def secure(tmp_path: Path) -> AsyncIterator[Desk]:
    """A console that people open over https, through a proxy."""
    env = {"GATEWAY_CONSOLE_URL": "https://ketnoi.example.vn"}
    async with open_desk(f"sqlite:///{tmp_path / 'gateway.db'}", tmp_path, env=env) as made:
        yield made


async def refusals(desk: Desk) -> list[tuple[str, str, str]]:
    found = await read_audit(desk.gateway.db)
    return [(act.actor, act.object, act.detail["code"]) for act in found if act.act == "refused"]


async def test_a_stranger_sees_nothing_but_the_way_in(desk: Desk) -> None:
    """Every page and act of the console, found as the program finds them, leads to sign-in; its twin is 401."""
    assert len(CLOSED) > 5
    async with visiting(desk) as stranger:
        for path, method in CLOSED:
            page = await stranger.ask(method, path)
            assert page.status == 303, path
            assert page.headers["Location"].startswith("/console/sign-in"), path
            twin = await stranger.ask(method, path.replace(HOME, TWIN, 1))
            assert (twin.status, twin.json()["code"]) == (401, "console.sign_in"), path


async def test_sign_in_sets_a_new_cookie_and_sign_out_a_worthless_one(desk: Desk) -> None:
    """A value that somebody planted before sign-in is worth nothing after it."""
    await an_account(desk, "hoa", unit="31312401")
    async with visiting(desk) as hoa:
        await hoa.get("/console/sign-in")
        before = hoa.token
        answer = await hoa.post("/console/sign-in", login="HOA ", password=PASSWORD)
        assert (answer.status, answer.headers["Location"]) == (303, HOME)
        cookie = answer.headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        assert "Secure" not in cookie
        inside = hoa.token
        assert inside != before
        assert (await hoa.get(HOME)).status == 200
        assert (await hoa.post("/console/sign-out")).status == 303
        assert hoa.token != inside
        hoa.cookies["gateway_session"] = inside
        assert (await hoa.get(HOME)).status == 303


async def test_over_https_the_cookie_is_bound_to_host_and_transport(secure: Desk) -> None:
    """The name with __Host- is accepted only with Secure and Path=/, and Origin must be that address."""
    async with visiting(secure) as stranger:
        answer = await stranger.get("/console/sign-in")
        cookie = answer.headers["Set-Cookie"]
        assert cookie.startswith("__Host-gateway_session=")
        assert all(part in cookie for part in ("HttpOnly", "SameSite=Lax", "Secure", "Path=/"))
        token = stranger.cookies["__Host-gateway_session"]
        fields = {"csrf": csrf_of(token), "login": "ai", "password": "x"}
        for origin, status in (("https://ketnoi.example.vn", 422), (secure.address, 403), ("null", 422)):
            sent = await stranger.ask("POST", "/console/sign-in", data=fields, headers={"Origin": origin})
            assert sent.status == status, origin


async def test_unsafe_requests_need_the_token_of_their_session(desk: Desk) -> None:
    """Field or header, of this very session; another one's, none, or a foreign site's changes nothing."""
    await an_account(desk, "hoa", unit="31312401")
    async with visiting(desk, "hoa") as hoa, visiting(desk, "hoa") as other:
        assert (await hoa.post("/console/sign-out", csrf=csrf_of(other.token))).status == 403
        assert (await hoa.ask("POST", "/console/sign-out")).status == 403
        crossed = await hoa.ask(
            "POST",
            "/console/sign-out",
            data={"csrf": csrf_of(hoa.token)},
            headers={"Sec-Fetch-Site": "cross-site"},
        )
        assert crossed.status == 403
        assert (await hoa.get(HOME)).status == 200
        by_header = await hoa.ask("POST", "/console/sign-out", headers={"X-CSRF-Token": csrf_of(hoa.token)})
        assert by_header.status == 303
        assert [code for _, _, code in await refusals(desk)] == ["token", "token", "origin"]


async def test_every_answer_carries_the_policy(desk: Desk) -> None:
    """Pages, redirects, errors, twins and static files alike; pages are kept nowhere."""
    await an_account(desk, "hoa", unit="31312401")
    async with visiting(desk, "hoa") as hoa:
        for path in (
            HOME,
            "/console/sign-in",
            "/console/nowhere",
            "/console/api/account",
            "/console/static/x/y",
        ):
            answer = await hoa.get(path)
            assert answer.headers["Content-Security-Policy"] == POLICY, path
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Referrer-Policy"] == "no-referrer"
            assert answer.headers["Cache-Control"] == "no-store"
            assert "X-Correlation-Id" in answer.headers


async def test_no_page_writes_style_or_script_into_itself(desk: Desk) -> None:
    """The policy would stop it; that it is never tried is what keeps the policy strict."""
    await an_account(desk, "vanhanh", "operator")
    await desk.gateway.db.write(lambda tx: set_totp(tx, desk.gateway.vault, "vanhanh", totp.new_secret()))
    async with visiting(desk, "vanhanh") as operator:
        for path, method, page in FOUND:
            if (
                method == "GET"
                and "{" not in page.path
                and (page.may is None or may(RoleName.OPERATOR, page.may))
            ):
                answer = await operator.get(path)
                if answer.headers.get("Content-Type") != "text/html; charset=utf-8":
                    continue  # a file, or the way elsewhere
                text = answer.body.decode()
                assert " style=" not in text, path
                assert "<style" not in text, path
                assert " onclick=" not in text, path
                assert text.count("<script") <= text.count('<script type="module" src='), path


async def test_a_role_that_may_not_is_refused_and_audited(desk: Desk) -> None:
    """403 for each page and act that roles.toml does not give to the role, and a row for each."""
    await an_account(desk, "kiemtra", "auditor")
    await desk.gateway.db.write(lambda tx: set_totp(tx, desk.gateway.vault, "kiemtra", totp.new_secret()))
    barred = [
        (path, method)
        for path, method, page in FOUND
        if page.may is not None and not may(RoleName.AUDITOR, page.may)
    ]
    async with visiting(desk, "kiemtra") as auditor:
        for path, method in barred:
            assert (await auditor.ask(method, path)).status == 403, path
        assert len(await refusals(desk)) == len(barred)


def test_pages_name_acts_that_exist_and_addresses_below_console() -> None:
    """A misspelt permission would shut everybody out, or fail only when somebody clicks."""
    assert [page.may for _, _, page in FOUND if page.may is not None and page.may not in ACTS] == []
    assert [path for path, _, _ in FOUND if path != HOME and not path.startswith(HOME + "/")] == []
    acts = [page for _, _, page in FOUND if isinstance(page, Act)]
    assert acts


async def test_duties_stand_before_every_page(desk: Desk) -> None:
    """A department's admin without a second factor reaches nothing but the page that sets it up."""
    await an_account(desk, "sogd", unit="31")
    async with visiting(desk, "sogd") as admin:
        for path in (HOME, "/console/account"):
            answer = await admin.get(path)
            assert answer.headers["Location"].startswith("/console/second-factor"), path
        shown = await admin.get("/console/second-factor")
        assert b"<svg" in shown.body
        user = await find_user(desk.gateway.db, desk.gateway.vault, "sogd")
        assert user is not None
        signed = await desk.gateway.sessions.find(admin.token)
        assert signed is not None
        secret = await desk.gateway.sessions.enrolling(signed.session)
        code = totp.code_at(secret, desk.clock.now_ms() // (totp.STEP_S * 1000))
        assert (await admin.post("/console/second-factor", code="000000")).status == 422
        assert (await admin.post("/console/second-factor", code=code)).headers["Location"] == HOME
        assert (await admin.get(HOME)).status == 200


async def test_a_session_that_ran_out_leads_back_to_where_one_was(desk: Desk) -> None:
    """After the idle limit the next click asks to sign in and remembers the page, but no post."""
    await an_account(desk, "hoa", unit="31312401")
    async with visiting(desk, "hoa") as hoa:
        desk.clock.advance(s=1_800)
        assert (await hoa.get("/console/account")).headers["Location"] == (
            "/console/sign-in?next=%2Fconsole%2Faccount"
        )
        assert (await hoa.post("/console/password")).headers["Location"] == "/console/sign-in"


async def test_sign_in_leads_nowhere_else(desk: Desk) -> None:
    """A link that names another site as the next page leads to the start page."""
    await an_account(desk, "hoa", unit="31312401")
    for wanted in ("https://evil.example/", "//evil.example", "/\\evil.example", "/v1/x", "/console/../v1"):
        async with visiting(desk) as hoa:
            await hoa.get("/console/sign-in")
            sent = await hoa.post("/console/sign-in", login="hoa", password=PASSWORD, next=wanted)
            assert sent.headers["Location"] == HOME, wanted


async def test_a_monitor_may_ask_for_the_head_alone(desk: Desk) -> None:
    """HEAD is answered as GET without its body; a method that a page has not is 405, as a page."""
    async with visiting(desk) as stranger:
        head = await stranger.ask("HEAD", "/console/sign-in")
        assert (head.status, head.body) == (200, b"")
        assert (await stranger.ask("DELETE", "/console/sign-in")).status == 405


async def test_vendors_are_not_disturbed_by_the_console(desk: Desk) -> None:
    """Errors of the machines' API stay problems; only what is below /console is answered as pages."""
    assert (await desk.ask("GET", "/v1/nowhere")).code == "route.not_found"
    page = await desk.ask("GET", "/console/nowhere")
    assert (page.status, page.headers["Content-Type"]) == (404, "text/html; charset=utf-8")


async def test_everybody_reads_that_a_destination_is_paused(desk: Desk) -> None:
    """Since when, and that nothing is lost, within seconds; who paused it and why is for operators alone."""
    gateway = desk.gateway
    await an_account(desk, "hoa", unit="31312401")
    await an_account(desk, "vanhanh", "operator")
    await gateway.db.write(lambda tx: set_totp(tx, gateway.vault, "vanhanh", totp.new_secret()))
    async with visiting(desk, "hoa") as hoa, visiting(desk, "vanhanh") as operator:
        assert "tạm dừng" not in (await hoa.get("/console/account")).body.decode()
        await pause(gateway.db, desk.clock, "temis", by="vanhanh", reason="bảo trì <b>")
        desk.clock.advance(s=5)
        told = (await hoa.get("/console/account")).body.decode()
        assert "Việc trao đổi với TEMIS đang tạm dừng từ 12:00 09/03/2026." in told
        assert "bảo trì" not in told
        assert (
            "do vanhanh thực hiện: bảo trì &lt;b&gt;" in (await operator.get("/console/account")).body.decode()
        )


async def test_a_flood_from_strangers_does_not_fill_the_audit(desk: Desk) -> None:
    """Rows that nobody can ever delete are written for people we know, not for whoever sends a form."""
    async with visiting(desk) as stranger:
        for _ in range(3):
            assert (await stranger.post("/console/sign-in", csrf="wrong")).status == 403
    assert await refusals(desk) == []
