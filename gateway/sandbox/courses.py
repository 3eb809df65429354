"""The courses that both vendors offer in the sandbox, written the way courses are really written.

data/courses.csv: `course_id` is what the vendor's items carry, `module` the catalogue code it stands for, empty
while nobody has mapped the course. One module may run under several codes.
"""

import csv
from functools import cache
from pathlib import Path
from typing import NamedTuple

DATA = Path(__file__).parent / "data"


class Course(NamedTuple):
    """One course of one vendor."""

    vendor: str
    course_id: str
    course_code: str
    title: str
    periods: int  # tiết
    module: str  # GVPT03; empty when unmapped
    levels: tuple[str, ...]  # of MN, TH, THCS, THPT
    roles: tuple[str, ...]  # of GV, CBQL


@cache
def courses() -> tuple[Course, ...]:
    """All courses of both vendors, in file order."""
    with (DATA / "courses.csv").open(encoding="utf-8", newline="") as file:
        return tuple(
            Course(
                row["vendor"],
                row["course_id"],
                row["course_code"],
                row["title"],
                int(row["periods"]),
                row["module"],
                tuple(row["levels"].split()),
                tuple(row["roles"].split()),
            )
            for row in csv.DictReader(file)
        )


@cache
def offered(vendor: str, role: str, levels: tuple[str, ...]) -> tuple[tuple[Course, ...], ...]:
    """For each module that a person of this role at a school of these levels can complete, its courses."""
    found: dict[str, list[Course]] = {}
    for course in courses():
        fits = course.vendor == vendor and role in course.roles and set(levels) & set(course.levels)
        if fits and course.module:
            found.setdefault(course.module, []).append(course)
    return tuple(tuple(same) for same in found.values())


@cache
def unmapped(vendor: str) -> Course:
    """The vendor's course that no module stands for."""
    return next(course for course in courses() if course.vendor == vendor and not course.module)
