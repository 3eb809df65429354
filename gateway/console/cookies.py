"""The console's cookies: the session, the language, and sentences for the next page.

A visitor who is not signed in has a random session value too, which means nothing: forms are guarded alike.
"""

import binascii
import hashlib
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Any

import orjson
from aiohttp import web

from gateway.model.texts import LANGS, Lang
from gateway.stages.sessions import TOKEN_BYTES

LANGUAGE = "gateway_lang"
SAID = "gateway_said"
_YEAR_S = 31_536_000
_MAX_SAID = 2_000


def session_name(*, is_https: bool) -> str:
    """Over https a name that browsers accept from nobody else (RFC 6265bis, section 4.1.3.2)."""
    return "__Host-gateway_session" if is_https else "gateway_session"


def csrf_of(token: str) -> str:
    """The token of this session's forms: who knows it has seen a page of the session."""
    return hashlib.sha256(b"csrf:" + token.encode()).hexdigest()[:32]


def new_token() -> str:
    """A value that means nothing yet."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def read_token(request: web.Request, *, is_https: bool) -> str:
    """The session's value; a new one that means nothing when there is none."""
    return request.cookies.get(session_name(is_https=is_https)) or new_token()


def write_token(response: web.StreamResponse, token: str, *, is_https: bool) -> None:
    name = session_name(is_https=is_https)
    response.set_cookie(name, token, path="/", httponly=True, samesite="Lax", secure=is_https)


def read_language(request: web.Request, default: Lang) -> Lang:
    chosen = request.cookies.get(LANGUAGE)
    return next((lang for lang in LANGS if lang == chosen), default)


def write_language(response: web.StreamResponse, lang: Lang, *, is_https: bool) -> None:
    response.set_cookie(
        LANGUAGE, lang, path="/console", max_age=_YEAR_S, httponly=True, samesite="Lax", secure=is_https
    )


def read_said(request: web.Request) -> list[Any]:
    """What `write_said` kept; nothing when it cannot be read."""
    try:
        found = orjson.loads(urlsafe_b64decode(request.cookies.get(SAID, "").encode()))
    except (binascii.Error, orjson.JSONDecodeError, ValueError):
        return []
    return found if isinstance(found, list) else []


def write_said(response: web.StreamResponse, said: Sequence[Any], *, is_https: bool) -> None:
    """Keeps sentences (keys and fillers) for the next page; none removes them."""
    kept = urlsafe_b64encode(orjson.dumps(said)).decode() if said else ""
    if kept and len(kept) <= _MAX_SAID:
        response.set_cookie(
            SAID, kept, path="/console", max_age=60, httponly=True, samesite="Lax", secure=is_https
        )
    else:
        response.del_cookie(SAID, path="/console")
