"""docs/extending.md is true: all its diffs, applied to one copy of the packages, make what it says.

A diff has `--- path` before lines of a file that is there (` ` stays, `-` goes, `+` comes), found from above to
below, and `+++ path` before the lines of a new one.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SECTION = re.compile(r"^## (?P<heading>[^\n]*)\n(?P<body>.*?)(?=^## |\Z)", re.DOTALL | re.MULTILINE)
DIFF = re.compile(r"^```diff\n(?P<body>.*?)^```", re.DOTALL | re.MULTILINE)
DIFFS = {
    section["heading"]: [m["body"] for m in DIFF.finditer(section["body"])]
    for section in SECTION.finditer((ROOT / "docs" / "extending.md").read_text("utf-8"))
    if "```diff" in section["body"]
}
COPIED = ("meanfield", "empirical", "verify", "tests/meanfield", "tests/empirical", "pyproject.toml")


def apply(body: str, root: Path) -> None:
    """Raises ``ValueError`` for a line that should be there and isn't, and for a new file that is."""
    for part in re.split(r"^(?=--- |\+\+\+ )", body, flags=re.MULTILINE):
        if part:
            head, *lines = part.splitlines()
            path = root / head[4:]
            if head.startswith("+++ ") and path.exists():
                raise ValueError(f"diff: expected a new file, got {head}")
            old = [] if head.startswith("+++ ") else path.read_text("utf-8").splitlines()
            path.write_text("\n".join(patched(old, lines, head)) + "\n", "utf-8")


def patched(old: list[str], lines: list[str], head: str) -> list[str]:
    made, at = list(old), 0
    for line in lines:
        sign, text = line[:1], line[1:]
        if sign == "+":
            made.insert(at, text)
            at += 1
        elif text not in made[at:]:
            raise ValueError(f"diff: expected a line below the last of {head}, got {line!r}")
        else:
            at = made.index(text, at) + (sign == " ")
            if sign == "-":
                del made[at]
    return made


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("extended")
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, root / name)
    for bodies in DIFFS.values():
        for body in bodies:
            apply(body, root)
    return root


@pytest.fixture(scope="module")
def outcome(extended: Path) -> dict[str, str]:
    """Heading → what went wrong, if anything."""
    script = Path(__file__).with_name("extended.py")
    made = subprocess.run(
        [sys.executable, "-P", "-W", "error::RuntimeWarning", str(script), str(extended)],
        cwd=extended,
        env={"PYTHONPATH": str(extended), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    found: dict[str, str] = json.loads(made.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("heading", DIFFS)
def test_what_a_section_makes_does_what_it_says(outcome: dict[str, str], heading: str) -> None:
    assert outcome[heading] == ""


def test_every_section_with_a_diff_is_used(outcome: dict[str, str]) -> None:
    assert set(outcome) == set(DIFFS)


def test_the_lines_are_as_tidy_as_the_rest(extended: Path) -> None:
    for command in (["check"], ["format", "--check"]):
        made = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--no-cache", "meanfield", "empirical", "verify"],
            cwd=extended, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert made.returncode == 0, made.stdout


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("--- a\n one\n+new\n three\n-four\n+five\n", ""),
        ("--- a\n three\n one\n", "expected a line below the last of --- a, got ' one'"),
        ("--- a\n-two and more\n", "expected a line below the last of --- a, got '-two and more'"),
        ("+++ a\n+one\n", "expected a new file, got"),
    ],
)
def test_diffs_are_applied_or_refused(tmp_path: Path, body: str, message: str) -> None:
    (tmp_path / "a").write_text("one\ntwo\nthree\nfour\n")
    if message:
        with pytest.raises(ValueError, match=re.escape(message)):
            apply(body, tmp_path)
    else:
        apply(body, tmp_path)
        assert (tmp_path / "a").read_text() == "one\nnew\ntwo\nthree\nfive\n"
