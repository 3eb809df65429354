"""The letter of 2022 replayed over real HTTP: what learners, LMSs and schools do in it, from end to end.

Source: letter 95/CV-ETEP of 9 April 2022 (S3), annexes 1 and 2: verify at the profile page, then save.
"""

import asyncio
from contextlib import asynccontextmanager
from urllib.parse import quote

import httpx
import orjson
import pytest

from gateway.app import open_pipeline
from gateway.queue import payloads
from gateway.sandbox.app import make_sandbox
from gateway.sandbox.server import serving
from gateway.security.signatures import new_secret
from tests.integration.test_pipeline import QUICK, ROSTER, viettel
from tests.listening import open_desk

FROM_REGISTRY = new_secret()
VERIFY = "/v1/vendors/viettel/identities:verify"


class Letter:
    """A gateway that listens and works, a vendor before it, the sector database and TEMIS behind it."""

    def __init__(self, desk, http) -> None:
        self.desk = desk
        self.http = http

    async def send(self, *items) -> None:
        answer = await self.desk.post(list(items))
        assert answer.status == 202, answer.body

    async def standing(self, event: str) -> tuple[str, str | None]:
        async with self.desk.gateway.db.read() as tx:
            sql = "SELECT state, reason FROM deliveries WHERE event_id = :e"
            [row] = await tx.rows(sql, e=event)
        return row.state, row.reason

    async def until(self, event: str, state: str, reason: str | None = None) -> None:
        async with asyncio.timeout(20):
            while await self.standing(event) != (state, reason):
                await asyncio.sleep(0.02)

    async def verify(self, n: int, **changes) -> str:
        answer = await self.desk.post(profile(n, **changes), path=VERIFY)
        assert answer.status == 200, answer.body
        return answer.json()["identities"][0]["status"]

    async def save(self, n: int, **changes):
        self.desk.clock.advance(ms=1)  # a link counts for what came before it
        body = orjson.dumps(profile(n, **changes) | {"saved": True})
        path = f"/v1/vendors/viettel/accounts/{quote(profile(n)['lms_user_id'])}"
        return await self.desk.ask("PUT", path, data=body, headers=self.desk.signed(body))

    async def fixed_by_the_school(self, n: int, **columns: str) -> None:
        """The school corrects the file; the sector database tells us so, signed."""
        sector_id = ROSTER[n].sector_id
        (await self.http.patch(f"/_control/registry/staff/{sector_id}", json=columns)).raise_for_status()
        self.desk.clock.advance(ms=1)
        identifiers = [{"type": "sector_id", "value": sector_id}]
        change = {"changed_at": "2026-03-09T12:00:00+07:00", "identifiers": identifiers}
        answer = await self.desk.post({"changes": [change]}, path="/v1/registry/changes", secret=FROM_REGISTRY)
        assert answer.status == 202

    async def modules(self) -> list[str]:
        """Modules that stand in TEMIS."""
        answer = await self.http.get("/_control/temis/records")
        return sorted(orjson.loads(line)["module_code"] for line in answer.content.splitlines())

    async def looks(self, event: str):
        """(reason, link version) of each judgement, the oldest first."""
        async with self.desk.gateway.db.read() as tx:
            rows = await tx.rows(
                "SELECT v.reason, v.link_version FROM verifications v "
                "JOIN deliveries d ON d.id = v.delivery_id WHERE d.event_id = :e ORDER BY v.id",
                e=event,
            )
        return [(row.reason, row.link_version) for row in rows]

    async def sent_identifier(self, event: str) -> str | None:
        """As it lies in the payload, whatever was confirmed later."""
        g = self.desk.gateway
        async with g.db.read() as tx:
            [row] = await tx.rows("SELECT id FROM deliveries WHERE event_id = :e", e=event)
        bodies = await payloads.load(g.db, g.vault, [row.id])
        completion, _ = payloads.open_body(g.vault, 1, event, 1, bodies[row.id])
        return completion.claim.identifier


def profile(n: int, **changes):
    """What person `n` has on the profile page."""
    person = ROSTER[n]
    return {
        "lms_user_id": f"{n:024x}",
        "identifier": person.sector_id,
        "full_name": person.full_name,
        "birth_date": person.birth_date,
        "unit_code": "31000717",
        "role": "GV",
        **changes,
    }


