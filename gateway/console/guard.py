"""Before every page: who is it, may they, did the form come from us. After it: HTML or JSON, cookies, headers.

Refusals (403, 404 for what is out of scope) are audited; errors become pages in the reader's language.
"""

import asyncio
from typing import Any

import structlog
from aiohttp import web

from gateway.console import cookies, rendering
from gateway.console.headers import guard_headers
from gateway.console.origin import forgery
from gateway.console.page import HOME, Act, Denied, Go, OutOfScope, Page, Said, Shown, Stage, Visit
from gateway.console.parts import PARTS
from gateway.console.ways import way_in
from gateway.model.errors import NotFound, Overloaded, Refused, StorageBusy

log = structlog.get_logger(__name__)
VISIT: web.RequestKey[Visit] = web.RequestKey("visit", Visit)
NOWHERE = Page("", lambda _: _nothing(), name="frame", stage=Stage.OPEN)
PATIENCE_S, FILE_PATIENCE_S = 30.0, 300.0  # for a form to arrive


async def _nothing() -> None:
    return None


@web.middleware
async def guard(request: web.Request, handler: Any) -> web.StreamResponse:
    """Wraps everything below /console."""
    try:
        response: web.StreamResponse = await handler(request)
    except ConnectionError:
        raise
    except Exception as error:
        response = await _failed(request, error)
    guard_headers(response)
    return response


async def answer(request: web.Request, page: Page | Act, *, is_twin: bool) -> web.StreamResponse:
    """One page or act, for whoever asks."""
    came = request
    if isinstance(page, Act) and page.max_body_bytes:
        request = request.clone(client_max_size=page.max_body_bytes)
    parts = request.app[PARTS]
    is_https = parts.is_https
    token = cookies.read_token(request, is_https=is_https)
    is_known = token == request.cookies.get(cookies.session_name(is_https=is_https))
    signed = await parts.sessions.find(token) if is_known else None
    lang = cookies.read_language(request, parts.lang)
    visit = request[VISIT] = came[VISIT] = Visit(request, parts, page, lang, token, signed)
    visit.wants_json = is_twin or _asks_json(request)
    if (elsewhere := way_in(visit)) is not None:
        if visit.wants_json:
            return _problem(visit, 401, "sign_in")
        return _send_on(visit, elsewhere)
    if page.may is not None:
        visit.require(page.may)
    if isinstance(page, Act):
        async with asyncio.timeout(FILE_PATIENCE_S if page.max_body_bytes else PATIENCE_S):
            why = await forgery(request, token, parts.address)
        if why is not None:
            await _audit(visit, why, page.path)
            return await _fail(visit, 403, f"forgery_{why}")
        result = await page.do(visit)
    else:
        visit.said += _carried(request)
        result = await page.show(visit)
    return await _finish(visit, result, is_new=not is_known)


async def _finish(visit: Visit, result: object, *, is_new: bool) -> web.StreamResponse:
    if isinstance(result, web.StreamResponse):
        return result
    if isinstance(result, Go):
        return _send_on(visit, result)
    shown = result if isinstance(result, Shown) else Shown(result)
    if visit.wants_json:
        return rendering.json(shown.view, status=shown.status)
    template = shown.template or f"{visit.page.name}.html"
    response = await rendering.page(visit, template, shown.view, status=shown.status)
    is_https = visit.parts.is_https
    if is_new:
        cookies.write_token(response, visit.token, is_https=is_https)
    if cookies.SAID in visit.request.cookies:
        cookies.write_said(response, [], is_https=is_https)
    return response


def _send_on(visit: Visit, go: Go) -> web.StreamResponse:
    is_https = visit.parts.is_https
    said = [*visit.said, *go.said]
    if visit.wants_json:
        told = [{"kind": one.kind, "text": visit.t(one.key, **one.fill)} for one in said]
        response: web.StreamResponse = rendering.json({"to": go.to, "said": told})
    else:
        response = web.Response(status=303, headers={"Location": go.to})
        carried = [(one.key, dict(one.fill), one.kind) for one in said]
        if carried:
            cookies.write_said(response, carried, is_https=is_https)
    if go.token is not None:
        cookies.write_token(response, go.token or cookies.new_token(), is_https=is_https)
    return response


async def _failed(request: web.Request, error: Exception) -> web.StreamResponse:
    """Any error -> a page, or a problem for those who asked for JSON."""
    visit = request.get(VISIT)
    if visit is None:
        parts = request.app[PARTS]
        lang = cookies.read_language(request, parts.lang)
        visit = Visit(request, parts, NOWHERE, lang, cookies.new_token(), None)
        visit.wants_json = _asks_json(request) or request.path.startswith(HOME + "/api/")
    match error:
        case Denied():
            await _audit(visit, "may_not", f"{visit.page.path} {error.act}")
            return await _fail(visit, 403, "denied")
        case OutOfScope():
            await _audit(visit, "out_of_scope", error.about)
            return await _fail(visit, 404, "not_found")
        case NotFound():
            return await _fail(visit, 404, "not_found")
        case Refused():
            return await _fail(visit, 409, "refused")
        case Overloaded() | StorageBusy():
            return await _fail(visit, 503, "busy")
        case TimeoutError():
            return await _fail(visit, 408, "bad_request")
        case web.HTTPNotFound():
            return await _fail(visit, 404, "not_found")
        case web.HTTPRequestEntityTooLarge():
            return await _fail(visit, 413, "too_large")
        case web.HTTPException():
            return await _fail(visit, error.status, "bad_request")
    log.error("request.failed", exc_info=error)
    return await _fail(visit, 500, "broken")


async def _fail(visit: Visit, status: int, why: str) -> web.StreamResponse:
    if visit.wants_json:
        return _problem(visit, status, why)
    return await rendering.page(visit, "error.html", {"status": status, "why": why}, status=status)


def _problem(visit: Visit, status: int, why: str) -> web.Response:
    told = {
        "type": f"urn:lms-temis-gateway:problem:console.{why}",
        "title": visit.t(f"frame.error.{why}.title"),
        "status": status,
        "detail": visit.t(f"frame.error.{why}.detail"),
        "code": f"console.{why}",
    }
    response = rendering.json(told, status=status)
    response.content_type = "application/problem+json"
    return response


async def _audit(visit: Visit, code: str, about: str) -> None:
    """Notes a refusal; not those of strangers, who could fill the audit with them."""
    if visit.signed is None:
        log.info("console.refused", code=code, page=visit.page.path)
        return
    await visit.audit("refused", about, act=f"{visit.request.method} {visit.page.path}", code=code)


def _carried(request: web.Request) -> list[Said]:
    """Sentences that the page before left; whatever a stranger could put there is only keys and fillers."""
    said = []
    for one in cookies.read_said(request):
        match one:
            case [str(key), dict(fill), str(kind)]:
                said.append(Said(key, fill, kind))
    return said


def _asks_json(request: web.Request) -> bool:
    accepted = request.headers.get("Accept", "")
    return "application/json" in accepted and "text/html" not in accepted
