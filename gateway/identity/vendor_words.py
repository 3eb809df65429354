"""What an LMS shows its learner about a verdict, in the words of that LMS. The table is data.

Source: the ministry's letter of 2022, annexes 1 and 2; vendor_words.toml beside this file.
"""

import tomllib
from pathlib import Path
from typing import Any, NamedTuple

from gateway.identity.vendor_view import VendorView
from gateway.model.reasons import explain, profile
from gateway.model.texts import Lang

_FILE: dict[str, Any] = tomllib.loads(Path(__file__).with_name("vendor_words.toml").read_text("utf-8"))
_AT_FAULT: frozenset[str] = frozenset(_FILE["code"]["at_fault"])
_DEFAULT = "viettel"


class Words(NamedTuple):
    """`status` and `message` are shown as they are; `remedy` is our next step, None when verified."""

    status: str
    message: str
    remedy: str | None


def words(connector: str, view: VendorView, lang: Lang) -> Words:
    """The words of the LMS whose connector this is; another LMS gets ours."""
    own: dict[str, str] = _FILE.get(connector, _FILE[_DEFAULT])
    if view.verified:
        return Words(own["status_verified"], own["verified"], None)
    assert view.reason is not None
    sentence, remedy = told(connector, view.reason, view, lang)
    if view.reason in _AT_FAULT and "code_at_fault" in own:
        return Words(own["status_not_verified"], own["code_at_fault"], remedy)
    return Words(own["status_not_verified"], f"{own['failed']} {sentence}", remedy)


def told(connector: str, code: str, view: VendorView, lang: Lang) -> tuple[str, str]:
    """What is wrong and the next step, for one code of the view."""
    detail = next((finding.detail for finding in view.findings if finding.code == code), {})
    return explain(code, lang, profile=profile(connector, lang), **detail)
