"""Setting up the second factor: the secret as QR code and as text, taken into use once a code proves it."""

from dataclasses import dataclass

from gateway.console.page import HOME, Act, Go, Page, Shown, Stage, Visit
from gateway.console.ways import PASSWORD, SECOND_FACTOR, safe_next
from gateway.security import totp

ISSUER = "LMS-TEMIS"
_GROUP = 4


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What an authenticator app needs. Only its owner ever sees it."""

    next: str
    is_needed: bool
    uri: str
    secret: str  # as it is typed by hand
    is_wrong: bool = False


async def form(visit: Visit) -> Enrolment | Go:
    assert visit.signed is not None
    wanted = safe_next(visit.asked("next", HOME))
    if visit.signed.must_change:
        return Go(PASSWORD)
    return Go(wanted) if visit.user.totp_secret is not None else await _shown(visit, wanted)


async def confirm(visit: Visit) -> Go | Shown:
    """A code of the app: from now on it is asked for at every sign-in."""
    assert visit.signed is not None
    wanted = safe_next(await visit.field("next") or HOME)
    if visit.signed.must_change:
        return Go(PASSWORD)
    secret = await visit.parts.sessions.enrolling(visit.signed.session)
    if not await visit.parts.sign_in.confirm_totp(visit.user, secret, await visit.field("code")):
        return Shown(await _shown(visit, wanted, is_wrong=True), status=422)
    token = await visit.parts.sessions.begin(visit.user, is_whole=True)
    return Go(wanted, token=token).saying("second_factor.done")


async def _shown(visit: Visit, wanted: str, *, is_wrong: bool = False) -> Enrolment:
    assert visit.signed is not None
    secret = await visit.parts.sessions.enrolling(visit.signed.session)
    typed = totp.written(secret)
    return Enrolment(
        wanted,
        visit.signed.must_enrol,
        totp.otpauth_uri(secret, login=visit.user.login, issuer=ISSUER),
        " ".join(typed[at : at + _GROUP] for at in range(0, len(typed), _GROUP)),
        is_wrong,
    )


PAGES = (
    Page(SECOND_FACTOR, form, name="second_factor", stage=Stage.DUTIES),
    Act(SECOND_FACTOR, confirm, name="second_factor", stage=Stage.DUTIES),
)
