"""What a page is made of, for whoever writes one: one file, one template, its texts and its test.

    # gateway/console/pages/failures.py   (found by itself; nothing else is edited)
    @dataclass(frozen=True, slots=True)
    class Failures:                                   # the view model: what the page and its JSON twin tell
        causes: tuple[Cause, ...]
        older: str | None                             # keyset: the `after` of the next page

    async def failures(visit: Visit) -> Failures:
        after = visit.number("after", 0)
        causes = await read_causes(visit.parts.db, visit.viewer, after)      # scope: gateway/bdtx/scope.py
        return Failures(causes, older=…)

    async def recheck(visit: Visit) -> Go:
        form = await visit.form()                     # the token was checked before
        if not …may_see…: raise OutOfScope("delivery 42")             # a 404 page, and a row in the audit
        return Go("/console/failures").saying("failures.rechecked", n=3)

    PAGES = (Page("/console/failures", failures, name="failures", may="case.see", nav=20),
             Act("/console/failures/recheck", recheck, name="failures", may="case.recheck"))

`name` leads to templates/failures.html (it gets `view`), to texts/failures/{vi,en}.toml (keys `failures.…`;
`title` is needed, and `nav` where `nav` is given) and to the link of the navigation. `may` is an act of
gateway/model/roles.toml; None: whoever is signed in. The twin stands at /console/api/failures, and at the
page's own address for `Accept: application/json`: the view model as JSON, by the same handler, so with the
same scope. An Act may return a view model too, the page again with what is wrong in it (`Shown(view,
status=422)`), or a file as a web.Response. What a template may use is listed in gateway/console/rendering.py,
its components in templates/ui.html.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any, NoReturn, Self, TypeVar, cast
from urllib.parse import urlencode

from aiohttp import web

from gateway.bdtx.scope import Viewer
from gateway.bdtx.units import Unit, Units
from gateway.console.cookies import csrf_of
from gateway.console.parts import Parts
from gateway.console.words import WORDS
from gateway.model.clock import local_date
from gateway.model.reasons import REASONS, explain
from gateway.model.roles import may
from gateway.model.texts import Lang
from gateway.stages.sessions import SignedIn
from gateway.storage.audit import append
from gateway.storage.users import User

T = TypeVar("T")
HOME = "/console"
SHELF: web.AppKey[dict[str, tuple[int, object]]] = web.AppKey("shelf", dict)
Handler = Callable[["Visit"], Awaitable[object]]


class Stage(StrEnum):
    """How far a visitor must have come."""

    OPEN = "open"  # anybody
    CODE = "code"  # the password was right, the code is wanted
    DUTIES = "duties"  # signed in; a password or a second factor may still have to be set
    IN = "in"


@dataclass(frozen=True, slots=True)
class Page:
    """What GET shows."""

    path: str
    show: Handler
    name: str
    may: str | None = None
    nav: int | None = None  # its place in the navigation, smallest first; None: not in it
    stage: Stage = Stage.IN
    under: str | None = None  # name of the page in the navigation it belongs to; None: its path says so


@dataclass(frozen=True, slots=True)
class Act:
    """What POST does. `max_body_bytes` is for files; otherwise the gateway's own limit holds."""

    path: str
    do: Handler
    name: str
    may: str | None = None
    stage: Stage = Stage.IN
    max_body_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """One sentence for the reader: a key of the texts and what fills it (no personal value)."""

    key: str
    fill: Mapping[str, object] = field(default_factory=dict)
    kind: str = "done"  # done, info, warning, error


@dataclass(frozen=True, slots=True)
class Go:
    """Sends the reader on, with sentences that the next page shows."""

    to: str
    said: tuple[Said, ...] = ()
    token: str | None = None  # a new session's; empty: the session is over

    def saying(self, key: str, /, kind: str = "done", **fill: object) -> Self:
        return type(self)(self.to, (*self.said, Said(key, fill, kind)), self.token)


@dataclass(frozen=True, slots=True)
class Shown:
    """A view model with another status or template than the usual."""

    view: object
    status: int = 200
    template: str | None = None


class Denied(Exception):
    """403: the role may not do this. Audited."""

    def __init__(self, act: str) -> None:
        super().__init__(act)
        self.act = act


