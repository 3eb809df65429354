"""gateway/sandbox/roster.py: the people of a CSV file."""

import pytest

from gateway.model.errors import ConfigError
from gateway.sandbox.roster import COLUMNS, changed, read_roster, write_roster
from tests.records import a_person

HEAD = ",".join(COLUMNS)


@pytest.fixture
def file(tmp_path):
    def write(text, encoding="utf-8"):
        path = tmp_path / "roster.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return write


def test_what_is_written_is_read_again(tmp_path):
    """Codes stay text with their zeros, names keep their letters, commas and quotes included."""
    people = [a_person(sector_id="0100000001", full_name='Lê "Bé", Út'), a_person(citizen_id="001185001234")]
    write_roster(tmp_path / "r.csv", people)
    assert read_roster(tmp_path / "r.csv") == people


def test_a_byte_order_mark_and_another_column_order_do_not_matter(file):
    """Spreadsheets write both."""
    columns = list(reversed(COLUMNS))
    person = a_person()
    text = ",".join(columns) + "\r\n" + ",".join(getattr(person, c) for c in columns) + "\r\n"
    assert read_roster(file(text, "utf-8-sig")) == [person]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "expected the columns"),
        ("sector_id,full_name\n1,A\n", "expected the columns"),
        (HEAD + ",phone\n", "expected the columns"),
        (HEAD + "\n1,A,1985-02-03\n", "line 2: not 10 columns"),
        (HEAD + "\n1,A" + "," * 20 + "\n", "line 2: not 10 columns"),
        (HEAD + "\n1,,,,,,,,,\n", "line 2: full_name is empty"),
        (HEAD + "\n,A,,,,,,,,\n", "line 2: sector_id is empty"),
        (HEAD + "\n1,A,03/02/1985,,,,,,,\n", "line 2: birth_date is not a date"),
        (HEAD + "\n1,A,,,,,,,,\n1,A,,,,,,,,2020\n", "line 3: status_since is not a date"),
    ],
)
def test_a_wrong_roster_is_told_by_line_and_column(file, text, told):
    """Whoever prepared the file learns where it is wrong; no value is quoted."""
    with pytest.raises(ConfigError, match=told) as caught:
        read_roster(file(text))
    assert "1985" not in str(caught.value)


def test_a_file_in_another_encoding_is_refused(file):
    """A lossy reading would give people other names."""
    text = HEAD + "\n1,Hòa,,,,,,,,\n"
    with pytest.raises(ConfigError, match="UTF-8"):
        read_roster(file(text, "cp1252"))


def test_a_missing_file_is_a_configuration_error(tmp_path):
    """Like any other wrong path in the settings."""
    with pytest.raises(ConfigError, match=r"nobody\.csv"):
        read_roster(tmp_path / "nobody.csv")


def test_a_change_touches_its_columns_only():
    """The rest of the file stays as it was; an unknown column is refused."""
    person = a_person()
    assert changed(person, {"gender": "Nam"}) == a_person(sector_id=person.sector_id, gender="Nam")
    with pytest.raises(ValueError, match="shoe_size"):
        changed(person, {"shoe_size": "38"})
