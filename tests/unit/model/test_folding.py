"""gateway/model/folding.py: what may be kept in clear of a destination's answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.folding import LONGEST, fold
from gateway.sandbox.faults import GARBAGE


@pytest.mark.parametrize(
    ("answer", "folded"),
    [
        (b"", ""),
        (GARBAGE, "He thong dang bao tri"),
        ("<title>Hệ thống đang bảo trì đến 22:30</title>".encode(), "Hệ thống đang bảo trì đến #:#"),
        (b"<html><title>502 Bad Gateway</title>", "# Bad Gateway"),
        (b'{"title":"a fault was asked for","status":503,"detail":"of Tran Van Nam"}', "a fault was asked for"),
        ('{"code":"E1042","message":"Không tìm thấy Nguyễn Thị Hòa"}'.encode(), "E1042"),
        (b'{"code":"3100000001","error":"invalid_client"}', "invalid_client"),
        (b'{"title":"cut', ""),
        (b"Internal Server Error", "Internal Server Error"),
        (b"SERVICE UNAVAILABLE", "SERVICE UNAVAILABLE"),
        (b"ORA-00001: unique constraint (TEMIS.PK_1) violated", "ORA-#: unique constraint (TEMIS.#) violated"),
        (b"upstream 10.1.2.3:8080 timed out after 31 s", "upstream #.#.#.#:# timed out after # s"),
        (b"<b>no headline</b>", ""),
        (b"\xff\xfe\x00 boom", "boom"),
    ],
)
def test_what_is_kept(answer, folded):
    """Codes, titles and the server's own words stay; figures are folded, so that a thousand answers are one."""
    assert fold(answer) == folded


@pytest.mark.parametrize(
    "person",
    [
        "Nguyễn Thị Hòa",
        "Tran Van Nam",
        "nguyễn thị hòa",
        "3100000001",
        "hoa@truong.edu.vn",
        '"hoa"',
        "12/03/1985",
    ],
)
def test_a_person_is_never_kept(person):
    """An answer may quote what it was sent; the folded text stands in clear in tables, lists and alerts."""
    assert person not in fold(f"cannot store {person} now".encode())
    assert person not in fold(f'{{"title":"x","detail":"{person}"}}'.encode())


@given(st.binary(max_size=300))
def test_any_bytes_fold_to_a_short_line(answer):
    """Whatever a destination sends: one line, not too long, and no run of figures."""
    folded = fold(answer)
    assert len(folded) <= LONGEST
    assert "\n" not in folded
    assert not any(c.isascii() and c.isdigit() for c in folded if answer[:1] != b"{")
