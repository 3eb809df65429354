"""Recognising damaged names."""

import pytest

from gateway.identity.damage import is_damaged, is_lossy

SOUND = """
Nguyễn Văn Hưng;NGUYỄN THỊ ÁNH;Lê Thị Thuỳ;Trần Oánh;Phạm Khoa Đăng;Bùi Huệ;Lê Uyên;Nguyễn Tuân
Quách Quỳnh;Võ Uỷ;Đào Thị Nguyệt Ảnh;Loan Uyển;Nguyễn Quốc Hoà;Lò Văn Ún;Hoàng Thuý Oanh
Khuất Quang Huấn;Ngoẻo;Chu Thị Xuyến;Y Jut Êban;H'Hen Niê;H’Hen Niê;HʼHen Niê;H´Hen Niê
Rơ Châm H'Bơih;Siu Černg;Ñang;Ƀing;Amĭ Lan;Ka Să K'Điệp;Ksor H’Nhuê;Vừ Mí Sò;Giàng A Páo
ĐĂNG;ĐÀO THỊ Ý;TRẦN ĐỨC LƯƠNG;ĐÔN ĐƯƠNG;ƯƠNG;HỒ ĐẮC ÂU;Ê ĐÊ
Thạch Sô Phi;Kim Thị Sà Rinh;Bế Văn Ỷ;nguyễn thị hòa;Hồ Thị Y;Đinh Y-Rô
"""


@pytest.mark.parametrize("name", [name for line in SOUND.strip().splitlines() for name in line.split(";")])
def test_real_names_are_not_called_damaged(name):
    """Names of the Kinh, Ê Đê, Gia Rai, H'Mông, Khmer and others have none of the signs."""
    assert not is_damaged(name)


@pytest.mark.parametrize(
    "name",
    [
        "NguyÔn ThÞ Hßa",  # TCVN3
        "§Æng Quý Thóy",
        "TrÇn V¨n Dòng",
        "Lª ThÞ Hång",
        "Nguyeãn Thò Hoøa",  # VNI
        "Ñaëng Quyù Thuùy",
        "Traàn Vaên Duõng",
        "NGUYEÃN VAÊN AN",
        "Nguyá»…n Thá»‹",  # UTF-8 as Windows-1252
        "Äáº·ng",
        "Nguy?n",
        "Nguy\ufffdn",
    ],
)
def test_old_encodings_are_recognised(name):
    """TCVN3, VNI, misread UTF-8 and lost letters are seen for what they are."""
    assert is_damaged(name)


def test_only_question_marks_and_replacement_characters_are_lost_for_good():
    """A name with letters gone must not match even an equally damaged one."""
    assert is_lossy("Nguy?n")
    assert is_lossy("Nguy\ufffdn")
    assert not is_lossy("NguyÔn")
