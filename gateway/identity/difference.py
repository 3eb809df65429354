"""Two texts side by side -> which characters differ, for whoever compares the sent with the filed."""

import unicodedata
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

_LONGEST = 200  # a name that is longer is damaged, and marked whole


@dataclass(frozen=True, slots=True)
class Part:
    """A run of characters that differ from the other side, or do not."""

    text: str
    differs: bool


Parts = tuple[Part, ...]


def differences(sent: str | None, on_file: str | None) -> tuple[Parts, Parts]:
    """Both texts in parts. A missing side leaves the other unmarked: silence is no difference.

    Case and spaces count as no difference; a letter with another mark does.
    """
    ours, theirs = _clean(sent), _clean(on_file)
    if not ours or not theirs or ours.casefold() == theirs.casefold():
        return _whole(ours, differs=False), _whole(theirs, differs=False)
    if max(len(ours), len(theirs)) > _LONGEST:
        return _whole(ours, differs=True), _whole(theirs, differs=True)
    left: list[Part] = []
    right: list[Part] = []
    # Of equal length, or character by character would lie: some letters fold to two.
    folded = [text.lower() if len(text.lower()) == len(text) else text for text in (ours, theirs)]
    for op in Levenshtein.opcodes(folded[0], folded[1]):
        _add(left, ours[op.src_start : op.src_end], differs=op.tag != "equal")
        _add(right, theirs[op.dest_start : op.dest_end], differs=op.tag != "equal")
    return tuple(left), tuple(right)


def _clean(text: str | None) -> str:
    return " ".join(unicodedata.normalize("NFC", text or "").split())


def _whole(text: str, *, differs: bool) -> Parts:
    return (Part(text, differs),) if text else ()


def _add(parts: list[Part], text: str, *, differs: bool) -> None:
    if not text:
        return
    if parts and parts[-1].differs == differs:
        parts[-1] = Part(parts[-1].text + text, differs)
    else:
        parts.append(Part(text, differs))
