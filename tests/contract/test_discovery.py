"""A folder is a registry: members are found, and a broken one stops the start-up."""

import sys

import pytest

from gateway.model.discovery import discover
from gateway.model.errors import ConfigError


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package on disk that a test fills; forgotten afterwards."""
    home = tmp_path / "members_of_a_test"
    home.mkdir()
    (home / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    yield home
    for name in [name for name in sys.modules if name.startswith(home.name)]:
        del sys.modules[name]


def test_modules_that_define_the_attribute_are_members(package):
    """In the order of their names; modules beside them are no members."""
    (package / "b.py").write_text("MEMBER = 2")
    (package / "a.py").write_text("MEMBER = 1")
    (package / "shared.py").write_text("OTHER = 3")
    assert list(discover(package.name, "MEMBER").items()) == [("a", 1), ("b", 2)]


@pytest.mark.parametrize("content", ["import no_such_module", "1 / 0", "def"])
def test_a_member_that_cannot_be_imported_stops_the_start(package, content):
    """A member never vanishes silently: the error names the file and the cause."""
    (package / "broken.py").write_text(content)
    with pytest.raises(ConfigError, match=r"members_of_a_test\.broken cannot be imported: \w+Error"):
        discover(package.name, "MEMBER")


def test_a_package_that_is_not_there_is_a_config_error():
    """Told as what it is."""
    with pytest.raises(ConfigError, match="no_such_package"):
        discover("no_such_package", "MEMBER")
