"""What an organiser sees, signed in at the console."""

from playwright.async_api import expect

from gateway.bdtx.unit_store import save
from gateway.bdtx.units import Level, Unit
from gateway.bdtx.units_file import Plan
from gateway.cli.demonstration.office import Login
from gateway.security import totp
from gateway.stages.users import Actor
from gateway.storage.users import NewUser, set_totp
from tests.browser.looking import Console
from tests.browser.world import sign_in

CODE, LOGIN = "DHSPHP", "to.chuc"


async def test_an_organiser_sees_its_learners_and_nothing_else(console: Console) -> None:
    """Own courses, the learners as sent; neither failures by unit nor another course by its address."""
    world, g = console.world, console.world.gateway
    plan = Plan(new=[Unit(CODE, "Đại học Sư phạm Hải Phòng", Level.ORGANISER)])
    await save(g.db, g.clock, plan, actor="test", file="f", content=b"")
    await g.units.current(as_of_wake=-1)  # not what this process knew a moment ago
    seen = [one for one in await g.course_acts.seen() if one.course.module is not None]
    async with g.db.read() as tx:
        rows = await tx.rows(
            "SELECT vendor_id, course_key, COUNT(*) AS n FROM cases GROUP BY vendor_id, course_key"
        )
    sizes = {(row.vendor_id, row.course_key): row.n for row in rows}
    seen.sort(key=lambda one: -sizes.get((one.course.vendor_id, one.course.course_key), 0))
    own, other = seen[0], seen[1]
    assert own.course.module is not None
    await g.course_acts.map("test", own.vendor, own.course.course_key, own.course.module.code, organiser=CODE)
    [handed] = await g.users.make(Actor("machine:test"), [NewUser(LOGIN, "Hoàng Lan", "organiser", CODE)])
    secret = totp.new_secret()
    await g.db.write(lambda tx: set_totp(tx, g.vault, LOGIN, secret))
    world.cookies[LOGIN] = await sign_in(
        world.address, Login(LOGIN, "organiser", CODE, handed.password, secret)
    )
    page = await console.open(LOGIN, "/console/my-courses")
    await console.check(page, name="my-courses")
    name = own.course.title or own.course.course_code or own.course.course_key
    await page.get_by_role("link", name=name, exact=True).click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(name)
    await console.check(page, name="my-course")
    told = await page.inner_text("main")
    assert [one.sector_id for one in world.people if one.sector_id in told] == []
    address = f"/console/my-courses/{other.vendor}/{other.course.course_key}"
    assert (await page.request.get(address)).status == 404
    for path in ("/console/failures", "/console/courses", "/console/check"):
        assert (await page.request.get(path)).status == 403
    school = await console.open("truong", "/console/account")
    assert (await school.request.get("/console/my-courses")).status == 403
