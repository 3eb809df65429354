"""docs/regressions.md names a test for each bug; each test is there, and the rest is read in the source."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMED = sorted(set(re.findall(r"`(tests/[\w/.]+)::(\w+)`", (ROOT / "docs/regressions.md").read_text("utf-8"))))
KEPT_FOR_GOOD = ("deliveries", "intake", "records")


def test_each_bug_has_a_test():
    """A line of a table without a test is a promise without a guard."""
    lines = (ROOT / "docs/regressions.md").read_text("utf-8").splitlines()
    bugs = [line for line in lines if line.startswith("| ") and not line.startswith("| Bug")]
    assert len(bugs) >= 15
    assert all(re.search(r"`tests/[\w/.]+::test_\w+` \|$", line) for line in bugs)


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_a_test_that_is_named_exists(file, name):
    """A renamed test must be renamed in the page."""
    assert re.search(rf"^(async )?def {name}\(", (ROOT / file).read_text("utf-8"), re.MULTILINE)


def test_nothing_deletes_deliveries_or_what_proves_them():
    """Unfinished work cannot be purged by a statement that does not exist."""
    wanted = re.compile(rf"(DELETE\s+FROM|TRUNCATE(\s+TABLE)?)\s+({'|'.join(KEPT_FOR_GOOD)})\b", re.IGNORECASE)
    built = re.compile(rf"delete\((tables\.)?({'|'.join(KEPT_FOR_GOOD)})\b")
    sources = [file for file in (ROOT / "gateway").rglob("*.py") if "migrations" not in file.parts]
    assert len(sources) > 100
    found = [file.name for file in sources for rule in (wanted, built) if rule.search(file.read_text("utf-8"))]
    assert not found
