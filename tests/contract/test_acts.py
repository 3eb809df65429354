"""Acts of the matrix (gateway/model/roles.toml) against the code that asks whether somebody may do them."""

import re

import pytest

from gateway.model.roles import ACTS
from tests.generated import ROOT

# may(role, "act"), visit.may("act"), _allowed(gateway, login, "act"); may="act" of a page, MAY = "act".
_ASKED = re.compile(r'(?:\bmay|\b_allowed)\((?:[^()"]*, )?"([a-z_.]+)"\)|\b(?:may=|MAY = )"([a-z_.]+)"')


def asked_in(text: str) -> set[str]:
    return {one or other for one, other in _ASKED.findall(text)}


def test_every_act_is_asked_somewhere_and_nothing_else_is():
    """A tick that no code asks for promises what nobody can do, or forbids what everybody can."""
    files = [file for end in ("py", "html") for file in (ROOT / "gateway").rglob(f"*.{end}")]
    assert set().union(*(asked_in(file.read_text(encoding="utf-8")) for file in files)) == set(ACTS)


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ('if not may(viewer.role, "case.see"):', {"case.see"}),
        ('{% if visit.may("list.export") %}', {"list.export"}),
        ('Page(PATH, users, may="user.manage", nav=80)', {"user.manage"}),
        ('await append(tx, now, login, "result.search", about)', set()),
        ('t("case.recheck")', set()),
    ],
)
def test_an_entry_of_the_audit_or_a_text_is_no_question(text, asked):
    """The same words name what was done, which asks nobody."""
    assert asked_in(text) == asked
