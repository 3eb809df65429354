"""Who is signed in: a cookie's value -> the user behind it, the unit, and what must be done first.

A session ends at its absolute limit, when it was not used for the idle limit, at sign-out, and with every
change of the user's password or second factor. Its value is new at each sign-in; only its digest is stored.
"""

import hashlib
import secrets
from dataclasses import dataclass

from gateway.bdtx.scope import Viewer
from gateway.bdtx.unit_store import UnitRegister
from gateway.bdtx.units import Unit
from gateway.model.clock import MINUTE_MS, Clock, local_date
from gateway.model.roles import RoleName, needs_totp
from gateway.security import totp
from gateway.security.vault import Vault
from gateway.stages.users import viewer_of
from gateway.storage import sessions as stored
from gateway.storage.audit import append
from gateway.storage.engine import Database, Tx
from gateway.storage.sessions import Session
from gateway.storage.users import User

TOKEN_BYTES = 32
HALF_MS = 5 * MINUTE_MS  # for the code, once the password was right
_TOUCH_MS = MINUTE_MS  # how exactly the last use is known


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A valid session: who it is, and the duties that come before anything else."""

    session: Session
    viewer: Viewer
    unit: Unit | None  # as of today
    must_enrol: bool

    @property
    def user(self) -> User:
        return self.session.user

    @property
    def must_change(self) -> bool:
        return self.user.must_change

    @property
    def is_in(self) -> bool:
        """Whether nothing comes before what the user wants to do."""
        return self.session.is_whole and not self.must_change and not self.must_enrol


class Sessions:
    """Begins, finds and ends sessions. One instance per process."""

    def __init__(
        self, db: Database, clock: Clock, vault: Vault, register: UnitRegister, *, idle_ms: int, longest_ms: int
    ) -> None:
        self._db = db
        self._clock = clock
        self._vault = vault
        self._register = register
        self._idle_ms = idle_ms
        self._longest_ms = longest_ms

    async def begin(self, user: User, *, is_whole: bool, instead_of: str | None = None) -> str:
        """Begins a session; that of the token `instead_of` ends with it. Returns: the new token.

        One that is not whole (the code is still wanted) ends after five minutes.
        """
        token = secrets.token_urlsafe(TOKEN_BYTES)
        now = self._clock.now_ms()
        ends = now + (self._longest_ms if is_whole else min(HALF_MS, self._longest_ms))

        async def begin(tx: Tx) -> None:
            await stored.forget_sessions(tx, now=now, unseen_since_ms=now - self._idle_ms)
            if instead_of is not None:
                await stored.end_session(tx, digest_of(instead_of))
            digest = digest_of(token)
            await stored.add_session(tx, digest, user.login, is_whole=is_whole, now=now, ends_at_ms=ends)

        await self._db.write(begin)
        return token

    async def find(self, token: str) -> SignedIn | None:
        """Whose session it is, None when it is none or over. Notes its use, once a minute."""
        found = await stored.read_session(self._db, self._vault, digest_of(token))
        now = self._clock.now_ms()
        if found is None or found.ends_at_ms <= now or found.seen_at_ms + self._idle_ms <= now:
            return None
        if now - found.seen_at_ms >= _TOUCH_MS:
            await self._db.write(lambda tx: stored.touch_session(tx, found.digest, now))
        user = found.user
        units = await self._register.current()
        unit = units.unit_at(user.unit_code, local_date(now)) if user.unit_code else None
        is_needed = needs_totp(RoleName(user.role), unit.level.value if unit else None)
        return SignedIn(found, viewer_of(user), unit, must_enrol=is_needed and user.totp_secret is None)

    async def enrolling(self, session: Session) -> bytes:
        """The secret of the second factor that this session sets up: the same until a code confirms it."""
        if session.enrolling is not None:
            return session.enrolling
        secret = totp.new_secret()
        await self._db.write(lambda tx: stored.keep_enrolling(tx, self._vault, session.digest, secret))
        return secret

    async def end(self, token: str) -> None:
        """Signs out; a token that means nothing changes nothing."""
        found = await stored.read_session(self._db, self._vault, digest_of(token))
        now = self._clock.now_ms()

        async def end(tx: Tx) -> None:
            await stored.end_session(tx, digest_of(token))
            if found is not None and found.is_whole:
                await append(tx, now, found.user.login, "user.sign_out", found.user.login)

        await self._db.write(end)


def digest_of(token: str) -> str:
    """What is stored of a token. It is random and long, so a plain hash keeps it."""
    return hashlib.sha256(token.encode()).hexdigest()
