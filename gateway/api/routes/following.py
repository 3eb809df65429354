"""What became of a vendor's completions: one event, lists, the balance of a day, the change feed.

Read with a bearer token (decisions record 0030). Source: contracts/gateway/README.md, "Following up".
"""

from datetime import date, datetime

import orjson
from aiohttp import web

from gateway.api.bearer import asked, authorized
from gateway.api.context import CONTEXT
from gateway.api.edge import FACTS
from gateway.api.following_told import told_move, told_state, told_story
from gateway.api.languages import preferred
from gateway.api.models import CompletionPage, CompletionStory, DayBalance, MovePage
from gateway.api.problems import TOKEN_CODES, UNAVAILABLE_CODES
from gateway.api.routes import Route
from gateway.connectors.faults import MAX_ID_CHARS
from gateway.model.clock import ICT, local_date
from gateway.model.errors import NotFound
from gateway.model.reasons import REASONS
from gateway.model.states import State
from gateway.queue import following
from gateway.queue.moves import read_moves
from gateway.stages.following import folded_into

LIMIT, MAX_LIMIT = 100, 500
MAX_CURSOR = 2**62


async def story(request: web.Request) -> web.Response:
    """The newest revision of an event, with what happened to it and to those before it."""
    context = request.app[CONTEXT]
    vendor = await authorized(request)
    event_id = request.match_info["event_id"]
    if len(event_id) > MAX_ID_CHARS or not event_id.isprintable():
        raise NotFound("no event can have such an id")
    event = await following.find_event(context.db, vendor.id, event_id)
    if event is None:
        raise NotFound("this vendor has sent no event with this id")
    lang = preferred(request.headers.get("Accept-Language"), context.lang)
    return _json(told_story(event, vendor.connector, lang), Content_Language=lang)


async def completions(request: web.Request) -> web.Response:
    """Page by page, in the order of receipt."""
    context = request.app[CONTEXT]
    vendor = await authorized(request)
    reason = asked(request, "reason", lambda text: REASONS[text].code)
    wanted = following.Wanted(
        state=asked(request, "state", State),
        reasons=folded_into(reason) if reason is not None else (),
        since_ms=asked(request, "since", _moment),
        until_ms=asked(request, "until", _moment),
    )
    limit = asked(request, "limit", _limit) or LIMIT
    after = asked(request, "after", _cursor) or 0
    if reason is not None and not wanted.reasons:  # a code that no vendor is told
        found = following.Page((), after, more=False)
    else:
        found = await following.page(context.db, vendor.id, wanted, after=after, limit=limit)
    lang = preferred(request.headers.get("Accept-Language"), context.lang)
    request[FACTS]["rows"] = len(found.rows)
    told = {
        "completions": [told_state(row, vendor.connector, lang) for row in found.rows],
        "next": str(found.next),
        "more": found.more,
    }
    return _json(told, Content_Language=lang)


async def balance(request: web.Request) -> web.Response:
    """What the vendor sent on a day, and what stands of it now; it must close."""
    context = request.app[CONTEXT]
    vendor = await authorized(request)
    day = asked(request, "day", date.fromisoformat) or local_date(context.clock.now_ms())
    begins_ms = int(datetime(day.year, day.month, day.day, tzinfo=ICT).timestamp() * 1000)
    number = day.year * 10_000 + day.month * 100 + day.day
    sheet = await following.balance_of_day(context.db, vendor.id, number, begins_ms)
    return _json({"day": day.isoformat(), **sheet.as_dict()})


async def changes(request: web.Request) -> web.Response:
    """The change feed: every change of state, each once, in an order that never changes."""
    context = request.app[CONTEXT]
    vendor = await authorized(request)
    after = asked(request, "after", _cursor) or 0
    limit = asked(request, "limit", _limit) or LIMIT
    found = await read_moves(context.db, after=after, limit=limit, vendor_id=vendor.id)
    request[FACTS]["rows"] = len(found.moves)
    return _json(
        {"changes": [told_move(move) for move in found.moves], "next": str(found.next), "more": found.more}
    )


def _json(told: dict[str, object], **headers: str) -> web.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return web.Response(
        body=orjson.dumps(told),
        content_type="application/json",
        headers={"Cache-Control": "no-store", **named},
    )


def _moment(text: str) -> int:
    at = datetime.fromisoformat(text.replace(" ", "+"))  # an unencoded + of the offset arrives as a space
    if at.tzinfo is None:
        raise ValueError("a moment needs its offset")
    return int(at.timestamp() * 1000)


def _limit(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:6]) <= MAX_LIMIT:
        raise ValueError("a limit is a number from 1 to 500")
    return int(text)


def _cursor(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 19 or int(text) > MAX_CURSOR:
        raise ValueError("a cursor is the `next` of an answer")
    return int(text)


_VENDOR = {"vendor": "The vendor's name as it was registered."}
_PAGES = {
    "after": "`next` of the page before; without it from the beginning.",
    "limit": "At most so many, 1 to 500; 100 unless stated.",
}
_PROBLEMS = ("query.invalid", "request.refused", *TOKEN_CODES, "internal.error", *UNAVAILABLE_CODES)

ROUTES = (
    Route(
        "GET",
        "/v1/vendors/{vendor}/completions/{event_id}",
        story,
        name="followCompletion",
        summary="What became of one event: state, reason with remedy, history, a text for the learner.",
        answers={200: ("The newest revision, with the earlier ones.", CompletionStory)},
        problems=("request.refused", *TOKEN_CODES, "not_found", "internal.error", *UNAVAILABLE_CODES),
        parameters={**_VENDOR, "event_id": "The vendor's event id, percent-encoded."},
        needs_token=True,
    ),
    Route(
        "GET",
        "/v1/vendors/{vendor}/completions",
        completions,
        name="listCompletions",
        summary="What was sent and where it stands now, page by page.",
        answers={
            200: ("A page; it may hold fewer than asked for, or none, with more to come.", CompletionPage)
        },
        problems=_PROBLEMS,
        parameters=_VENDOR,
        query={
            "state": "Only those in this state.",
            "reason": "Only those that wait or were refused for this code.",
            "since": "Received from then on; ISO 8601 with offset.",
            "until": "Received before; ISO 8601 with offset.",
            **_PAGES,
        },
        needs_token=True,
    ),
    Route(
        "GET",
        "/v1/vendors/{vendor}/balance",
        balance,
        name="balanceOfDay",
        summary="What was sent on a day against what stands of it now; to compare with one's own totals.",
        answers={200: ("The sheet of the day.", DayBalance)},
        problems=_PROBLEMS,
        parameters=_VENDOR,
        query={"day": "Day of receipt in Việt Nam, yyyy-mm-dd; today unless stated."},
        needs_token=True,
    ),
    Route(
        "GET",
        "/v1/vendors/{vendor}/changes",
        changes,
        name="followChanges",
        summary="Every change of state, each once, in an order that never changes.",
        answers={200: ("A page of the feed.", MovePage)},
        problems=_PROBLEMS,
        parameters=_VENDOR,
        query=_PAGES,
        needs_token=True,
    ),
)
