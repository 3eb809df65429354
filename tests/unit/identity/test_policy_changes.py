"""Which holds a change of the policy file concerns."""

import pytest

from gateway.identity.policy import CODES, DEFAULT, parse
from gateway.identity.policy_changes import codes_concerned, tables_of

TEXT = DEFAULT.read_text("utf-8")
POLICY = parse(TEXT)


def _concerned(old: str, new: str) -> frozenset[str]:
    assert old in TEXT
    return codes_concerned(tables_of(POLICY), parse(TEXT.replace(old, new)))


def test_the_same_file_concerns_nobody():
    """A restart, or a comment in the file, wakes nothing."""
    assert codes_concerned(tables_of(POLICY), parse(TEXT + "\n# said otherwise\n")) == frozenset()


def test_tables_of_another_make_concern_every_code():
    """What an older release kept cannot be compared: all that a policy holds is judged anew."""
    assert codes_concerned({"effects": {}}, POLICY) == CODES


@pytest.mark.parametrize(
    ("old", "new", "codes"),
    [
        ('"registry.inactive" = "holds"', '"registry.inactive" = "warns"', {"registry.inactive"}),
        (
            '"Đã biệt phái" = "unclear"',
            '"Đã biệt phái" = "working"',
            {"registry.inactive", "registry.status_unclear"},
        ),
        (
            "alone = [1, 2]",
            "alone = [1, 2, 3]",
            {"attribute.name_mismatch", "attribute.name_variant", "registry.ambiguous"},
        ),
        (
            'nine = "equal"',
            'nine = "not_different"',
            {"attribute.birth_date_mismatch", "attribute.birth_date_swapped", "attribute.birth_date_missing"},
        ),
        (
            '"attribute.birth_date_swapped" = "holds"',
            '"attribute.birth_date_swapped" = "warns"',
            {"attribute.birth_date_swapped", "attribute.name_variant"},
        ),
    ],
)
def test_each_table_concerns_the_codes_it_decides(old, new, codes):
    """Exactly these are judged again; a hundred thousand others stay where they are."""
    assert _concerned(old, new) == codes
