"""Before the curtain: keys, database, vendors, and the courses that somebody has to map once."""

from gateway.app import Gateway
from gateway.bdtx.modules import find
from gateway.model.completion import Course
from gateway.queue.vendors import add_vendor
from gateway.sandbox.courses import courses
from gateway.security.keys import KeyRing
from gateway.settings import Settings
from gateway.storage.engine import open_database
from gateway.storage.schema import migrate

VENDORS = ("viettel", "vnpt")


async def make_storage(settings: Settings) -> None:
    """What `gateway init` does."""
    KeyRing.generate(settings.keys_file)
    db = open_database(settings.database)
    try:
        await migrate(db)
    finally:
        await db.close()


async def add_vendors(gateway: Gateway) -> dict[str, str]:
    """Both vendors. Returns: name -> signing secret."""
    return {name: await add_vendor(gateway.db, gateway.vault, gateway.clock, name, name) for name in VENDORS}


async def map_courses(gateway: Gateway) -> int:
    """Maps the courses whose code names no module, but the two that nobody has mapped. Returns: how many."""
    mapped = 0
    for course in courses():
        if not course.module or find(course.course_code) is not None:
            continue
        vendor = await gateway.vendors.find(course.vendor)
        assert vendor is not None
        seen = Course(course_id=course.course_id, course_code=course.course_code, title=course.title)
        await gateway.courses.resolve([(vendor.id, seen)])
        await gateway.wake.map_course(vendor.id, course.course_id, course.module)
        mapped += 1
    return mapped
