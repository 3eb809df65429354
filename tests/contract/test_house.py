"""The house plan holds: imports, names, dependencies and the frame around the code."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import gateway
from gateway.settings.load import known
from tests.generated import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
CONSTRAINTS = (ROOT / "constraints.txt").read_text("utf-8")
# Loaded by the name of a database address, not by an import of ours.
DRIVERS = {"aiosqlite", "asyncpg"}
SOURCES = sorted((ROOT / "gateway").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=;! ]", name)[0]).lower()


def imported(files: list[Path]) -> set[str]:
    """Distributions that these files import, ours and the standard library's left out."""
    modules = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                modules |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                modules.add(node.module.partition(".")[0])
    modules -= sys.stdlib_module_names | {"gateway", "tests", "bench"}
    names = packages_distributions()
    return {normal(names[module][0]) for module in modules}


def test_imports_only_point_down():
    """The layers of pyproject.toml hold; siblings meet in stages only."""
    run = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-logo"], cwd=ROOT, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout


def test_what_the_code_imports_is_declared_and_nothing_else():
    """An installation without the test extras has all it needs, and nothing it does not."""
    assert imported(SOURCES) | DRIVERS == {normal(name) for name in PROJECT["dependencies"]}


def test_what_the_tests_import_is_declared():
    """`make test` on a fresh machine finds every package."""
    declared = {normal(n) for n in [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["test"]]}
    assert imported(sorted((ROOT / "tests").rglob("*.py"))) <= declared


def test_every_dependency_is_pinned_exactly_and_names_no_place():
    """Two installations a year apart are the same one; the file works on every machine."""
    lines = [line for line in CONSTRAINTS.splitlines() if not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []
    pinned = {normal(line) for line in lines}
    assert {normal(n) for n in [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["test"]]} <= pinned


def test_no_file_is_a_drawer():
    """Code has a home that is named for what it does."""
    drawers = {"utils", "util", "helpers", "helper", "common", "misc", "shared", "base"}
    assert [file.relative_to(ROOT).as_posix() for file in SOURCES if file.stem in drawers] == []


@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.relative_to(ROOT / "tests").as_posix())
def test_every_test_states_its_rule(file):
    """Whoever breaks a rule reads in one sentence which one it was."""
    functions = [
        node
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    ]
    assert [node.name for node in functions if not ast.get_docstring(node)] == []


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_every_module_says_what_it_does_and_every_exception_why(file):
    """A module opens with its purpose; what a checker is told to overlook carries a reason."""
    text = file.read_text("utf-8")
    assert ast.get_docstring(ast.parse(text))
    exceptions = re.findall(r"# (?:noqa|type: ignore)[^\n]*", text)
    assert [one for one in exceptions if not re.search(r"[\w\]] (?:-|#) \w", one)] == []


def test_the_version_is_the_same_everywhere():
    """The image and the change log speak of the release that the program names."""
    assert f"lms-temis-gateway:{gateway.__version__}\n" in (ROOT / "deploy" / "compose.yaml").read_text("utf-8")
    assert f"## [{gateway.__version__}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_every_setting_is_read_by_something() -> None:
    """A setting that nothing reads is a promise that nobody keeps."""
    settings = ROOT / "gateway" / "settings"
    texts = [file.read_text("utf-8") for file in SOURCES if settings not in file.parents]
    texts.append((settings / "model.py").read_text("utf-8").partition("@property")[2])
    unread = [
        name
        for name, setting in known().items()
        if not any(re.search(rf"\.{setting.path[-1]}\b", text) for text in texts)
    ]
    assert unread == []
