"""What docs and messages tell people to install is ours, or known: `meanfield` on the package index is a stranger's."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from meanfield.spec import distribution

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
PACKAGES = ("meanfield", "empirical", "verify")
TEXTS = [
    *sorted(ROOT.glob("*.md")),
    *sorted(p for p in (ROOT / "docs").rglob("*") if p.suffix in (".md", ".py")),
    *sorted(p for package in PACKAGES for p in (ROOT / package).rglob("*") if p.suffix in (".py", ".toml", ".html")),
]
COMMAND = re.compile(r"pip install (?:-\S+ )*['\"]?(?P<name>[\w.{}-]+)(?:\[(?P<extras>[^\]]*)\])?")
NAMED = re.compile(r"(?<![\w-])meanfield(?:-\w+)*\[(?P<extras>[a-z][\w,-]*)\]")
REQUIREMENT = re.compile(r"[\w-]+")


def known() -> set[str]:
    """The library in its folder, and all that it depends on."""
    extras = PROJECT["optional-dependencies"].values()
    required = [*PROJECT["dependencies"], *(name for extra in extras for name in extra)]
    return {".", PROJECT["name"], *(REQUIREMENT.match(name)[0] for name in required)}


def strangers(text: str) -> list[str]:
    """What the commands in ``text`` would install that is neither ours nor known, and extras that we don't have."""
    text = text.replace("{DISTRIBUTION}", distribution.DISTRIBUTION).replace("[{extra}]", "")
    names = [m["name"] for m in COMMAND.finditer(text) if m["name"] not in known()]
    named = [m for m in NAMED.finditer(text) if not m[0].startswith(f"{PROJECT['name']}[")]
    extras = [m["extras"] or "" for m in COMMAND.finditer(text) if m["name"] in (".", PROJECT["name"])]
    missing = [x for x in ",".join(extras).split(",") if x and x not in PROJECT["optional-dependencies"]]
    return [*names, *(m[0] for m in named), *missing]


def test_the_name_stands_in_two_places_that_agree() -> None:
    assert distribution.DISTRIBUTION == PROJECT["name"] != "meanfield"


@pytest.mark.parametrize("path", TEXTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_nobody_is_told_to_install_a_strangers_code(path: Path) -> None:
    assert strangers(path.read_text("utf-8")) == []


def test_there_are_commands_to_look_at() -> None:
    assert sum(len(COMMAND.findall(path.read_text("utf-8"))) for path in TEXTS) >= 5


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("pip install meanfield", ["meanfield"]),
        ("`pip install -U 'meanfield[gpu]'`", ["meanfield", "meanfield[gpu]"]),
        ("meanfield[gpu-cuda12] for CUDA 12", ["meanfield[gpu-cuda12]"]),
        ("pip install 'meanfield-spectra[gqu]'", ["gqu"]),
        ("pip install 'meanfield-spectra[gpu]'; pip install torch", []),
    ],
)
def test_a_wrong_name_is_noticed(text: str, found: list[str]) -> None:
    assert strangers(text) == found


@pytest.mark.parametrize("extra", sorted(PROJECT["optional-dependencies"]))
def test_messages_name_the_distribution(extra: str) -> None:
    assert strangers(distribution.installing(extra)) == []


def test_the_version_is_the_distributions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.version", {distribution.DISTRIBUTION: "1.2.3"}.__getitem__)
    assert distribution.distribution_version() == "1.2.3"


def test_a_folder_on_the_path_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distribution, "DISTRIBUTION", "no-such-distribution-as-this")
    assert distribution.distribution_version() == "not installed"
