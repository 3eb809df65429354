"""The catalogue of modules: spellings, families, the annex, versions by day."""

import tomllib
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.bdtx.catalogue_file import DATA, build
from gateway.bdtx.modules import catalogue, find, normalise
from gateway.model.errors import ConfigError


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("GVPT 03", "GVPT03"),
        ("GVPT03", "GVPT03"),
        ("gvpt-3", "GVPT03"),
        (" Gvpt_3 ", "GVPT03"),
        ("GVPT.03", "GVPT03"),
        ("GVPT003", "GVPT03"),
        ("GVMN 1", "GVMN01"),
        ("GVMN\u00a017", "GVMN17"),
        ("ＧＶＰＴ１５", "GVPT15"),
        ("GVPT\u200b15", "GVPT15"),
        ("qlpt18", "QLPT18"),
        ("etep 9", "ETEP09"),
        ("HL04", "HL04"),
        ("GVPT00", None),
        ("GVPT", None),
        ("GVPT 100", None),
        ("GVPT 3 4", None),
        ("03", None),
        ("", None),
        ("GVPT٣", None),
        ("GVPT" + "0" * 5_000 + "3", None),
    ],
)
def test_a_code_is_read_in_every_spelling_seen(written, canonical):
    """Vendors write one module in many ways; what is no code stays none."""
    assert normalise(written) == canonical


@given(st.text(max_size=12))
def test_reading_a_code_twice_changes_nothing(text):
    """The canonical form reads as itself, and odd text never crashes."""
    once = normalise(text)
    assert once is None or normalise(once) == once


def test_the_annex_gives_seventeen_items():
    """Nine rows, the first of nine modules; each item has its own code and its row's audience and levels."""
    items = [module for module in catalogue().all() if module.annex_row]
    assert len(items) == 17
    assert [module.annex_row for module in items].count(1) == 9
    by_code = {module.code: module for module in items}
    assert by_code["ETEP03"].title == "Mô đun cốt lõi 3 của Chương trình ETEP"
    assert by_code["HL05"].audience == ("GVCC", "CBQLCC")
    assert by_code["HL05"].levels == ("MN", "TH", "THCS", "THPT")
    assert by_code["HL08"].levels == ("TH",)
    assert by_code["GVMN17"].title == "Giáo dục bảo vệ môi trường cho trẻ em lứa tuổi mầm non"
    assert by_code["GVMN17"].audience == ("GV", "CBQL")
    assert by_code["GVMN17"].programme == "03"
    assert by_code["HL04"].programme is None


@pytest.mark.parametrize(("family", "last"), [("GVPT", 15), ("QLPT", 18), ("ETEP", 9)])
def test_a_closed_family_ends_where_its_source_says(family, last):
    """QLPT runs to 18, not 15; the number after the last is no module."""
    assert all(find(f"{family}{number:02d}") for number in range(1, last + 1))
    assert find(f"{family}{last + 1:02d}") is None


@pytest.mark.parametrize("family", ["GVMN", "QLMN"])
def test_an_open_family_takes_unlisted_numbers_as_unconfirmed(family):
    """Nobody knows how far the preschool families go: a real module must not be held for that, only marked."""
    module = find(f"{family} 42")
    assert module is not None
    assert (module.code, module.confirmed, module.levels) == (f"{family}42", False, ("MN",))
    assert module.code in module.title


def test_listed_numbers_of_an_open_family_are_confirmed():
    """GVMN 01 and 17 stand in the annex."""
    assert [find(code).confirmed for code in ("GVMN01", "GVMN17", "GVPT01")] == [True, True, True]


@pytest.mark.parametrize("code", ["ABC01", "HL10", "HL01", "GVPT16", "QLPT19", "không có"])
def test_an_unknown_code_is_no_module(code):
    """An unknown code holds the delivery for mapping; it is never taken for another."""
    assert find(code) is None


def test_every_module_is_complete_and_unique():
    """What TEMIS is told about a module never has holes that code would have to fill."""
    modules = catalogue().all()
    assert len({module.code for module in modules}) == len(modules) == 15 + 18 + 17
    for module in modules:
        assert module.title
        assert module.title == module.title.strip()
        assert "{" not in module.title
        assert module.audience
        assert set(module.levels) <= {"MN", "TH", "THCS", "THPT"}
        assert (module.pass_mark_hundredths, module.boundary) == (500, ">=")
        assert module.programme in ("01", "02", "03", None)
        assert module.periods in (40, None)


def data() -> dict:
    return tomllib.loads((DATA / "modules.toml").read_text("utf-8"))


ANNEX = {
    row: {"no": str(row), "levels": "Mầm non", "audience": "GV, CBQL", "title": "Tên"} for row in range(1, 10)
}


def test_a_change_holds_from_its_day():
    """A result of last year is checked against last year's pass mark."""
    change = {
        "code": "GVPT03",
        "effective_from": date(2027, 1, 1),
        "boundary": ">",
        "pass_mark_hundredths": 550,
    }
    changed = build(data() | {"change": [change]}, ANNEX)
    before, after = changed.find("GVPT 3", date(2026, 12, 31)), changed.find("GVPT 3", date(2027, 1, 1))
    assert (before.boundary, before.pass_mark_hundredths) == (">=", 500)
    assert (after.boundary, after.pass_mark_hundredths) == (">", 550)
    assert changed.find("GVPT 3") == after
    assert changed.find("GVPT 3", date(2018, 1, 1)) is None
    assert changed.find("GVPT 4", date(2027, 1, 1)).boundary == ">="


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"boundary": ">>"}, "GVPT03: boundary"),
        ({"pass_mark_hundredths": 5000}, "GVPT03: pass_mark_hundredths"),
        ({"audience": ("everybody",)}, "GVPT03: audience"),
    ],
)
def test_a_damaged_entry_is_named(change, said):
    """Whoever edits the data is told which entry is wrong."""
    with pytest.raises(ValueError, match=said):
        build(data() | {"change": [{"code": "GVPT03", "effective_from": date(2027, 1, 1)} | change]}, ANNEX)


def test_a_damaged_file_stops_the_start(tmp_path):
    """A catalogue that cannot be read is a configuration error, not an empty catalogue."""
    from gateway.bdtx.catalogue_file import read

    (tmp_path / "materials_annex01.csv").write_bytes((DATA / "materials_annex01.csv").read_bytes())
    (tmp_path / "modules.toml").write_text('version = "x"\n')
    with pytest.raises(ConfigError, match=r"modules\.toml"):
        read(tmp_path)
