"""Progress for others: a text without names for a unit's group, a table as departments print it, a list."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from gateway.bdtx.percent import percent, percent_text
from gateway.bdtx.workbook import Cell, WrittenBook
from gateway.model.clock import ICT
from gateway.model.reasons import OWNERS, Owner, explain, owner_of
from gateway.model.texts import Lang, Texts
from gateway.stages.cases.failures import Line as Failure
from gateway.stages.cases.sight import Sight
from gateway.stages.progress.counting import NO_CODE, Count
from gateway.stages.progress.tree import Progress, base_of

TEXTS = Texts.load(Path(__file__).parent / "texts")
UPWARDS = (Owner.UPPER_UNIT, Owner.MINISTRY)  # what neither learner nor school can mend
_CAUSES, _UNITS = 5, 10  # of a digest: as much as people read in a chat


def moment(at_ms: int) -> str:
    """As written in a message: 14:05 09/03/2026."""
    return datetime.fromtimestamp(at_ms / 1000, ICT).strftime("%H:%M %d/%m/%Y")


def name_of(progress: Progress, lang: Lang) -> str:
    return progress.unit.name if progress.unit else TEXTS.get("all_units", lang)


def digest(progress: Progress, lang: Lang) -> str:
    """Plain text to paste: figures, causes with what to do, units that have most to do. No person in it."""

    def number(n: int) -> str:
        return f"{n:,}".replace(",", "." if lang == "vi" else ",")

    def say(key: str, **fill: object) -> str:
        return TEXTS.get(f"digest.{key}", lang, **fill)

    total = progress.total
    share = percent_text(total.verified, progress.base, lang)
    lines = [
        say("title", unit=name_of(progress, lang), at=moment(progress.counted_at_ms)),
        say("people", n=number(total.people)),
        *([] if progress.expected is None else [say("expected", n=number(progress.expected))]),
        say("verified", n=number(total.verified), share=share),
    ]
    if total.to_do:
        lines += ["", say("to_do", n=number(total.to_do))]
    for code, n in list(total.held.items())[:_CAUSES]:
        reason, remedy = explain(code, lang)
        lines += [
            say("cause", n=number(n), reason=reason, owner=OWNERS[owner_of(code, many=n > 1)][lang]),
            f"  → {remedy}",
        ]
    busiest = sorted((one for one in progress.lines if one.count.to_do), key=lambda one: -one.count.to_do)
    if len(progress.lines) > 1 and busiest:
        lines += ["", say("units")]
        lines += [
            say(
                "unit",
                name=one.name or TEXTS.get("unknown_unit", lang),
                n=number(one.count.to_do),
                people=number(one.count.people),
                share=percent_text(one.count.verified, base_of(one.count, one.expected), lang),
            )
            for one in busiest[:_UNITS]
        ]
    return "\n".join([*lines, "", say("foot")]) + "\n"


def table(progress: Progress, lang: Lang) -> bytes:
    """The .xlsx: a line for each unit, their total over people counted once, and how the two agree."""
    causes = sorted({code for line in progress.lines for code in line.count.held if code != NO_CODE})
    names = (
        "unit",
        "code",
        "expected",
        "people",
        "verified",
        "percent",
        "credited",
        "waiting",
        "to_do",
        "no_code",
    )
    heads = [TEXTS.get(f"column.{name}", lang) for name in names]
    heads += [explain(code, lang)[0] for code in causes]

    def cells(name: str, code: str | None, count: Count, expected: int | None) -> list[Cell]:
        share = percent(count.verified, base_of(count, expected))
        figures: list[Cell] = [expected, count.people, count.verified, share]
        figures += [count.credited, count.waiting, count.to_do, count.no_code]
        return [name, code, *figures, *(count.held.get(cause, 0) for cause in causes)]

    rows = [
        cells(line.name or TEXTS.get("unknown_unit", lang), line.code, line.count, line.expected)
        for line in progress.lines
    ]
    rows.append(cells(TEXTS.get("total", lang), None, progress.total, progress.expected))
    above = [
        TEXTS.get("sheet.title", lang, unit=name_of(progress, lang), at=moment(progress.counted_at_ms)),
        TEXTS.get("sheet.denominator", lang),
        TEXTS.get("sheet.twice", lang, n=progress.twice),
    ]
    book = WrittenBook()
    with book:
        book.sheet(TEXTS.get("sheet.name", lang), heads, rows, above=above, wide=(0,))
    return book.content()


def list_upwards(failures: Iterable[Failure], sight: Sight, lang: Lang, at_ms: int) -> bytes:
    """The .xlsx of people for whom the level above has to act: as sent, numbers masked, with what is asked."""
    names = ("unit", "code", "full_name", "birth_date", "identifier", "vendor", "reason", "remedy")
    heads = [TEXTS.get(f"column.{name}", lang) for name in names]

    def cells(one: Failure) -> Sequence[Cell]:
        learner = one.learner
        born = learner.birth_date.strftime("%d/%m/%Y") if learner and learner.birth_date else ""
        reason, remedy = explain(one.reason, lang)
        return (
            sight.name(one.school_code) or TEXTS.get("unknown_unit", lang),
            one.school_code,
            learner.full_name if learner else "",
            born,
            learner.identifier if learner else "",
            one.vendor,
            reason,
            remedy,
        )

    book = WrittenBook()
    with book:
        title = TEXTS.get("sheet.upwards", lang, at=moment(at_ms))
        name = TEXTS.get("sheet.upwards_name", lang)
        book.sheet(name, heads, map(cells, failures), above=(title,), wide=(0, 6, 7))
    return book.content()
