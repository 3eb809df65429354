"""Texts as data: both languages say the same things, and nothing crashes for want of a word."""

from pathlib import Path

import pytest

import gateway
from gateway.model.texts import Texts, language

FOLDERS = sorted(path.parent for path in Path(gateway.__file__).parent.rglob("vi.toml"))


@pytest.fixture
def texts(tmp_path: Path) -> Texts:
    (tmp_path / "vi.toml").write_text('[a]\nb = "có {n} dòng"\nonly = "chỉ tiếng Việt"\n', "utf-8")
    (tmp_path / "en.toml").write_text('[a]\nb = "{n} lines"\nbare = "x}"\n[a.c]\n"d.e" = "deep"\n', "utf-8")
    return Texts.load(tmp_path)


def test_some_folder_holds_texts() -> None:
    """The tests below say nothing when discovery of the folders breaks."""
    assert any(folder.parent.name == "cli" for folder in FOLDERS)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.parent.name)
def test_both_languages_have_the_same_keys_and_placeholders(folder: Path) -> None:
    """A text that only one reader gets, or a value only one is told, is a defect."""
    texts = Texts.load(folder)
    assert texts.keys("vi") == texts.keys("en")
    for key in texts.keys("vi"):
        assert texts.placeholders(key, "vi") == texts.placeholders(key, "en"), key
        assert texts.get(key, "vi").strip(), key
        assert texts.get(key, "en").strip(), key


def test_a_text_is_found_by_its_dotted_key_and_filled(texts: Texts) -> None:
    """Tables nest by dots, and a quoted name may hold dots itself."""
    assert texts.get("a.b", "vi", n=3) == "có 3 dòng"
    assert texts.get("a.c.d.e", "en") == "deep"


def test_the_other_language_stands_in_and_the_key_comes_last(texts: Texts) -> None:
    """A reader gets a sentence in the wrong language rather than a key."""
    assert texts.get("a.only", "en") == "chỉ tiếng Việt"
    assert texts.get("a.none", "en") == "a.none"
    assert texts.has("a.only")
    assert not texts.has("a.none")


def test_a_missing_filler_leaves_its_placeholder(texts: Texts) -> None:
    """Reporting an error must not raise another one."""
    assert texts.get("a.b", "en") == "{n} lines"


def test_a_text_with_a_stray_brace_is_caught_by_the_key_test(texts: Texts) -> None:
    """A brace that no placeholder explains shows when the placeholders are compared."""
    with pytest.raises(ValueError, match="Single '}'"):
        texts.placeholders("a.bare", "en")


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({}, "vi"),
        ({"LANG": "vi_VN.UTF-8"}, "vi"),
        ({"LANG": "en_US.UTF-8"}, "en"),
        ({"LANG": "EN"}, "en"),
        ({"LANG": "C.UTF-8"}, "vi"),
        ({"LANG": "fr_FR.UTF-8"}, "vi"),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "vi_VN.UTF-8"}, "vi"),
        ({"LANG": "vi_VN.UTF-8", "LC_MESSAGES": "en_GB.UTF-8"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_ALL": ""}, "en"),
    ],
)
def test_the_language_is_vietnamese_unless_english_is_asked_for(env: dict[str, str], expected: str) -> None:
    """POSIX order of the variables; an unset locale is no wish for English."""
    assert language(env) == expected
