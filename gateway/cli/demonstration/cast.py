"""Who and what appears: a made-up population, and the completions both vendors send about it."""

from gateway.model.clock import SystemClock, local_date
from gateway.sandbox.item import Item
from gateway.sandbox.population import population
from gateway.sandbox.roster import StaffRow
from gateway.sandbox.traffic import Traffic

LEAST_PEOPLE = 1_500  # so that every kind of oddity finds somebody it can happen to


def cast(completions: int) -> tuple[list[StaffRow], list[Item]]:
    """The people on file and exactly `completions` items, each with what must become of it."""
    now_ms = SystemClock().now_ms()
    people = population(max(LEAST_PEOPLE, completions // 2), today=local_date(now_ms))
    return people, list(Traffic(people, now_ms=now_ms).items(completions))
