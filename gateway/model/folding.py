"""What a destination said, without what varies and without what might be a person's: for grouping by cause.

An answer may quote anything of what it was sent. So only its title or first line is looked at, and of that all
figures, quotations, addresses and names are folded away before it is kept in clear.
"""

import html
import json
import re
from http import HTTPStatus

LONGEST = 160
_LOOKED_AT = 4_096

# Of a JSON object the members that say what kind of trouble it was. `message` and `detail` are free text, which
# may be about a person.
_CODES = ("code", "error")
_CODE = re.compile(r"(?!.*\d{6})[A-Za-z][\w.:-]{0,48}")
_PHRASES = frozenset(status.phrase for status in HTTPStatus)
_HEADLINE = re.compile(r"<(title|h1)\b[^>]*>(.*?)(?:</\1>|$)", re.S | re.I)
_TAG = re.compile(r"<[^>]*>")
_HIDDEN = (
    re.compile(r"\S+@\S+"),
    re.compile(r"\b[a-z]+://\S+", re.I),
    re.compile(r'"[^"]*"|\'[^\']*\'|“[^”]*”|«[^»]*»'),
)
_TOKEN = re.compile(r"\b(?=\w*\d)[\w-]+|\d+")
_ACCENTED = re.compile(r"\w*[^\W\x00-\x7f]\w*")
_NAME = re.compile(r"\b[^\W\d_a-z]\w*(?:\s+[^\W\d_]\w*)*")


def fold(answer: bytes) -> str:
    """At most 160 characters that two answers of one cause have in common; empty for an empty answer."""
    text = answer[:_LOOKED_AT].decode("utf-8", "replace").strip()
    text = text.replace("\ufffd", "").replace("\x00", "").lstrip()
    if text.startswith("{"):
        told = _of_json(text)
    elif found := _HEADLINE.search(text):
        told = _folded(html.unescape(_TAG.sub(" ", found[2])))
    else:
        # A line of plain text is nobody's headline: words that may be Vietnamese names go as well.
        told = _folded(_ACCENTED.sub("…", text.splitlines()[0])) if text[:1] not in ("", "<") else ""
    return " ".join(told.split())[:LONGEST].rstrip()


def _folded(told: str) -> str:
    for pattern in _HIDDEN:
        told = pattern.sub("…", told)
    return _NAME.sub(_without_names, _TOKEN.sub("#", told))


def _without_names(run: re.Match[str]) -> str:
    """A capital begins a sentence; several in a row, as in a person's name, do not."""
    words = run[0].split()
    capitals = sum(word[0].isupper() for word in words)
    is_known = run[0] in _PHRASES or all(word.isupper() and word.isascii() for word in words)
    return run[0] if capitals < 2 or is_known else "…"


def _of_json(text: str) -> str:
    try:
        value = json.loads(text)
    except ValueError:
        return ""  # cut off in the middle: which part is a title cannot be told
    codes = [one for name in _CODES if isinstance(one := value.get(name), str) and _CODE.fullmatch(one)]
    title = value.get("title")
    return " · ".join([*codes, _folded(title)] if isinstance(title, str) else codes)
