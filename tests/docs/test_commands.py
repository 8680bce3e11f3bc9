"""README and docs are true: the commands they name exist with these options, names that they import are there, and code
that they show runs. (Transcripts with their output: :mod:`test_pages`.)"""

from __future__ import annotations

import importlib
import re
import runpy
import shlex
import textwrap
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

import empirical.cli
import meanfield.commands.cli
import verify.cli
from verify.asking.overrides import changed
from verify.asking.sweep import Sweep, preset_names, preset_text

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
TUTORIALS = sorted((ROOT / "docs" / "tutorials").glob("*.py"))
APPS = {"meanfield": meanfield.commands.cli.app, "empirical": empirical.cli.app, "verify": verify.cli.app}
SPOKEN = "|".join((*APPS, "make", "python", "pytest"))
LINE = re.compile(rf"^(?: {{4}}|\$ |)(?P<command>(?:{SPOKEN}) .*)$", re.MULTILINE)
SPAN = re.compile(rf"`(?P<command>(?:{SPOKEN}) [^`]*)`")
FENCED = re.compile(r"^```\w*\n.*?^```", re.DOTALL | re.MULTILINE)
INDENTED = re.compile(r"(?:^ {4}.*\n)+", re.MULTILINE)
PYTHON = re.compile(r"^```python\n(?!>>>)(?P<code>.*?)^```", re.DOTALL | re.MULTILINE)
IMPORT = re.compile(
    r"^ *(?:>>> )?from (?P<module>(?:meanfield|empirical|verify)[\w.]*) import (?P<names>[\w, ]+)$", re.M
)


def commands(page: Path) -> Iterator[str]:
    """Commands in code blocks and in code spans, without comments; continued lines are one."""
    text = page.read_text("utf-8").replace("\\\n", " ")
    blocks = [m[0] for m in (*FENCED.finditer(text), *INDENTED.finditer(text))]
    spans = SPAN.finditer(FENCED.sub("", text))
    for found in (*(m for block in blocks for m in LINE.finditer(block)), *spans):
        yield re.sub(r"\s+#.*$|[\[\]](?=-|$)|\]$", "", found["command"]).strip()


COMMANDS = sorted({(page.name, command) for page in PAGES for command in commands(page)})


def test_there_are_commands_of_every_kind() -> None:
    assert {command.split()[0] for _, command in COMMANDS} == {*APPS, "make", "python", "pytest"}
    assert len(COMMANDS) > 40


@pytest.mark.parametrize(("page", "command"), COMMANDS)
def test_a_command_can_be_given_like_this(page: str, command: str) -> None:
    program, *words = shlex.split(command)
    if program == "make":
        targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
        assert {word for word in words if "=" not in word} <= targets
        settings = set(re.findall(r"^(\w+) \?=", (ROOT / "Makefile").read_text(), re.MULTILINE))
        assert {word.partition("=")[0] for word in words if "=" in word} <= settings
    elif program in APPS:
        _parse(program, words)
    else:
        files = [w for w in words if "/" in w]
        assert files or words[0] == "-m"
        assert all((ROOT / file).exists() for file in files)


def _parse(program: str, words: list[str]) -> None:
    """The options of the command are known and complete; a sweep that it names is one, with its changes."""
    group = typer.main.get_command(APPS[program])
    name, *rest = words
    if "--help" in rest or (not rest and name != "init"):
        assert name in group.commands  # type: ignore[attr-defined]
        return
    given = group.commands[name].make_context(name, rest).params  # type: ignore[attr-defined]
    if (program, name) == ("verify", "run"):
        known = given["sweep"] if given["sweep"] in preset_names() else "quick"
        assert given["sweep"] in preset_names() or given["sweep"].endswith(".toml")
        assert Sweep.preset(known, given["change"], given["size"]).cells()


@pytest.mark.parametrize("page", [*PAGES, *TUTORIALS], ids=lambda p: p.name)
def test_imported_names_are_there(page: Path) -> None:
    for found in IMPORT.finditer(page.read_text("utf-8")):
        module = importlib.import_module(found["module"])
        for name in found["names"].split(","):
            assert hasattr(module, name.strip()) or importlib.import_module(f"{found['module']}.{name.strip()}")


SHOWN = [
    pytest.param(m["code"], id=f"{page.name} {number}")
    for page in PAGES
    for number, m in enumerate(PYTHON.finditer(page.read_text("utf-8")))
]


@pytest.mark.parametrize("code", SHOWN)
def test_python_that_is_shown_runs(code: str) -> None:
    exec(compile(code, "<docs>", "exec"), {})


BLOCKS = [
    (page.name, text)
    for page in PAGES
    for text in [
        *(textwrap.dedent(m[0]) for m in INDENTED.finditer(FENCED.sub("", page.read_text("utf-8")))),
        *(m[0].split("\n", 1)[1].rsplit("\n", 1)[0] for m in FENCED.finditer(page.read_text("utf-8"))),
    ]
]
TABLES = sorted({block for block in BLOCKS if re.match(r"\[\[?[\w.]+\]\]?\s", block[1])})
PROGRAMS = sorted({block for block in BLOCKS if re.match(r"(from [\w.]+ )?import ", block[1])})


def test_there_are_tables_and_programs() -> None:
    assert TABLES
    assert PROGRAMS


@pytest.mark.parametrize(("page", "text"), TABLES)
def test_toml_that_is_shown_is_a_part_of_a_sweep(page: str, text: str) -> None:
    """Keys and values are checked; what is left out comes from a preset."""
    base, shown = tomllib.loads(preset_text("quick")), tomllib.loads(text)
    known = {**base, **{key: base.get(key, {}) | value for key, value in shown.items() if isinstance(value, dict)}}
    known |= {key: value for key, value in shown.items() if not isinstance(value, dict)}
    for name in ("", *known.get("sizes", ())):
        assert Sweep(**changed(known, [], name or None)).cells(), page


def test_a_wrong_key_in_shown_toml_is_noticed() -> None:
    with pytest.raises(ValueError, match="expected one of the keys"):
        test_toml_that_is_shown_is_a_part_of_a_sweep("", "[verdict]\ndelto = 0.05\n")


@pytest.mark.parametrize(("page", "text"), PROGRAMS)
def test_python_that_is_shown_compiles(page: str, text: str) -> None:
    compile(text, page, "exec")


@pytest.mark.slow
def test_the_tutorial_for_theory_ends_in_a_report_without_disagreement(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(ROOT / "docs" / "tutorials" / "theory.py"), run_name="__main__")
    *_, verdict, report = capsys.readouterr().out.splitlines()
    assert "disagree in" not in verdict
    assert Path(report.removeprefix("report: ")).is_file()


@pytest.mark.slow
def test_the_tutorial_for_practice_finds_the_edge_of_stability(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(ROOT / "docs" / "tutorials" / "practice.py"), run_name="__main__")
    below, above = capsys.readouterr().out.splitlines()[-2:]
    losses = [[float(x) for x in re.findall(r"\d\.\de[+-]\d+", line)] for line in (below, above)]
    assert losses[0][1] < 0.01 * losses[0][0]
    assert losses[1][1] > 100 * losses[1][0]
