"""Signing in: login and password, then the code of the second factor where the user has one; signing out."""

from dataclasses import dataclass
from math import ceil
from urllib.parse import urlencode

from gateway.console.page import HOME, Act, Go, Page, Shown, Stage, Visit
from gateway.console.ways import CODE, SIGN_IN, safe_next
from gateway.model.clock import MINUTE_MS
from gateway.stages.sign_in import Entry, Outcome

REFUSED = 422


@dataclass(frozen=True, slots=True)
class Entrance:
    """The form, and what was wrong with the last attempt: a key of sign_in.wrong."""

    next: str
    wrong: str | None = None
    minutes: int = 0  # until sign-in goes on, when it pauses


async def form(visit: Visit) -> Entrance | Go:
    """The form; whoever is signed in already goes on."""
    wanted = safe_next(visit.asked("next", HOME))
    if visit.signed is not None and visit.signed.session.is_whole:
        return Go(wanted)
    return Entrance(wanted)


async def sign_in(visit: Visit) -> Go | Shown:
    """Login and password."""
    form = await visit.form()
    wanted = safe_next(await visit.field("next") or HOME)
    entry = await visit.parts.sign_in.check(str(form.get("login", "")), str(form.get("password", "")))
    return await _entered(visit, entry, wanted)


async def code_form(visit: Visit) -> Entrance:
    """Asks for the code."""
    return Entrance(safe_next(visit.asked("next", HOME)))


async def check_code(visit: Visit) -> Go | Shown:
    """The code of the second factor, after the password."""
    wanted = safe_next(await visit.field("next") or HOME)
    entry = await visit.parts.sign_in.check_code(visit.user, await visit.field("code"))
    return await _entered(visit, entry, wanted, wrong="code", template="sign_in_code.html")


async def _entered(
    visit: Visit, entry: Entry, wanted: str, *, wrong: str = "wrong", template: str | None = None
) -> Go | Shown:
    if entry.outcome in (Outcome.IN, Outcome.CODE_WANTED):
        assert entry.user is not None
        is_whole = entry.outcome is Outcome.IN
        token = await visit.parts.sessions.begin(entry.user, is_whole=is_whole, instead_of=visit.token)
        if is_whole:
            return Go(wanted, token=token)
        return Go(f"{CODE}?{urlencode({'next': wanted})}", token=token)
    why = {Outcome.EXPIRED: "expired"}.get(entry.outcome, wrong)
    minutes = 0
    if entry.paused_until_ms is not None:
        why, minutes = "paused", max(1, ceil((entry.paused_until_ms - visit.now_ms) / MINUTE_MS))
    return Shown(Entrance(wanted, why, minutes), status=REFUSED, template=template)


async def sign_out(visit: Visit) -> Go:
    """Ends this session; the cookie gets a value that means nothing."""
    await visit.parts.sessions.end(visit.token)
    return Go(SIGN_IN, token="").saying("sign_in.out", kind="info")


PAGES = (
    Page(SIGN_IN, form, name="sign_in", stage=Stage.OPEN),
    Act(SIGN_IN, sign_in, name="sign_in", stage=Stage.OPEN),
    Page(CODE, code_form, name="sign_in_code", stage=Stage.CODE),
    Act(CODE, check_code, name="sign_in_code", stage=Stage.CODE),
    Act(HOME + "/sign-out", sign_out, name="sign_in", stage=Stage.OPEN),
)