def completed(n: int, module: int, **user):
    """Person `n` completed a module; `user` replaces what the LMS sends of the person, None leaves it out."""
    item = viettel(n, event=f"evt-{n}-{module}", code=f"GVPT {module:02}")
    item["user"] |= user
    item["user"] = {name: value for name, value in item["user"].items() if value is not None}
    return item


@pytest.fixture
async def letter(database_url, tmp_path):
    async with (
        serving(make_sandbox(ROSTER)) as base,
        httpx.AsyncClient(base_url=base) as http,
        open_desk(
            database_url,
            tmp_path,
            env={
                "GATEWAY_TOKEN_URL": f"{base}/oauth/token",
                "GATEWAY_REGISTRY_URL": f"{base}/registry",
                "GATEWAY_TEMIS_URL": f"{base}/temis",
                "GATEWAY_REGISTRY_CHANGES_POLL_S": "0",
            },
            registry_secret=FROM_REGISTRY,
        ) as desk,
        working(desk),
    ):
        yield Letter(desk, http)


@asynccontextmanager
async def working(desk):
    """A worker beside the API, as `gateway serve` and `gateway work` are."""
    async with open_pipeline(desk.gateway, limits=QUICK) as pipeline:
        work = asyncio.create_task(pipeline.worker.run())
        yield
        pipeline.worker.stop()
        await work


async def test_completions_first_the_identifier_later(letter):
    """Courses end before anybody has entered a code; once it is saved, every result goes on by itself."""
    await letter.send(*(completed(1, module, sectorCode=None) for module in (1, 2, 3)))
    for module in (1, 2, 3):
        await letter.until(f"evt-1-{module}", "held", "format.missing")
    assert await letter.verify(1) == "verified"
    assert await letter.standing("evt-1-1") == ("held", "format.missing")  # asking links nothing
    answer = await letter.save(1)
    assert (answer.status, answer.json()["woken"]) == (201, 3)
    for module in (1, 2, 3):
        await letter.until(f"evt-1-{module}", "delivered")
        assert await letter.looks(f"evt-1-{module}") == [("format.missing", None), (None, 1)]
        assert await letter.sent_identifier(f"evt-1-{module}") is None
    assert await letter.modules() == ["GVPT01", "GVPT02", "GVPT03"]
    await letter.send(completed(1, 4, sectorCode=None))  # what comes later still has no code, and needs none
    await letter.until("evt-1-4", "delivered")


async def test_a_teacher_who_fixes_a_typo(letter):
    """The page says that the code is wrong; the right one, saved, frees what was held under the typo."""
    typo = "3100000922"
    await letter.send(completed(2, 1, sectorCode=typo), completed(2, 2, sectorCode=typo), completed(3, 1))
    for module in (1, 2):
        await letter.until(f"evt-2-{module}", "held", "registry.not_found")
    await letter.until("evt-3-1", "delivered")
    assert await letter.verify(2, identifier=typo) != "verified"
    refused = await letter.save(2, identifier=typo)
    assert (refused.status, refused.code) == (422, "identity.not_verified")
    assert (await letter.save(2)).json()["woken"] == 2
    for module in (1, 2):
        await letter.until(f"evt-2-{module}", "delivered")
        assert await letter.looks(f"evt-2-{module}") == [("registry.not_found", None), (None, 1)]
        assert await letter.sent_identifier(f"evt-2-{module}") == typo
    assert len(await letter.looks("evt-3-1")) == 1  # nobody else was looked at again


async def test_a_school_that_fixes_the_birth_date(letter):
    """The file was wrong: the school corrects it, and the result goes on without LMS or teacher."""
    await letter.send(completed(4, 1, birthday="09/09/1979"), completed(5, 1, birthday="09/09/1979"))
    await letter.until("evt-4-1", "held", "attribute.birth_date_mismatch")
    await letter.until("evt-5-1", "held", "attribute.birth_date_mismatch")
    await letter.fixed_by_the_school(4, birth_date="1979-09-09")
    await letter.until("evt-4-1", "delivered")
    assert await letter.looks("evt-4-1") == [("attribute.birth_date_mismatch", None), (None, None)]
    assert await letter.standing("evt-5-1") == ("held", "attribute.birth_date_mismatch")
    assert await letter.modules() == ["GVPT01"]
