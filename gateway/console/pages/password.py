"""The own password: changed at the first sign-in and whenever its owner likes; all other sessions end."""

from dataclasses import dataclass

from gateway.console.page import HOME, Act, Go, Page, Shown, Stage, Visit
from gateway.console.ways import PASSWORD, safe_next
from gateway.security.passwords import MIN_CHARS


@dataclass(frozen=True, slots=True)
class Change:
    """The form, and why the last attempt was refused: a key of password.wrong."""

    next: str
    is_first: bool  # the password in use is a one-time one
    min_chars: int = MIN_CHARS
    wrong: str | None = None


async def form(visit: Visit) -> Change:
    assert visit.signed is not None
    return Change(safe_next(visit.asked("next", HOME)), visit.signed.must_change)


async def change(visit: Visit) -> Go | Shown:
    """Old password and the new one, twice."""
    assert visit.signed is not None
    sent = await visit.form()
    old, new, again = (str(sent.get(name, "")) for name in ("old", "new", "again"))
    wanted = safe_next(await visit.field("next") or HOME)
    why = "differ" if new != again else await visit.parts.sign_in.change_password(visit.user, old, new)
    if why is not None:
        return Shown(Change(wanted, visit.signed.must_change, wrong=why), status=422)
    token = await visit.parts.sessions.begin(visit.user, is_whole=True)
    return Go(wanted, token=token).saying("password.done")


PAGES = (
    Page(PASSWORD, form, name="password", stage=Stage.DUTIES),
    Act(PASSWORD, change, name="password", stage=Stage.DUTIES),
)
