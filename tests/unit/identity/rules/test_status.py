"""The rule of the status at the completion date."""

from datetime import date

import pytest

from gateway.identity.rules.status import RULE
from gateway.model.verdict import Effect
from tests.unit.identity.cases import DONE, POLICY, a_file, a_pair

BEFORE, AFTER = date(2026, 3, 9), date(2026, 3, 11)


@pytest.mark.parametrize(
    ("status", "since", "code", "effect"),
    [
        ("Đang làm việc", BEFORE, "attribute.status", Effect.SUPPORTS),
        ("Đang làm việc", AFTER, "attribute.status", Effect.SUPPORTS),
        ("Chuyển đến", AFTER, "attribute.status", Effect.SUPPORTS),
        ("Đã nghỉ hưu", BEFORE, "registry.inactive", Effect.HOLDS),
        ("Đã nghỉ hưu", DONE, "registry.inactive", Effect.HOLDS),
        ("Đã nghỉ hưu", AFTER, "attribute.status", Effect.NEUTRAL),
        ("Đã nghỉ hưu", None, "registry.inactive", Effect.HOLDS),
        ("Đã biệt phái", BEFORE, "registry.status_unclear", Effect.HOLDS),
        ("Đã biệt phái", AFTER, "attribute.status", Effect.NEUTRAL),
        ("Đã chuyển đi", BEFORE, "registry.inactive", Effect.HOLDS),
        ("Nghỉ không lương", BEFORE, "registry.status_unclear", Effect.HOLDS),
    ],
)
def test_the_status_counts_at_the_completion_date(status, since, code, effect):
    """Not today's status decides but that of the day; one that began later says nothing of it."""
    [finding] = RULE(a_pair(None, a_file(status=status, status_since=since)), POLICY)
    assert (finding.code, finding.effect) == (code, effect)


def test_the_finding_names_the_day_and_not_the_status():
    """The day is the vendor's own; the status is the registry's and stays out of findings."""
    [finding] = RULE(a_pair(None, a_file(status="Thôi việc", status_since=BEFORE)), POLICY)
    assert finding.detail == {"date": "2026-03-10"}
