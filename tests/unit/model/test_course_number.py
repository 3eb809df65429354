"""Courses as numbers: the same everywhere, apart from each other, never the number of no course."""

from gateway.model.course_number import UNKNOWN, course_number


def test_a_course_has_the_same_number_in_every_process_and_version():
    """Rows are counted by it for years, so it may never change."""
    assert course_number(1, "course-GVPT 03") == 120_592_766_686_078


def test_courses_of_two_vendors_are_two():
    """A course id means something only within its vendor."""
    numbers = {course_number(vendor, f"c-{n}") for vendor in (1, 2) for n in range(5_000)}
    assert len(numbers) == 10_000
    assert UNKNOWN not in numbers
    assert max(numbers) < 2**48
