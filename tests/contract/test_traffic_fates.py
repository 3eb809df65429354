"""The sandbox's traffic says what must become of each item: connectors, identity and BDTX agree with it.

Pure functions only, so that a change of any rule shows here at once and not as a strange demo.
"""

import json
from collections import defaultdict
from datetime import date, datetime
from typing import NamedTuple

import pytest

from gateway.bdtx.modules import find
from gateway.bdtx.recognition import check_result
from gateway.bdtx.school_years import resolve
from gateway.connectors import discover
from gateway.identity.case import Case, keys_of
from gateway.identity.judge import judge
from gateway.identity.policy import load
from gateway.model.clock import ICT, local_date
from gateway.model.completion import Completion, Role
from gateway.model.merge import Candidate, choose, rank
from gateway.model.person import Answer, LookupKey, Snapshot
from gateway.sandbox.courses import courses
from gateway.sandbox.population import population
from gateway.sandbox.registry import StaffStore
from gateway.sandbox.roster import StaffRow
from gateway.sandbox.stories import STORIES
from gateway.sandbox.story import PLAIN
from gateway.sandbox.traffic import Item, Traffic
from tests.builders import FakeClock

NOW_MS = int(datetime(2026, 11, 22, 9, tzinfo=ICT).timestamp() * 1000)
PEOPLE = population(3_000, today=date(2026, 11, 22))
ITEMS = list(Traffic(PEOPLE, now_ms=NOW_MS).items(6_000))
CONNECTORS = discover()
MODULES = {(course.vendor, course.course_id): course.module for course in courses()}
POLICY = load()
REGISTRY = StaffStore(PEOPLE, FakeClock())


class Judged(NamedTuple):
    """What our own rules make of one item."""

    completion: Completion
    reason: str | None
    record: tuple[str, str, str] | None  # person, module, school year


def snapshot(row: StaffRow) -> Snapshot:
    return Snapshot(
        sector_id=row.sector_id,
        full_name=row.full_name,
        birth_date=date.fromisoformat(row.birth_date),
        unit_code=row.unit_code,
        role=Role(row.role),
        status=row.status,
        status_since=date.fromisoformat(row.status_since),
    )


def answer(key: LookupKey) -> Answer:
    return Answer(hits=tuple(map(snapshot, REGISTRY.hits(key))), fetched_at_ms=NOW_MS)


def judged(item: Item) -> Judged:
    completion = CONNECTORS[item.vendor].normalize(json.loads(item.body))
    completed_on = local_date(completion.completed_at_ms)
    answers = {key: answer(key) for key in keys_of(completion.claim)}
    verdict = judge(Case(completion.claim, completed_on, answers, vendor=item.vendor), POLICY)
    if not verdict.verified:
        return Judged(completion, verdict.reason, None)
    module = find(MODULES[item.vendor, completion.course.course_id] or "")
    year = resolve(completion.course.school_year, completed_on)
    if module is None or year is None:
        return Judged(completion, "course.unmapped" if module is None else "course.school_year_unclear", None)
    result = completion.result
    fault = check_result(result.passed, result.score_hundredths, module.pass_mark_hundredths, module.boundary)
    assert verdict.sector_id is not None
    return Judged(completion, fault, None if fault else (verdict.sector_id, module.code, year))


JUDGED = [judged(item) for item in ITEMS]


def test_every_story_is_told() -> None:
    """A kind of trouble that the demo never shows is a kind nobody has tried."""
    assert {item.expected.story for item in ITEMS} == {PLAIN, *STORIES}


@pytest.mark.parametrize("story", [PLAIN, *STORIES])
def test_what_holds_an_item_is_what_its_story_says(story: str) -> None:
    """Held for the reason given, or not held at all."""
    mine = [(i.expected, j) for i, j in zip(ITEMS, JUDGED, strict=True) if i.expected.story == story]
    assert mine
    assert {e.reason for e, _ in mine} == {j.reason for _, j in mine}
    assert all((e.fate == "held") == (e.reason is not None) for e, _ in mine)


def test_an_item_that_goes_on_is_about_the_record_it_names() -> None:
    """Person, module and school year: none is left to chance."""
    for item, found in zip(ITEMS, JUDGED, strict=True):
        expected = item.expected
        if found.record is not None:
            assert found.record == (expected.sector_id, expected.module, expected.school_year), expected.story
        assert found.completion.event_id == expected.event_id
        assert found.completion.revision == expected.revision


def test_the_merge_rule_chooses_the_item_that_is_to_be_delivered() -> None:
    """One winner for each record, the others superseded, whatever the order of arrival."""
    rivals: dict[tuple[str, str, str], list[tuple[Candidate, Item]]] = defaultdict(list)
    for place, (item, found) in enumerate(zip(ITEMS, JUDGED, strict=True)):
        if found.record is None or item.expected.receipt == "duplicate":
            continue
        result = found.completion.result
        candidate = Candidate(
            delivery_id=place,
            vendor_id=("viettel", "vnpt").index(item.vendor),
            event_id=found.completion.event_id,
            revision=found.completion.revision,
            rank=rank(bool(result.passed), result.score_hundredths, found.completion.completed_at_ms),
        )
        rivals[found.record].append((candidate, item))
    assert max(map(len, rivals.values())) == 2
    for several in rivals.values():
        winner = choose(candidate for candidate, _ in several)
        for candidate, item in several:
            fate = "delivered" if candidate is winner else "superseded"
            assert item.expected.fate == fate, item.expected.story


def test_a_course_code_that_reads_as_a_module_is_mapped_to_that_module() -> None:
    """The table of courses and the reading of codes must not disagree."""
    hints = {
        (item.vendor, j.completion.course.course_id): j.completion.course.module_hint
        for item, j in zip(ITEMS, JUDGED, strict=True)
    }
    assert sum(hint is not None for hint in hints.values()) > 30
    assert {key: hint for key, hint in hints.items() if hint and MODULES[key] != hint} == {}


def test_every_mapped_course_stands_for_a_module_of_the_catalogue() -> None:
    """A made-up module would hold its results for ever."""
    for course in courses():
        module = find(course.module) if course.module else None
        assert (module is None) == (course.module == ""), course.course_code
        if module is not None:
            assert set(course.roles) <= set(module.audience) or course.module.startswith("GVMN")
            assert set(course.levels) <= set(module.levels), course.course_code
