"""The rule of names."""

from datetime import date

import pytest

from gateway.identity import policy
from gateway.identity.policy import DEFAULT
from gateway.identity.rules.name import RULE
from gateway.model.verdict import Effect
from tests.unit.identity.cases import POLICY, a_claim, a_file, a_pair

OTHER_DAY = date(1985, 3, 13)


def _said(name, policy=POLICY, **claim):
    [finding] = RULE(a_pair(a_claim(full_name=name, **claim)), policy)
    return finding.code, finding.effect


@pytest.mark.parametrize("name", ["NGUYỄN THỊ HÒA", "Nguyễn Thị Hoà"])
@pytest.mark.parametrize("born", [None, OTHER_DAY])
def test_rungs_one_and_two_pass_alone(name, born):
    """Case and tone placement need no birth date; what the date says is the date's own rule."""
    assert _said(name, birth_date=born) == ("attribute.name", Effect.SUPPORTS)


def test_rung_three_needs_an_equal_birth_date():
    """Without marks two names of different people are one, so only an equal birth date lets it pass."""
    assert _said("Nguyen Thi Hoa") == ("attribute.name_variant", Effect.WARNS)
    assert _said("Nguyen Thi Hoa", birth_date=None) == ("attribute.name_variant", Effect.HOLDS)


def test_a_contradicting_birth_date_is_the_reason_given():
    """When the date itself holds, the variant only stands beside it: correcting the name would not help."""
    assert _said("Nguyen Thi Hoa", birth_date=OTHER_DAY) == ("attribute.name_variant", Effect.WARNS)


def test_a_variant_holds_itself_where_the_policy_lets_another_birth_date_pass():
    """A lenient policy about dates must not let a variant name through without an equal one."""
    text = DEFAULT.read_text("utf-8")
    lenient = policy.parse(text.replace('birth_date_mismatch" = "holds"', 'birth_date_mismatch" = "warns"'))
    assert _said("Nguyen Thi Hoa", lenient, birth_date=OTHER_DAY) == ("attribute.name_variant", Effect.HOLDS)


def test_rung_five_holds_with_its_hint():
    """A different name holds whatever else agrees; the hint is for people."""
    [finding] = RULE(a_pair(a_claim(full_name="Hòa Nguyễn Thị")), POLICY)
    assert (finding.code, finding.effect) == ("attribute.name_mismatch", Effect.HOLDS)
    assert finding.detail == {"hint": "word_order"}


def test_a_missing_or_damaged_name_holds_and_says_on_which_side():
    """The owner of the fault follows from the side: the learner, the vendor or the school."""
    [missing] = RULE(a_pair(a_claim(full_name=None)), POLICY)
    [damaged] = RULE(a_pair(a_claim(full_name="Nguy?n")), POLICY)
    [on_file] = RULE(a_pair(None, a_file(full_name="")), POLICY)
    assert (missing.code, missing.detail) == ("attribute.name_mismatch", {"side": "sent"})
    assert (damaged.code, damaged.detail) == ("attribute.name_damaged", {"side": "sent"})
    assert (on_file.code, on_file.detail) == ("attribute.name_mismatch", {"side": "on_file"})
    assert {missing.effect, damaged.effect, on_file.effect} == {Effect.HOLDS}
