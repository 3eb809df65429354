"""Outcomes of a file -> the same rows with reason and remedy in words, and TEMIS import files of 300 people."""

import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from io import BytesIO
from pathlib import Path

from gateway.bdtx.workbook import Cell, Marked, WrittenBook
from gateway.model.clock import ICT
from gateway.model.reasons import explain
from gateway.model.roles import ELSEWHERE
from gateway.model.texts import Lang, Texts
from gateway.stages.file_check.judging import Outcome, RowResult
from gateway.stages.file_check.reading import PeopleFile

TEXTS = Texts.load(Path(__file__).parent / "texts")
IMPORT_ROWS = 300  # “tối đa 300 tài khoản cho 1 lần nhập”: the letter on TEMIS accounts
# The form's fields in its order; what nobody told us is left for the office to fill in.
_ACCOUNT = (
    *("full_name", "ethnic", "birth_date", "birth_place", "gender", "area", "hardship", "status"),
    *("unit_code", "unit_name"),
)


def told(result: RowResult, lang: Lang) -> tuple[str, str]:
    """Reason and remedy in words; both empty for a verified row without a warning."""
    if result.outcome is Outcome.ELSEWHERE:
        return ELSEWHERE[lang] + ".", TEXTS.get("elsewhere.remedy", lang)
    if result.outcome is Outcome.DUPLICATE:
        line = result.first_line
        return TEXTS.get("duplicate.reason", lang, line=line), TEXTS.get("duplicate.remedy", lang)
    said = [explain(code, lang, **detail) for code, detail in result.findings]
    return " ".join(reason for reason, _ in said), " ".join(dict.fromkeys(remedy for _, remedy in said))


def code_of(result: RowResult) -> str:
    """What the row is counted under: `verified`, the first holding reason, `elsewhere` or `duplicate`."""
    is_held = result.outcome is Outcome.HELD and result.findings
    return result.findings[0][0] if is_held else result.outcome.value


def counted(results: Iterable[RowResult]) -> Counter[str]:
    """Rows by `code_of`."""
    return Counter(code_of(result) for result in results)


def label(code: str, lang: Lang) -> str:
    """A code of `counted` in words."""
    return TEXTS.get(f"outcome.{code}", lang) if code in list(Outcome) else explain(code, lang)[0]


def write_result(file: PeopleFile, results: Sequence[RowResult], lang: Lang, at_ms: int) -> bytes:
    """The .xlsx that goes back: the person's columns, then what was found; a summary on a second sheet."""
    by_line = {result.line: result for result in results}
    names = ("outcome", "reason", "remedy", "owner")
    headings = [*file.headings, *(TEXTS.get(f"column.{name}", lang) for name in names)]

    def rows() -> Iterator[list[Cell]]:
        for row in file.rows:
            result = by_line[row.line]
            reason, remedy = told(result, lang)
            outcome = TEXTS.get(f"outcome.{result.outcome.value}", lang)
            is_fine = result.outcome is Outcome.VERIFIED
            yield [*row.cells, outcome if is_fine else Marked(outcome), reason, remedy, result.owner.get(lang)]

    at = datetime.fromtimestamp(at_ms / 1000, ICT).strftime("%d/%m/%Y %H:%M")
    book = WrittenBook()
    with book:
        width = len(file.headings)
        above = (TEXTS.get("above.result", lang, at=at),)
        book.sheet(TEXTS.get("sheet.result", lang), headings, rows(), above=above, wide=(width + 1, width + 2))
        summary: list[list[Cell]] = [[TEXTS.get("outcome.all", lang), len(results)]]
        summary += [[label(code, lang), n] for code, n in counted(results).most_common()]
        heads = [TEXTS.get(f"column.{name}", lang) for name in ("outcome", "count")]
        book.sheet(TEXTS.get("sheet.summary", lang), heads, summary, wide=(0,))
    return book.content()


def write_accounts(accounts: Sequence[Mapping[str, str]], lang: Lang) -> bytes | None:
    """A .zip of import files of at most 300 people each, by school; None when nobody lacks an account."""
    if not accounts:
        return None
    ordered = sorted(accounts, key=lambda one: (one["unit_code"], one["full_name"]))
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as files:
        for number, start in enumerate(range(0, len(ordered), IMPORT_ROWS), start=1):
            book = WrittenBook()
            with book:
                book.sheet(
                    TEXTS.get("sheet.accounts", lang),
                    [TEXTS.get(f"account.{name}", lang) for name in _ACCOUNT],
                    [
                        [_written(name, one) for name in _ACCOUNT]
                        for one in ordered[start : start + IMPORT_ROWS]
                    ],
                )
            files.writestr(f"temis-{number:03}.xlsx", book.content())
    return packed.getvalue()


def _written(name: str, account: Mapping[str, str]) -> str:
    value = account.get(name, "")
    return date.fromisoformat(value).strftime("%d/%m/%Y") if name == "birth_date" and value else value
