"""The ladder of names and the hints below it."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.identity.names import Comparison, Fault, Hint, bare, compare, tone_placed


@pytest.mark.parametrize(
    ("old", "new"),
    [
        *(("h" + a + "a", "ho" + b) for a, b in zip("òóỏõọ", "àáảãạ", strict=True)),
        *(("h" + a + "e", "ho" + b) for a, b in zip("òóỏõọ", "èéẻẽẹ", strict=True)),
        *(("th" + a + "y", "thu" + b) for a, b in zip("ùúủũụ", "ỳýỷỹỵ", strict=True)),
    ],
)
def test_oa_oe_uy_in_open_syllables_have_two_places_for_the_tone(old, new):
    """Exactly these three pairs are written both ways, with all five tones."""
    assert tone_placed(old) == tone_placed(new) == new
    assert compare(old, new) == Comparison(2)


@pytest.mark.parametrize(
    "word", ["hoàn", "suýt", "huỳnh", "quý", "già", "hoài", "ngoèo", "thủa", "mía", "thúi", "của"]
)
def test_other_syllables_have_one_place(word):
    """Closed syllables, qu- and gi- are never rewritten."""
    assert tone_placed(word) == word


@pytest.mark.parametrize(
    ("sent", "on_file"),
    [("hòan", "hoàn"), ("qúy", "quý"), ("gìa", "già"), ("súyt", "suýt"), ("hùynh", "huỳnh")],
)
def test_a_tone_that_cannot_stand_there_is_a_spelling_fault(sent, on_file):
    """What only looks like the other placement is found one rung lower, where a birth date is needed."""
    assert compare(sent, on_file).rung == 3


def test_tone_placement_holds_for_every_word_of_a_name():
    """Each syllable is looked at by itself, before apostrophes and brackets too."""
    assert compare("Hòa Thủy Hòe", "Hoà Thuỷ Hoè").rung == 2
    assert compare("H'Hòa (Thúy)", "H'Hoà (Thuý)").rung == 2


@pytest.mark.parametrize(
    ("sent", "on_file"),
    [
        ("Mỹ", "Mĩ"),
        ("Quý", "Quí"),
        ("Lý", "Lí"),
        ("Kỳ", "Kì"),
        ("Sỹ", "Sĩ"),
        ("Hỷ", "Hỉ"),
        ("Vỹ", "Vĩ"),
        ("Tý", "Tí"),
    ],
)
def test_i_and_y_are_variants_where_both_are_written(sent, on_file):
    """After h, k, l, m, qu, s, t and v a final i or y sounds the same and is written either way."""
    assert compare(f"Trần {sent} An", f"Trần {on_file} An").rung == 4


@pytest.mark.parametrize(
    ("sent", "on_file"), [("Thi", "Thy"), ("Huy", "Hui"), ("Thúy", "Thúi"), ("Mai", "May")]
)
def test_i_and_y_are_different_elsewhere(sent, on_file):
    """Thi and Thy are two names; so are Huy and Hui."""
    assert compare(f"Trần {sent}", f"Trần {on_file}").rung == 5


@pytest.mark.parametrize(
    "name",
    [
        "H'Hen Niê",
        "H Ngôn Niê",
        "Y Jut Êban",
        "Rơ Châm H'Bơih",
        "Buôn Krông Tuyết Nhung",
        "Sùng",
        "Siu Černg",
        "Ñang",
        "Ƀing",
    ],
)
def test_names_of_all_peoples_are_names(name):
    """No name needs a family name, two words or Vietnamese letters; each equals itself in any case and form."""
    assert compare(name, name) == Comparison(1)
    assert compare(unicodedata.normalize("NFD", name.upper()), name) == Comparison(1)


@pytest.mark.parametrize(
    "sent", ["H’Hen Niê", "HʼHen Niê", "H'  Hen Niê", "H 'Hen Niê", "H Hen Niê", "HHen Niê", "H`Hen Niê"]
)
def test_apostrophes_are_written_in_many_ways(sent):
    """The sign, a stray space beside it, and its absence are variants of one name."""
    assert compare(sent, "H'Hen Niê").rung == 4


@pytest.mark.parametrize(
    ("sent", "hint"),
    [
        ("Hòa Nguyễn Thị", Hint.WORD_ORDER),
        ("Nguyễn Hòa", Hint.MIDDLE_MISSING),
        ("Nguyễn Thị Thu Hòa", Hint.MIDDLE_MISSING),
        ("Nguyễn Thị Hoan", Hint.ONE_LETTER),
        ("Nguyễm Thị Hòa", Hint.ONE_LETTER),
        ("Nguyễn Thị Hào", Hint.ONE_LETTER),  # two neighbours swapped
        ("Hòa", None),
        ("Trần Văn Hùng", None),
        ("Nguyễn Hoan", None),
    ],
)
def test_a_hint_helps_people_and_never_matches(sent, hint):
    """Order of words, a missing middle name and one slip are told, and the rung stays 5."""
    assert compare(sent, "Nguyễn Thị Hòa") == Comparison(5, hint)


@pytest.mark.parametrize(
    ("sent", "on_file", "fault"),
    [
        (None, "Nguyễn Thị Hòa", Fault.MISSING_SENT),
        ("\u200b ", "Nguyễn Thị Hòa", Fault.MISSING_SENT),
        ("Nguyễn Thị Hòa", " ", Fault.MISSING_ON_FILE),
        ("Nguy?n Th? Hòa", "Nguyễn Thị Hòa", Fault.DAMAGED_SENT),
        ("Nguy?n", "Nguy?n", Fault.DAMAGED_SENT),
        ("NguyÔn ThÞ Hßa", "Nguyễn Thị Hòa", Fault.DAMAGED_SENT),
    ],
)
def test_what_cannot_be_compared_has_no_rung(sent, on_file, fault):
    """A missing or damaged name is neither equal nor different, even when both sides are damaged alike."""
    assert compare(sent, on_file) == Comparison(None, fault=fault)


def test_a_damaged_file_is_not_the_vendors_fault():
    """When the file itself is damaged, the names differ and the school looks at it."""
    assert compare("Nguyễn Thị Hòa", "Nguy?n Th? Hòa").rung == 5
    assert compare("NguyÔn ThÞ Hßa", "NguyÔn ThÞ Hßa").rung == 1


def test_dau_bars_are_folded():
    """đ and ƀ have no decomposition, and Ð or Ɖ are typed for Đ: all fold to the plain letter."""
    assert bare("Đặng Ðức Ɖạt Ƀing") == "dang duc dat bing"


NAMES = st.lists(
    st.sampled_from(
        ["Nguyễn", "Đặng", "Hòa", "Hoà", "Thủy", "Thuý", "Quý", "Quí", "Mỹ", "H'Hen", "Y", "Êban", "Ấm", "Ñang"]
    ),
    min_size=1,
    max_size=4,
).map(" ".join)


@given(NAMES, NAMES)
def test_composition_case_and_spaces_never_change_the_rung(one, other):
    """NFC or NFD, capitals or not, one space or three: the first rung that matches stays the same."""
    expected = compare(one, other)
    for written in (
        unicodedata.normalize("NFD", one),
        unicodedata.normalize("NFC", one),
        one.upper(),
        one.lower(),
        one.replace(" ", "\u00a0  "),
        f" {one}\u200b\n",
        unicodedata.normalize("NFD", one.upper()).replace(" ", "\t"),
    ):
        assert compare(written, other) == expected
        assert compare(other, written).rung == expected.rung


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_two_texts_compare_and_the_rung_does_not_depend_on_the_side(one, other):
    """Whatever is sent is compared without raising; below damage and absence, the ladder is symmetric."""
    there, back = compare(one, other), compare(other, one)
    assert there.rung in {1, 2, 3, 4, 5, None}
    if there.rung is not None and back.rung is not None:
        assert there.rung == back.rung
