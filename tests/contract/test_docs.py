"""The documents say what the code says, and every link and name in them leads somewhere."""

import ast
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from gateway.cli import commands_page
from gateway.model import errors, reasons_page, roles_page, states_page
from gateway.model.errors import GatewayError
from gateway.model.reasons import REASONS
from gateway.model.states import MOVES, State
from gateway.observe.metrics import Metrics
from gateway.settings import document as settings_page
from gateway.settings import load
from gateway.settings.load import known
from tests.generated import ROOT, check

DOCS = ROOT / "docs"
README = ROOT / "README.md"
PAGES = sorted(
    page
    for pattern in ("*.md", "docs/**/*.md", "contracts/**/*.md", "deploy/**/*.md", "bench/**/*.md")
    for page in ROOT.glob(pattern)
)
INSTALLATION = [ROOT / "Dockerfile", ROOT / ".env.example", *(ROOT / "deploy").rglob("*.*")]

GENERATED: dict[str, Callable[[], str]] = {
    "docs/commands.md": commands_page.document,
    "docs/reasons.md": reasons_page.document,
    "docs/roles.md": roles_page.document,
    "docs/settings.md": settings_page.document,
    "docs/states.md": states_page.document,
}
PUBLIC_NAMES: dict[str, Callable[[], Iterable[str]]] = {
    "docs/commands.md": commands_page.names,
    "docs/metrics.md": lambda: [row.name for row in Metrics().rows],
    "docs/reasons.md": lambda: REASONS,
    "docs/roles.md": roles_page.names,
    "docs/settings.md": known,
    "docs/states.md": lambda: [*State, *{move.cause for move in MOVES}],
}


def told(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", GENERATED)
def test_generated_pages_are_up_to_date(page):
    """A change of the code without its page is a defect; `make contracts` writes them anew."""
    check(page, GENERATED[page]())


@pytest.mark.parametrize("page", PUBLIC_NAMES)
def test_every_public_name_is_documented(page):
    """Settings, commands, reasons, metrics and states are found in the docs by their exact names."""
    text = (ROOT / page).read_text("utf-8")
    assert [
        name for name in PUBLIC_NAMES[page]() if not re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text)
    ] == []


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ +(.+?) *$", page.read_text("utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=told)
def test_links_lead_somewhere(page):
    """Each relative link names a file of the repository, and each anchor a heading of it."""
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.S)
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)
    assert broken == []


def test_documents_that_the_code_names_exist():
    """`Source: contracts/…` and `docs/…` in code and pages lead to a file; a decision by its number."""
    files = [
        f
        for kind in ("py", "toml")
        for folder in ("gateway", "tests")
        for f in ROOT.glob(f"{folder}/**/*.{kind}")
    ]
    missing = []
    for file in [*files, ROOT / "pyproject.toml", *PAGES]:
        for name in re.findall(r"(?<![\w/.])(?:docs|contracts)/[\w./-]*\w", file.read_text("utf-8")):
            if not (ROOT / name).exists() and not list(ROOT.glob(f"{name}-*.md")):
                missing.append(f"{told(file)}: {name}")
    assert missing == []


def test_the_walk_through_the_code_names_what_is_there():
    """docs/architecture.md leads a newcomer from function to function; a renamed one must be renamed there."""
    rows = re.findall(
        r"^\| `(gateway/[\w/]+\.py)` \| `([\w.]+)` \|", (DOCS / "architecture.md").read_text("utf-8"), re.M
    )
    assert len(rows) > 30
    assert [row for row in rows if row[1] not in names_in(ROOT / row[0])] == []


def names_in(file: Path) -> set[str]:
    """Functions and classes of a module, methods as Class.method."""
    found = set()
    for node in ast.parse(file.read_text("utf-8")).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{one.name}" for one in node.body if hasattr(one, "name")}
    return found


def test_every_page_is_reachable_from_the_index():
    """Nobody has to know that a page exists in order to find it."""
    linked = set(re.findall(r"\]\(([^)#\s]+)", (DOCS / "README.md").read_text("utf-8")))
    pages = {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")} - {"README.md"}
    assert pages - linked == set()


def test_decisions_are_short_and_numbered():
    """One page each, and no number is used twice."""
    records = sorted((DOCS / "decisions").glob("[0-9][0-9][0-9][0-9]-*.md"))
    assert records == sorted((DOCS / "decisions").iterdir())
    assert len({record.name[:4] for record in records}) == len(records)
    assert {record.name for record in records if len(record.read_text("utf-8").splitlines()) > 40} == set()


def test_the_readme_is_short_and_begins_in_vietnamese():
    """150 lines at most; its readers' own language comes first."""
    lines = README.read_text("utf-8").splitlines()
    assert len(lines) <= 150
    vietnamese = [
        line for line in lines[:14] if re.search("[ăâđêôơưạảấầẩậắằặẹẻếềểệỉịọỏốồổộớờởợụủứừửựỳỵỷỹ]", line)
    ]
    assert len(vietnamese) >= 8


@pytest.mark.parametrize("page", PAGES, ids=told)
def test_commands_and_targets_in_the_docs_exist(page):
    """What a reader copies into a shell is there."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    commands = {name.removeprefix("gateway ") for name in commands_page.names()}
    groups = {name.split()[0] for name in commands}
    code = re.findall(r"```.*?```|`[^`\n]+`", page.read_text("utf-8"), re.S)
    unknown = []
    for snippet in code:
        unknown += [
            f"make {name}"
            for name in re.findall(r"(?:^|[`\n&] *)make ([a-z-]+)", snippet)
            if name not in targets
        ]
        for first, second in re.findall(r"(?:^|[\s`/])gateway ([a-z]+)(?: ([a-z]+))?", snippet):
            is_group = first in groups and first not in commands
            known = any(f"{one} ".startswith(f"{first} {second} ") for one in commands)
            if first not in groups or (is_group and second and not known):
                unknown.append(f"gateway {first} {second}".strip())
    assert unknown == []


def test_settings_named_outside_the_code_exist():
    """Whoever installs the gateway by our files and pages sets only names that it knows."""
    unknown = set()
    for file in [*PAGES, *INSTALLATION, ROOT / "Makefile"]:
        names = re.findall(r"GATEWAY_[A-Z][A-Z0-9_]*[A-Z0-9]", file.read_text("utf-8"))
        unknown |= {f"{told(file)}: {name}" for name in names if name not in known()}
    assert {one for one in unknown if "GATEWAY_TEST_" not in one} == set()


def test_the_example_of_an_environment_is_valid():
    """.env.example starts the gateway once its addresses are filled in, the commented lines too."""
    text = (ROOT / ".env.example").read_text("utf-8")
    pairs = re.findall(r"^(?:# )?(GATEWAY_\w+)=(.*)$", text, re.M)
    settings = load(dict(pairs))
    assert settings.temis.url is not None
    assert settings.database.startswith("postgresql://")


def test_the_tree_of_errors_is_drawn_as_it_is():
    """The drawing in model/errors.py names every class once, under its parent, with what follows from it."""
    drawn: dict[str, str] = {}
    path = ["GatewayError"]
    for bars, name, consequence in re.findall(
        r"^((?:│   |    )*)[├└]── (\w+) +(\S.*)$", str(errors.__doc__), re.M
    ):
        depth = len(bars) // 4
        assert consequence
        assert name not in drawn
        path[depth + 1 :] = [name]
        drawn[name] = path[depth]
    classes = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, GatewayError)]
    assert drawn == {one.__name__: str(one.__base__.__name__) for one in classes if one is not GatewayError}
