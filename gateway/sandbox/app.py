"""The sandbox as one application: TEMIS, sector database, token service and their control.

Source: contracts/temis/README.md, contracts/registry/README.md; it answers by the models our clients send by.
"""

from collections.abc import Iterable, Mapping

from aiohttp import web

from gateway.identity.registry import CHANGES_PATH, LOOKUP_PATH, SEARCH_PATH
from gateway.model.clock import Clock, SystemClock
from gateway.sandbox.control import Control
from gateway.sandbox.faults import Endpoint, Faults, exposed
from gateway.sandbox.lists import ListDesk
from gateway.sandbox.oauth import Tokens
from gateway.sandbox.registry import RegistryDesk, StaffStore
from gateway.sandbox.roster import StaffRow
from gateway.sandbox.temis import TemisDesk, TemisStore
from gateway.temis.client import BATCH_PATH, QUERY_PATH

MAX_BODY_BYTES = 16 * 1024 * 1024


def make_sandbox(
    roster: Iterable[StaffRow] | None = None,
    *,
    clock: Clock | None = None,
    clients: Mapping[str, str] | None = None,
    token_ttl_s: int = 3600,
    seed: int = 0,
) -> web.Application:
    """A sandbox whose sector database knows the people of `roster` (nobody without one).

    `clients`: OAuth2 client -> secret; without it every client is let in. `seed`: of the faults' chance.
    """
    clock = clock or SystemClock()
    faults, tokens = Faults(seed), Tokens(clock, clients, token_ttl_s)
    temis, staff = TemisStore(clock), StaffStore(roster or (), clock)

    def guarded(target: str, endpoint: Endpoint) -> Endpoint:
        async def with_token(request: web.Request) -> web.StreamResponse:
            return tokens.refusal(request) or await endpoint(request)

        return exposed(faults, target, with_token, tokens.expire)

    temis_desk, registry_desk = TemisDesk(temis, faults), RegistryDesk(staff)
    app = web.Application(client_max_size=MAX_BODY_BYTES)
    app.add_routes(
        [
            web.post("/oauth/token", exposed(faults, "token", tokens.issue, tokens.expire)),
            web.post(f"/temis{BATCH_PATH}", guarded("temis", temis_desk.batch)),
            web.post(f"/temis{QUERY_PATH}", guarded("temis", temis_desk.query)),
            web.post(f"/registry{LOOKUP_PATH}", guarded("registry", registry_desk.lookup)),
            web.post(f"/registry{SEARCH_PATH}", guarded("registry", registry_desk.search)),
            web.get(f"/registry{CHANGES_PATH}", guarded("registry", registry_desk.changes)),
            *ListDesk(clock).routes(lambda endpoint: exposed(faults, "lists", endpoint, tokens.expire)),
            *Control(temis, staff, faults, tokens).routes(),
        ]
    )
    return app
