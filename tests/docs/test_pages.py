"""README and docs are true: their Python examples and console transcripts are run and compared."""

from __future__ import annotations

import doctest
import re
import shlex
from pathlib import Path

import pytest

import meanfield.commands.cli

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TRANSCRIPT = re.compile(r"^```console\n\$ (?P<command>[^\n]*)\n(?P<output>.*?)^```", re.DOTALL | re.MULTILINE)
TRANSCRIPTS = [
    pytest.param(m["command"], m["output"], id=f"{page.name}: {m['command'][:40]}")
    for page in PAGES
    for m in TRANSCRIPT.finditer(page.read_text())
]
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_python_examples(page: Path) -> None:
    failed, _ = doctest.testfile(str(page), module_relative=False)
    assert failed == 0


@pytest.mark.parametrize(("command", "output"), TRANSCRIPTS)
def test_console_transcripts(command: str, output: str, capsys: pytest.CaptureFixture[str]) -> None:
    program, *arguments = shlex.split(command)
    assert program == "meanfield"
    assert meanfield.commands.cli.main(arguments) == 0
    assert capsys.readouterr().out == output


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        assert (page.parent / target).exists(), target
