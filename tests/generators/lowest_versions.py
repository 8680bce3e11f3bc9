"""Constraints that take every library at the lowest version that pyproject.toml allows; `make test-lowest` uses them.

    python tests/generators/lowest_versions.py > lowest.txt

torch stays at the version of constraints.txt: the older ones have no small build for a processor alone.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
LOWEST = re.compile(r"(?P<name>[\w-]+)(?:\[[\w,]+\])?>=(?P<version>[\d.]+)")


def lowest_versions(project: dict[str, object]) -> Iterator[str]:
    """``name==version`` of every requirement, those of extras too."""
    required = [*project["dependencies"], *(x for extra in project["optional-dependencies"].values() for x in extra)]
    for requirement in dict.fromkeys(required):
        found = LOWEST.match(requirement)
        if found is None:
            raise ValueError(f"pyproject.toml: expected name>=version, got {requirement!r}")
        if found["name"] != "torch":
            yield f"{found['name']}=={found['version']}"


if __name__ == "__main__":
    pinned = (ROOT / "constraints.txt").read_text().splitlines()
    torch = [line for line in pinned if line.startswith("torch==")]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    print(*lowest_versions(project), *torch, sep="\n")
