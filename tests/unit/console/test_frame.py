"""Words, figures, addresses and charts of the console, without a server."""

import ast
import re
from datetime import date
from pathlib import Path

import pytest

import gateway.console
from gateway.console import charts, formats
from gateway.console.assets import Assets
from gateway.console.navigation import pages
from gateway.console.page import Page
from gateway.console.rendering import environment
from gateway.console.ways import safe_next
from gateway.console.words import WORDS

HOME = Path(gateway.console.__file__).parent
NAMED = re.compile(r"""\bt\(\s*["']([a-z_]+\.[\w.]+)["']\s*[,)]""")
SAID = re.compile(r"""\.(?:saying|say)\(\s*["']([a-z_]+\.[\w.]+)["']""")


def named() -> set[str]:
    """Keys that templates and pages name in full."""
    files = [*HOME.glob("templates/**/*.html"), *HOME.glob("**/*.py")]
    texts = [file.read_text("utf-8") for file in files if file.name != "page.py"]
    return {key for text in texts for key in NAMED.findall(text) + SAID.findall(text)}


def test_every_text_that_is_named_is_written() -> None:
    """A reader never meets a key."""
    assert len(named()) > 50
    assert sorted(key for key in named() if not WORDS.has(key)) == []


@pytest.mark.parametrize("page", pages(), ids=lambda page: f"{type(page).__name__} {page.path}")
def test_every_page_has_a_title_a_template_and_a_place_in_the_menu(page: object) -> None:
    """What the frame takes from a page's folder of texts is there."""
    if isinstance(page, Page):
        assert environment().get_template(f"{page.name}.html")
        assert WORDS.has(f"{page.name}.title")
        assert page.nav is None or WORDS.has(f"{page.name}.nav")


@pytest.mark.parametrize("template", sorted(file.name for file in HOME.glob("templates/*.html")))
def test_templates_hold_no_style_script_or_words(template: str) -> None:
    """Words stand in the texts, colours in the style sheet; every form carries the session's token."""
    text = (HOME / "templates" / template).read_text("utf-8")
    assert environment().get_template(template)
    bare = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", "", text, flags=re.S)
    assert not re.search(r"\sstyle=|\son[a-z]+=|<style|<script(?! type=\"module\" src=)", bare)
    assert not re.search(r"[ăâđêôơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ]", bare)
    forms = re.findall(r"<form[^>]*method=\"post\".*?</form>", text, flags=re.S)
    assert [form[:80] for form in forms if "csrf()" not in form] == []


def test_no_address_asks_for_a_person() -> None:
    """No page reads a query parameter whose name says that it is personal: addresses end in logs."""
    personal = {"identifier", "name", "full_name", "birth_date", "citizen_id", "sector_id"}
    found = []
    for file in HOME.glob("pages/*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
                first = node.args[0]
                if node.func.attr in ("asked", "number") and isinstance(first, ast.Constant):
                    found += [f"{file.name}: {first.value}"] if first.value in personal else []
    assert found == []


@pytest.mark.parametrize(
    ("wanted", "goes"),
    [
        ("/console", "/console"),
        ("/console/cases?after=3", "/console/cases?after=3"),
        ("/consoles", "/console"),
        ("//evil.example/console", "/console"),
        ("/console//evil.example", "/console"),
        ("/console\\evil", "/console"),
        ("https://evil.example", "/console"),
        ("/console\r\nSet-Cookie: a=b", "/console"),
        ("", "/console"),
    ],
)
def test_where_one_is_sent_afterwards_lies_below_console(wanted: str, goes: str) -> None:
    """A link from elsewhere cannot use our sign-in to send people to another site."""
    assert safe_next(wanted) == goes


def test_figures_and_days_are_written_as_readers_write_them() -> None:
    """Vietnamese: a point for thousands, a comma for decimals, the day first; a dash where there is nothing."""
    assert [formats.number(4812, lang) for lang in ("vi", "en")] == ["4.812", "4,812"]
    assert [formats.percent(1, 3, lang) for lang in ("vi", "en")] == ["33,3 %", "33.3 %"]
    assert formats.percent(0, 0, "vi") == "–"
    assert [formats.day(date(2026, 3, 9), lang) for lang in ("vi", "en")] == ["09/03/2026", "9 Mar 2026"]
    assert formats.day(20260309, "vi") == formats.day("2026-03-09", "vi") == "09/03/2026"
    assert formats.moment(1_773_032_400_000, "vi") == "12:00 09/03/2026"
    assert formats.moment(None, "vi") == formats.day(None, "en") == "–"
    assert formats.span(7_200_000, "vi") == "2 giờ"


def test_bars_fill_their_width_and_lines_their_height() -> None:
    """Parts follow each other without gap or overlap; nothing divides by nothing."""
    bars = charts.shares([1, 2, 1])
    assert [tuple(bar) for bar in bars] == [(0, 25), (25, 50), (75, 25)]
    assert [bar.width for bar in charts.shares([0, 0])] == [0, 0]
    assert [charts.ceiling(values) for values in ([], [0], [7], [10], [11], [240], [999])] == [
        1, 1, 10, 10, 20, 250, 1000,
    ]  # fmt: skip
    assert charts.line([0, 5, 10], width=100, height=50, top=10) == "0.0,50.0 50.0,25.0 100.0,0.0"


def test_the_address_of_the_style_sheet_follows_its_content(tmp_path: Path) -> None:
    """A changed file has a new address; the same content the same one on every machine."""
    (tmp_path / "a.css").write_text("a{}", "utf-8")
    first = Assets(tmp_path).version
    assert Assets(tmp_path).version == first
    (tmp_path / "a.css").write_text("b{}", "utf-8")
    assert Assets(tmp_path).version != first
    with pytest.raises(KeyError):
        Assets(tmp_path).address("none.css")
