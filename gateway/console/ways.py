"""How far a visitor has come -> where they must go first, or None when the page is theirs to see."""

from urllib.parse import urlencode

from gateway.console.page import HOME, Go, Page, Stage, Visit

SIGN_IN = HOME + "/sign-in"
CODE = HOME + "/sign-in/code"
PASSWORD = HOME + "/password"
SECOND_FACTOR = HOME + "/second-factor"


def way_in(visit: Visit) -> Go | None:
    """Sign-in, code, own password, second factor: each before everything that comes after it."""
    signed, wanted = visit.signed, visit.page.stage
    if wanted is Stage.OPEN:
        return None
    if signed is None:
        return Go(_with_next(visit, SIGN_IN))
    if not signed.session.is_whole:
        return None if wanted is Stage.CODE else Go(_with_next(visit, CODE))
    if wanted is Stage.CODE:
        return Go(HOME)
    if wanted is Stage.DUTIES:
        return None
    return duty(visit)


def duty(visit: Visit) -> Go | None:
    """What a user who is signed in must do before anything else."""
    assert visit.signed is not None
    if visit.signed.must_change:
        return Go(_with_next(visit, PASSWORD))
    if visit.signed.must_enrol:
        return Go(_with_next(visit, SECOND_FACTOR))
    return None


def safe_next(address: str) -> str:
    """Where to go afterwards: only below /console, whatever a link from elsewhere says."""
    path = address.partition("?")[0]
    is_ours = path == HOME or path.startswith(HOME + "/")
    is_plain = (
        address.isascii() and address.isprintable() and not any(part in address for part in ("\\", "//", "/."))
    )
    return address if is_ours and is_plain else HOME


def _with_next(visit: Visit, to: str) -> str:
    """Remembers where somebody wanted to go; what was posted is lost, and they begin at the start page."""
    wanted = visit.request.path_qs if isinstance(visit.page, Page) and visit.page.stage is Stage.IN else HOME
    return to if wanted == HOME else f"{to}?{urlencode({'next': wanted})}"
