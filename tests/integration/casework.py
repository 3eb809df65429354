"""Cases by hand: units of two provinces, people in them, and the duties that follow the queue run by a test."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gateway.bdtx.scope import Viewer
from gateway.bdtx.unit_store import UnitRegister, save
from gateway.bdtx.units import Level, Unit
from gateway.bdtx.units_file import Plan
from gateway.model.roles import RoleName
from gateway.stages.cases.follow import FollowCases
from gateway.stages.cases.reparent import ReparentCases
from gateway.stages.duties import LEADER, TTL_MS
from gateway.storage.leases import acquire
from tests.builders import FakeClock
from tests.integration.by_hand import ROSTER, Hand, by_hand, completion

A, B, FAR, THPT, ELSEWHERE = "31000717", "31000718", "31000719", "31000800", "33000717"
UNITS = (
    Unit("BGDDT", "Bộ Giáo dục và Đào tạo", Level.MINISTRY),
    Unit("31", "Sở GDĐT Hải Phòng", Level.DEPARTMENT, "BGDDT", contact="0225 3842 000"),
    Unit("33", "Sở GDĐT Hưng Yên", Level.DEPARTMENT, "BGDDT"),
    Unit("31001", "UBND phường An Biên", Level.COMMUNE, "31", contact="vhxh@anbien.example"),
    Unit("31002", "UBND phường Lê Chân", Level.COMMUNE, "31"),
    Unit("33001", "UBND xã Mỹ Hào", Level.COMMUNE, "33"),
    Unit(A, "THCS Chu Văn An", Level.SCHOOL, "31001", teaches=("THCS",), contact="thcs.cva@example"),
    Unit(B, "THCS Trần Phú", Level.SCHOOL, "31001", teaches=("THCS",)),
    Unit(FAR, "TH Nguyễn Du", Level.SCHOOL, "31002", teaches=("TH",)),
    Unit(THPT, "THPT Ngô Quyền", Level.SCHOOL, "31", teaches=("THPT",)),
    Unit(ELSEWHERE, "THCS Mỹ Hào", Level.SCHOOL, "33001", teaches=("THCS",)),
)


def viewer(unit: str | None, role: RoleName = RoleName.UNIT_ADMIN) -> Viewer:
    return Viewer(f"{role}.{unit or 'all'}", role, unit)


class Casework(Hand):
    """Steps of the stages and of the duties that follow them."""

    def __init__(self, hand: Hand) -> None:
        super().__init__(hand.gateway, hand.pipeline, hand.http, hand.clock)
        g = self.gateway
        self.register = UnitRegister(g.db, g.clock)
        self.following = FollowCases(
            g.db,
            g.clock,
            g.vault,
            g.blind,
            g.accounts,
            g.snapshots,
            self.register,
            g.metrics,
            ttl_ms=TTL_MS,
        )
        self.moving = ReparentCases(g.db, g.clock, self.register, ttl_ms=TTL_MS)

    async def verify(self, *, hand_over: bool = False) -> int:
        self.clock.advance(s=1)  # an answer of this very millisecond would still count as live
        return await super().verify(hand_over=hand_over)

    async def lease(self):
        lease = await acquire(self.db, self.clock, LEADER, "test", 1)
        if lease is None:  # the one of the step before ends at once
            self.clock.advance(ms=TTL_MS)
            lease = await acquire(self.db, self.clock, LEADER, "test", 1)
        return lease

    async def follow(self) -> None:
        await self.following.run(await self.lease())

    async def move(self) -> None:
        self.clock.advance(s=60)
        await self.moving.run(await self.lease())

    async def units(self, *units: Unit) -> None:
        await save(self.db, self.clock, Plan(new=list(units)), actor="test", file="f", content=b"")
        self.clock.advance(s=60)

    async def cases(self) -> dict[int, object]:
        return {row.delivery_id: row for row in await self.rows("SELECT * FROM cases ORDER BY delivery_id")}

    async def fails(
        self, n: int, *, school: str | None = A, event: str | None = None, code="GVPT 03", **user
    ) -> int:
        """One completion that is held: person `n` under a name that is another's, claimed by `school`."""
        item = completion(n, event=event, code=code)
        item["user"] |= {"fullName": "Lê Văn Khác", "schoolCode": school} | user
        [id_] = await self.send(item)
        await self.verify()
        return id_

    async def passes(self, n: int, *, school: str = A, event: str | None = None) -> int:
        """One completion that is verified; the file of person `n` names ROSTER's school."""
        item = completion(n, event=event)
        item["user"]["schoolCode"] = school
        [id_] = await self.send(item)
        await self.verify()
        return id_

    async def moves(self, n: int, school: str, **more: str) -> None:
        """Person `n` works at another school from now on, says the sector database."""
        path = f"/_control/registry/staff/{ROSTER[n].sector_id}"
        (await self.http.patch(path, json={"unit_code": school, **more})).raise_for_status()


@asynccontextmanager
async def casework(database_url: str, tmp_path: Path, clock: FakeClock) -> AsyncIterator[Casework]:
    async with by_hand(database_url, tmp_path, clock) as hand:
        lab = Casework(hand)
        await lab.units(*UNITS)
        yield lab