class OutOfScope(Exception):
    """404, as if it were not there: it is not the viewer's. Audited as `about`: no personal value."""

    def __init__(self, about: str) -> None:
        super().__init__(about)
        self.about = about


def whole_number(text: str) -> int | None:
    """Digits as somebody typed them -> the number; None when it is none, or more than a column holds."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


class Visit:
    """One request by one person: who it is, what was sent, how it is answered."""

    def __init__(
        self,
        request: web.Request,
        parts: Parts,
        page: Page | Act,
        lang: Lang,
        token: str,
        signed: SignedIn | None,
    ) -> None:
        self.request = request
        self.parts = parts
        self.page = page
        self.lang = lang
        self.token = token
        self.signed = signed
        self.csrf = csrf_of(token)
        self.said: list[Said] = []
        self.wants_json = False

    @property
    def viewer(self) -> Viewer:
        """Who looks, as scope sees it. Only where somebody is signed in."""
        return self._signed.viewer

    @property
    def user(self) -> User:
        return self._signed.user

    @property
    def unit(self) -> Unit | None:
        """The user's unit as of today."""
        return self._signed.unit

    @property
    def _signed(self) -> SignedIn:
        assert self.signed is not None, "this page is open to anybody"
        return self.signed

    @property
    def now_ms(self) -> int:
        return self.parts.clock.now_ms()

    async def units(self) -> Units:
        """All units, of all times."""
        return await self.parts.units.current()

    def today(self) -> date:
        """The day in Việt Nam."""
        return local_date(self.now_ms)

    async def kept(self, name: str, seconds: float, read: Callable[[], Awaitable[T]]) -> T:
        """What `read` returns, kept for some seconds by this process: what is the same for every viewer."""
        shelf, now = self.request.app[SHELF], self.now_ms
        until, value = shelf.get(name, (0, None))
        if until <= now:
            value = await read()
            shelf[name] = (now + int(seconds * 1000), value)
        return cast("T", value)

    def may(self, act: str) -> bool:
        """Whether the role may do this at all; how far it reaches is scope's to say."""
        return self.signed is not None and may(self.viewer.role, act)

    def require(self, act: str) -> None:
        """Raises: Denied."""
        if not self.may(act):
            raise Denied(act)

    def out_of_scope(self, about: str) -> NoReturn:
        raise OutOfScope(about)

    def t(self, key: str, /, **fill: object) -> str:
        """A text in the reader's language."""
        return WORDS.get(key, self.lang, **fill)

    def reason(self, code: str | None) -> str | None:
        """One sentence for a reason code, also for what an outage left behind; None for what is no code."""
        known = "upstream.waiting" if code and code.startswith("upstream.") else code
        return explain(known, self.lang)[0] if known and known in REASONS else None

    def say(self, key: str, /, kind: str = "done", **fill: object) -> None:
        """A sentence at the top of the page that is shown now."""
        self.said.append(Said(key, fill, kind))

    async def audit(self, act: str, about: str, /, **detail: object) -> None:
        """Notes what this visitor did; `about` and `detail` hold no personal value."""
        now, by = self.now_ms, self.user.login
        await self.parts.db.write(lambda tx: append(tx, now, by, act, about, **detail))

    async def form(self) -> Mapping[str, Any]:
        """The fields that were posted; a file is a web.FileField. Several values: `request.post().getall`."""
        return await self.request.post()

    async def field(self, name: str) -> str:
        """A text field as it was typed, without surrounding space; empty when it was not sent."""
        value = (await self.request.post()).get(name, "")
        return value.strip() if isinstance(value, str) else ""

    def asked(self, name: str, default: str = "") -> str:
        """A parameter of the address. Never a personal value: addresses end in histories and logs."""
        return self.request.query.get(name, default)

    def number(self, name: str, default: int | None = None) -> int | None:
        """A whole number in the address or the path; `default` when it is none."""
        found = whole_number(self.request.match_info.get(name) or self.request.query.get(name, ""))
        return default if found is None else found

    def here(self, **changes: object) -> str:
        """This address with other parameters; None removes one. For filters, pagers and sorting."""
        query = {name: value for name, value in self.request.query.items() if name not in changes}
        query |= {name: str(value) for name, value in changes.items() if value is not None}
        return f"{self.request.path}?{urlencode(query)}" if query else self.request.path
