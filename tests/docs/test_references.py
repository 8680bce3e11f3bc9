"""What docstrings and comments cite is in the shipped docs: the page, and the section by its number or heading; and
what the docs call by path is there."""

from __future__ import annotations

import re
import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("meanfield", "empirical", "verify", "benchmarks", "tests")
SOURCES = [
    p for package in PACKAGES for p in sorted((ROOT / package).rglob("*")) if p.suffix in (".py", ".toml", ".html")
]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
CITED = re.compile(
    r"(?<![\w`/*.-])(?:docs/)?(?P<page>[A-Za-z_]+\.md)"
    r"(?P<sections>(?:,? (?:and )?§\d+)*)(?:, (?P<heading>(?:\"[^\"]+\"|Conditions|mean subtraction)))?"
)
MADE = {"report.md"}  # what a program writes
FOLDERS = "meanfield|empirical|verify|tests|docs|benchmarks"
PATH = re.compile(rf"`(?P<path>(?:{FOLDERS})/[\w./*-]*)(?:::\w+)?`")
YOURS = re.compile(r"(?i)\bmine\b|yours|NAME|swish2")  # what a reader would write


def citations(text: str) -> Iterator[tuple[str, list[str], str]]:
    for found in CITED.finditer(re.sub(r"\s*\n[#\s]*", " ", text)):
        if found["page"] not in MADE:
            yield found["page"].lower(), re.findall(r"§(\d+)", found["sections"]), (found["heading"] or "").strip('"')


def missing(text: str) -> list[str]:
    """The citations in ``text`` that lead nowhere."""
    wrong = []
    for page, sections, heading in citations(text):
        path = next((p for p in PAGES if p.name.lower() == page.lower()), None)
        if path is None:
            wrong.append(page)
            continue
        shown = path.read_text("utf-8")
        wrong += [f"{page} §{n}" for n in sections if not re.search(rf"^## {n}\. ", shown, re.MULTILINE)]
        titles = re.findall(r"^#+ (.*)$|\*\*([^*]+)\*\*", shown, re.MULTILINE)
        if heading and not any(heading.lower() in "".join(title).lower() for title in titles):
            wrong.append(f"{page}, {heading}")
    return wrong


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_what_is_cited_is_there(path: Path) -> None:
    if path != Path(__file__):
        assert missing(path.read_text("utf-8")) == []


def test_there_are_citations_of_several_pages() -> None:
    found = [c for path in SOURCES for c in citations(path.read_text("utf-8"))]
    assert len([c for c in found if c[0] == "theory.md" and c[1]]) >= 20
    assert len({page for page, *_ in found}) >= 4


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("theory.md §3, §4, finite_width.md", []),
        ("Theory.md §2 line by line", []),
        ("(theory.md §3, Conditions)", []),
        ("(theory.md §3, mean subtraction)", []),
        ('docs/reports.md, "Tolerances of the presets"', []),
        ("theory.md\n    §99", ["theory.md §99"]),
        ("theory.md §3, §98", ["theory.md §98"]),
        ("design.md §4", ["design.md"]),
        ('docs/reports.md, "Tolerances of the moon"', ["reports.md, Tolerances of the moon"]),
    ],
)
def test_a_citation_that_leads_nowhere_is_noticed(text: str, expected: list[str]) -> None:
    assert missing(text) == expected


def lost(text: str) -> list[str]:
    """Paths in ``text`` at which there is nothing; a star stands for any name."""
    paths = [found["path"] for found in PATH.finditer(text) if not YOURS.search(found["path"])]
    return [path for path in paths if not any(ROOT.glob(path.rstrip("/")))]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_paths_in_the_docs_are_there(page: Path) -> None:
    assert lost(page.read_text("utf-8")) == []


def test_a_path_that_is_gone_is_noticed() -> None:
    assert lost(
        "`meanfield/recursion.py`, `meanfield/spec/`, `verify/reporting/figures/mine.py`, `tests/*/conftest.py`"
    ) == ["meanfield/recursion.py"]


DIFF = re.compile(r"^```diff\n(?P<body>.*?)^```", re.DOTALL | re.MULTILINE)


def stale(body: str) -> list[str]:
    """Lines of a diff that are said to be in a file and aren't, and files said to be new that are there."""
    wrong, shown = [], ""
    for line in body.splitlines():
        if line.startswith("--- "):
            shown = (ROOT / line[4:]).read_text("utf-8")
        elif line.startswith("+++ "):
            wrong += [line] * (ROOT / line[4:]).exists()
        elif not line.startswith("+") and line[1:] not in shown.splitlines():
            wrong.append(line)
    return wrong


DIFFS = [m["body"] for page in PAGES for m in DIFF.finditer(page.read_text("utf-8"))]


@pytest.mark.parametrize("body", DIFFS, ids=lambda body: body.split("\n")[0])
def test_a_diff_that_is_shown_fits_the_files(body: str) -> None:
    assert stale(body) == []


def test_a_diff_that_no_longer_fits_is_noticed() -> None:
    assert len(DIFFS) >= 9
    body = "--- README.md\n # meanfield\n-# meanfold\n+more\n+++ LICENSE\n+new\n"
    assert stale(body) == ["-# meanfold", "+++ LICENSE"]


SCRIPTS = [p for folder in ("docs", "benchmarks") for p in sorted((ROOT / folder).rglob("*.py"))]
TUTORIALS = [p for p in SCRIPTS if p.parent.name == "tutorials"]  # these run whole, in a test of their own


@pytest.mark.parametrize("script", sorted({*SCRIPTS} - {*TUTORIALS}), ids=lambda p: p.name)
def test_what_a_script_imports_is_there(script: Path) -> None:
    """The scripts of `make docs`, `make gallery` and `make bench` take too long to run here."""
    runpy.run_path(str(script), run_name="imported")
