"""A delivery in words: what a reader is told of each kind of reason."""

import pytest

from gateway.cli.explained import Explained, explained
from gateway.cli.output import TEXTS, Invocation
from gateway.cli.told import detail as told
from gateway.model.states import State
from gateway.model.texts import Lang, Texts
from gateway.model.verdict import Finding
from gateway.queue.listing import Detail, LastVerdict, Line


def a_detail(
    state: State,
    reason: str | None,
    *,
    owner: str | None = None,
    findings: tuple[Finding, ...] = (),
    superseded_by: int | None = None,
    courses: tuple[str, ...] = (),
) -> Detail:
    line = Line(7, "viettel", "evt", 1, "completion", state, reason, owner, 0, 0, 0, None)
    verdict = LastVerdict(0, False, reason, None, 0, "p1", findings) if findings else None
    return Detail(line, False, superseded_by, None, verdict, (), {}, courses)


def words(found: Detail, lang: Lang = "en") -> Explained:
    return explained(Invocation({}, lang, Texts.load(TEXTS)), found)


def test_a_delivery_that_is_well_has_a_state_and_nothing_else() -> None:
    """Nobody has to do anything, so nothing is asked of anybody."""
    assert words(a_detail(State.DELIVERED, None)) == Explained("Recorded in TEMIS")


def test_a_hold_says_what_who_and_where_for_this_vendor() -> None:
    """The finding's own figures and the vendor's own menu fill the text."""
    finding = Finding.holds("format.length", n=8)
    found = words(a_detail(State.HELD, "format.length", owner="learner", findings=(finding,)))
    assert found.reason is not None and "8" in found.reason
    assert found.remedy is not None and "TEMIS › Thông tin Cơ bản" in found.remedy
    assert found.owner == "Learner"
    assert words(a_detail(State.HELD, "format.length", owner="learner"), "vi").owner == "Thầy/Cô"


def test_an_unmapped_course_is_named() -> None:
    """The operator maps exactly this one."""
    found = words(a_detail(State.HELD, "course.unmapped", owner="gateway", courses=("KHOA-1",)), "vi")
    assert found.reason is not None and "KHOA-1" in found.reason


@pytest.mark.parametrize("code", ["upstream.failing", "upstream.unanswered", "upstream.throttled"])
def test_an_outage_is_told_as_one_and_asks_nothing_of_anybody(code: str) -> None:
    """Whatever the call met, the row only waits; its owner is the gateway."""
    found = words(a_detail(State.VERIFIED, code))
    assert found == words(a_detail(State.VERIFIED, "upstream.waiting"))
    assert found.owner == "Gateway operator"


def test_what_was_replaced_names_what_took_its_place() -> None:
    """A vendor who asks where a result went is told."""
    assert "(delivery 9)" in str(words(a_detail(State.VOIDED, "superseded", superseded_by=9)).reason)
    assert "(kết quả số 9)" in str(words(a_detail(State.VOIDED, "replaced", superseded_by=9), "vi").reason)


def test_a_code_without_words_is_shown_as_it_is() -> None:
    """A code of tomorrow must not break the command of today."""
    assert words(a_detail(State.VERIFIED, "temis.something_new")).reason == "temis.something_new"


def test_a_part_of_an_identifier_is_withheld() -> None:
    """A masked identifier is for those in charge of the person, not for everybody at this terminal."""
    finding = Finding.holds("registry.near_miss", masked="31xxxxxx07")
    found = a_detail(State.HELD, "registry.near_miss", owner="school", findings=(finding,))
    assert "31xxxxxx07" not in str(words(found)) + str(told(found, words(found)))
