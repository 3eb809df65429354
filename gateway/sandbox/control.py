"""Control of the sandbox: look at what was stored, set faults, change people and accounts.

Nothing here is part of a contract; it needs no token and must listen on loopback only.
"""

import asyncio
from collections.abc import Iterable

import orjson
from aiohttp import web
from pydantic import ValidationError

from gateway.model.person import IdentifierType, LookupKey
from gateway.sandbox.faults import FAULTS, Faults, problem
from gateway.sandbox.oauth import Tokens
from gateway.sandbox.registry import StaffStore
from gateway.sandbox.roster import COLUMNS, StaffRow, changed
from gateway.sandbox.temis import REFUSED_STATES, TemisStore
from gateway.temis.contract import NaturalKey

LINES_AT_ONCE = 1000


class Control:
    """The endpoints under /_control."""

    def __init__(self, temis: TemisStore, staff: StaffStore, faults: Faults, tokens: Tokens) -> None:
        self._temis = temis
        self._staff = staff
        self._faults = faults
        self._tokens = tokens

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/_control/temis/records", self.records),
            web.delete("/_control/temis/records/{sector_id}/{module_code}/{school_year}", self.lose_record),
            web.patch("/_control/temis/records/{sector_id}/{module_code}/{school_year}", self.change_record),
            web.get("/_control/temis/writes", self.writes),
            web.get("/_control/stats", self.stats),
            web.get("/_control/faults", self.faults),
            web.put("/_control/faults", self.set_faults),
            web.delete("/_control/faults", self.clear_faults),
            web.put("/_control/temis/accounts/{sector_id}", self.set_account),
            web.put("/_control/temis/modules/{module_code}", self.set_module),
            web.get("/_control/registry/staff/{sector_id}", self.person),
            web.patch("/_control/registry/staff/{sector_id}", self.change_person),
            web.put("/_control/registry/staff/{sector_id}", self.put_person),
        ]

    async def records(self, request: web.Request) -> web.StreamResponse:
        """Every record as NDJSON: key, content, revision, record_id."""
        return await _ndjson(request, self._temis.record_lines())

    async def lose_record(self, request: web.Request) -> web.Response:
        """TEMIS forgets one record, as after a restored backup."""
        if not self._temis.forget(_key(request)):
            return problem(404, "no such record")
        return web.json_response({"lost": True})

    async def change_record(self, request: web.Request) -> web.Response:
        """Fields of a record change behind the gateway's back: somebody corrected it in TEMIS itself."""
        if not self._temis.rewrite(_key(request), await _object(request)):
            return problem(404, "no such record")
        return web.json_response(self._temis.read_back(_key(request)))

    async def writes(self, request: web.Request) -> web.StreamResponse:
        """Every applied write as NDJSON, oldest first: op, key, old and new digest, revision."""
        return await _ndjson(request, self._temis.write_lines())

    async def stats(self, request: web.Request) -> web.Response:
        """Counts since the start."""
        return web.json_response(
            {
                "temis": self._temis.stats(),
                "registry": self._staff.stats(),
                "tokens_issued": self._tokens.issued,
                "faults_struck": dict(self._faults.struck),
            }
        )

    async def faults(self, request: web.Request) -> web.Response:
        """The faults in force."""
        return web.Response(body=FAULTS.dump_json(self._faults.active), content_type="application/json")

    async def set_faults(self, request: web.Request) -> web.Response:
        """Replace all faults by the list sent."""
        try:
            self._faults.replace(FAULTS.validate_json(await request.read()))
        except ValidationError as error:
            wrong = sorted({".".join(map(str, fault["loc"])) for fault in error.errors(include_input=False)})
            return problem(422, f"not a list of faults: {', '.join(wrong)}")
        return await self.faults(request)

    async def clear_faults(self, request: web.Request) -> web.Response:
        """No faults from now on."""
        self._faults.replace([])
        return await self.faults(request)

    async def set_account(self, request: web.Request) -> web.Response:
        """{"state": "active|missing|stopped|unit_missing|self_reported"}: what TEMIS says of a person."""
        state = (await _object(request)).get("state")
        if state != "active" and state not in REFUSED_STATES:
            return problem(422, f"state is one of active, {', '.join(REFUSED_STATES)}")
        self._temis.accounts[request.match_info["sector_id"]] = str(state)
        return web.json_response({"state": state})

    async def set_module(self, request: web.Request) -> web.Response:
        """{"known": false}: whether TEMIS knows a module; it knows all others."""
        known = (await _object(request)).get("known")
        if not isinstance(known, bool):
            return problem(422, "known is true or false")
        change = self._temis.unknown_modules.discard if known else self._temis.unknown_modules.add
        change(request.match_info["module_code"])
        return web.json_response({"known": known})

    async def person(self, request: web.Request) -> web.Response:
        """One person's row."""
        found = self._found(request)
        return found if isinstance(found, web.Response) else _row(found)

    async def change_person(self, request: web.Request) -> web.Response:
        """Change some columns of a person, the sector identifier among them; the change feed tells of it."""
        found = self._found(request)
        if isinstance(found, web.Response):
            return found
        try:
            new = changed(found, _texts(await _object(request)))
        except ValueError as error:
            return problem(422, str(error))
        self._staff.put(found, new)
        return _row(new)

    async def put_person(self, request: web.Request) -> web.Response:
        """Add a person, or replace one whole; the change feed tells of it."""
        sector_id = request.match_info["sector_id"]
        hits = self._staff.hits(LookupKey(IdentifierType.SECTOR, sector_id))
        if len(hits) > 1:
            return problem(409, "several files share this identifier")
        try:
            sent = _texts(await _object(request)) | {"sector_id": sector_id}
            new = changed(StaffRow(sector_id, full_name=""), sent)
        except ValueError as error:
            return problem(422, str(error))
        self._staff.put(hits[0] if hits else None, new)
        return _row(new)

    def _found(self, request: web.Request) -> StaffRow | web.Response:
        hits = self._staff.hits(LookupKey(IdentifierType.SECTOR, request.match_info["sector_id"]))
        if len(hits) > 1:
            return problem(409, "several files share this identifier")
        return hits[0] if hits else problem(404, "no such person")


def _key(request: web.Request) -> NaturalKey:
    return NaturalKey(*(request.match_info[name] for name in NaturalKey._fields))


async def _object(request: web.Request) -> dict[str, object]:
    try:
        sent = orjson.loads(await request.read())
    except orjson.JSONDecodeError:
        sent = None
    if not isinstance(sent, dict):
        raise web.HTTPUnprocessableEntity(text="a JSON object is expected")
    return sent


def _texts(sent: dict[str, object]) -> dict[str, str]:
    """Columns as text; null is an empty column."""
    for column, value in sent.items():
        if value is not None and not isinstance(value, str):
            raise ValueError(f"{column} is not text")
    return {column: str(value or "") for column, value in sent.items()}


def _row(person: StaffRow) -> web.Response:
    return web.json_response({column: getattr(person, column) for column in COLUMNS})


async def _ndjson(request: web.Request, lines: Iterable[bytes]) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    await response.prepare(request)
    part: list[bytes] = []
    for line in lines:
        part.append(line)
        if len(part) == LINES_AT_ONCE:
            await response.write(b"\n".join(part) + b"\n")
            part.clear()
            await asyncio.sleep(0)  # the sandbox goes on answering meanwhile
    if part:
        await response.write(b"\n".join(part) + b"\n")
    await response.write_eof()
    return response
